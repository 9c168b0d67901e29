/* SPDX-License-Identifier: Apache-2.0 */
/* How inputs and outputs notice that a run was cancelled. */
#ifndef MIEN_CORPUS_CANCEL_H
#define MIEN_CORPUS_CANCEL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* How long a wait may take to notice that it was cancelled. */
enum { MIEN_POLL_MILLISECONDS = 50 };

/* `cancel` may be NULL. */
static inline bool mien_is_cancelled(const atomic_bool *cancel) {
  return cancel && atomic_load_explicit(cancel, memory_order_relaxed);
}

#endif
