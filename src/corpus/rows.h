/* SPDX-License-Identifier: Apache-2.0 */
/* Results of a chunk as bytes of the output: jsonl, csv, npy, bits, or text for people. */
#ifndef MIEN_CORPUS_ROWS_H
#define MIEN_CORPUS_ROWS_H

#include "corpus/block.h"
#include "corpus/select.h"

typedef enum mien_output_format {
  MIEN_OUTPUT_TEXT,  /* for a terminal */
  MIEN_OUTPUT_JSONL, /* {"row":0,"labels":["joy"],"scores":[0.93]} */
  MIEN_OUTPUT_CSV,   /* row,id,labels,error[,file][,a column a label] */
  MIEN_OUTPUT_NPY,   /* float32 (N,L) scores, bad rows NaN */
  MIEN_OUTPUT_BITS,  /* .npy of uint32 (N,⌈L/32⌉) */
} mien_output_format;

typedef struct mien_row_options {
  mien_output_format format;
  bool all_scores;           /* jsonl and csv: every label's score too */
  bool colour;               /* text */
  bool min_one_label;        /* see mien_select_labels */
  size_t top_k;              /* see mien_select_labels */
  const mien_inputs *inputs; /* the caller's; more than one: every row tells its file */
} mien_row_options;

typedef struct mien_row_format {
  mien_row_options options;
  mien_selection selection;
  mien_buffer labels;   /* the labels' names as this format quotes them, one behind the other */
  size_t *label_starts; /* [L + 1] in it */
  bool *csv_quoted;     /* [L] csv: a field with this label has to be quoted */
  size_t row_bytes;     /* most that a row takes, its file and its error aside */
} mien_row_format;

/* About the most that a row's results take, in memory or as text: what chunks are sized by. At least 1. */
size_t mien_row_result_bytes(const mien_model *model, const mien_row_options *options);

/* *rows starts as zeros and is freed after a failure too. */
MIEN_MUST_USE mien_status mien_row_format_init(mien_row_format *rows, const mien_model *model,
                                               const mien_row_options *options, mien_error *error);
void mien_row_format_free(mien_row_format *rows);

/* Whether results must have scores, and not only words. */
bool mien_row_format_needs_scores(const mien_row_format *rows);

/* Writes the block's results into block->text, or rewrites its words (bits), and counts its labels. Thread-safe. */
MIEN_MUST_USE mien_status mien_row_format_run(const mien_row_format *rows, mien_block *block, mien_error *error);

#endif
