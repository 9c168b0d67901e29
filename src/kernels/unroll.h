/* SPDX-License-Identifier: Apache-2.0 */
/* Loops whose turns, at most 16 and their number a constant, stand one after the other, so that the arrays that they
 * run over can be registers: UNROLLED_FOR (int r = 0; r < R; r++). */
#ifndef MIEN_KERNELS_UNROLL_H
#define MIEN_KERNELS_UNROLL_H

#ifdef __clang__ /* which ignores GCC's pragma */
#define UNROLLED_FOR(...) _Pragma("clang loop unroll(full)") for (__VA_ARGS__)
#else
#define UNROLLED_FOR(...) _Pragma("GCC unroll 16") for (__VA_ARGS__)
#endif

#endif
