/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A library in the place of libmien_cuda.so: devices that make fixed results of what they are given, count what they
 * are asked for, and fail where they are told to. What texts become is there when a lane is drained, not before.
 */
#ifndef MIEN_TESTS_FAKE_CUDA_H
#define MIEN_TESTS_FAKE_CUDA_H

#include <stdatomic.h>

#include "model/cuda_module.h"

enum { FAKE_DEVICES = 3, FAKE_LANES = 2, FAKE_BATCH_TOKENS = 50, FAKE_BAD_TOKEN = 4, FAKE_NUMBERS = 1024 };

/* What a test sees of the library and tells it. */
typedef struct fake_cuda {
  mien_cuda_module module; /* as mien_cuda_module_get gives it */
  atomic_int opens[FAKE_DEVICES], closes;
  atomic_int lanes; /* that are held */
  atomic_int submits[FAKE_DEVICES], pieces[FAKE_DEVICES];
  atomic_int failing_submit, failing_piece; /* the how manieth fails, counted down; 0: none */
  char folders[256];                        /* that were added, with a ':' behind each */
  void *stream;                             /* that rows were queued on */
  /* Of the last model that was opened. */
  mien_cuda_encoder encoder;
  float head[FAKE_NUMBERS], matrix[FAKE_NUMBERS], word[FAKE_NUMBERS]; /* weights; of the last layer's third matrix; of
                                                                         word 5 */
} fake_cuda;

MIEN_API fake_cuda *fake_cuda_get(void);

#endif
