/* SPDX-License-Identifier: Apache-2.0 */
/* What mien clean finds, as lines of JSON. */
#ifndef MIEN_CLI_CLEAN_REPORT_H
#define MIEN_CLI_CLEAN_REPORT_H

#include "corpus/output.h"
#include "train/confident.h"
#include "train/duplicates.h"

typedef struct clean_report {
  const mien_examples *examples;
  const bool *dropped; /* [n_rows] as it is when a finding is reported */
  mien_output *output; /* NULL: none is written */
  mien_error *error;
} clean_report;

/* Rows of equal or alike texts; `similarity` is the least of theirs with the first. */
mien_status clean_report_group(const clean_report *report, const char *kind, const size_t *rows, size_t n,
                               double similarity);

/* A row whose text is that of `row_there` of other data. */
mien_status clean_report_held_out(const clean_report *report, size_t row, const char *path, const mien_examples *there,
                                  size_t row_there, bool has_same_labels);

mien_status clean_report_suspect(const clean_report *report, const mien_suspect *suspect);

#endif
