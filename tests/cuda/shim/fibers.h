/* SPDX-License-Identifier: Apache-2.0 */
/* Running a grid of blocks on the host, a block after the other. */
#ifndef MIEN_TESTS_CUDA_SHIM_FIBERS_H
#define MIEN_TESTS_CUDA_SHIM_FIBERS_H

#include "cuda_runtime.h"

void shim_run_grid(dim3 grid, unsigned threads, size_t shared, const std::function<void()> &function);

#endif
