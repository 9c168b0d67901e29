/* SPDX-License-Identifier: Apache-2.0 */
/* What this machine can do at most: its read bandwidth and its float multiply-add rate, measured. */
#ifndef MIEN_CLI_ROOFLINE_H
#define MIEN_CLI_ROOFLINE_H

#include "base/threads.h"

/* Bytes a second that the pool's threads read together from `bytes` of memory at `data`, in order. */
double roofline_read(mien_pool *pool, const void *data, size_t bytes);

/* Float32 operations (two to a multiply-add) a second of the pool's threads together, on the widest registers. */
double roofline_flops(mien_pool *pool);

#endif
