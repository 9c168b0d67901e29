/* SPDX-License-Identifier: Apache-2.0 */
/* What lies beside an array of numbers: OUT.labels.json, {"labels":[…],"bad_rows":[…]}, of scores and bits, and
 * OUT.rows.json, {"bad_rows":[…]}, of embeddings. A part's has "first_row" before its bad rows, which are numbered, as
 * all rows are, over all inputs. */
#ifndef MIEN_CORPUS_SIDECAR_H
#define MIEN_CORPUS_SIDECAR_H

#include "corpus/block.h"
#include "corpus/output.h"

typedef struct mien_sidecar {
  mien_output *output; /* NULL: none is open */
  uint64_t n_bad;      /* written */
} mien_sidecar;

/* The name of the sidecar beside `path`, to be freed with mien_free; NULL without memory. */
char *mien_sidecar_path(const char *path, mien_row_content content);

/*
 * Opens the sidecar beside `path`. `labels` [n_labels] name the columns of scores and bits; `first_row` is a part's,
 * MIEN_ROWS_UNKNOWN for a whole output. Row by row, what follows is the list of bad rows: it is never in memory.
 */
MIEN_MUST_USE mien_status mien_sidecar_open(mien_sidecar *sidecar, const char *path, mien_row_content content,
                                            const char *const *labels, size_t n_labels, uint64_t first_row,
                                            const atomic_bool *cancel, mien_error *error);

MIEN_MUST_USE mien_status mien_sidecar_add(mien_sidecar *sidecar, uint64_t bad_row, mien_error *error);

/* Ends and closes it; mien_output_publish of sidecar->output gives it its name. */
MIEN_MUST_USE mien_status mien_sidecar_close(mien_sidecar *sidecar, mien_error *error);

/* Without a name nothing is left behind. */
void mien_sidecar_destroy(mien_sidecar *sidecar);

#endif
