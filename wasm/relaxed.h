/* SPDX-License-Identifier: Apache-2.0 */
/* What the module of relaxed SIMD has beside the other one's. */
#ifndef MIEN_WASM_RELAXED_H
#define MIEN_WASM_RELAXED_H

#include <stdbool.h>

/* NULL in the module without. Whether the kernel's sums are exact on this engine, found out by the very code that runs
 * models; which form activations have to have for it is settled by the first call. Takes a microsecond or two. */
bool mien_relaxed_is_exact(void) __attribute__((weak));

#endif
