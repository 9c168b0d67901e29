/* SPDX-License-Identifier: Apache-2.0 */
/* Results of a chunk as bytes of the output: jsonl, csv, npy, bits, or text for people. */
#ifndef MIEN_CORPUS_ROWS_H
#define MIEN_CORPUS_ROWS_H

#include "base/number.h"
#include "corpus/block.h"
#include "corpus/compression.h"
#include "corpus/select.h"
#include "formats/npy.h"

typedef enum mien_output_format {
  MIEN_OUTPUT_TEXT,  /* for a terminal */
  MIEN_OUTPUT_JSONL, /* {"row":0,"labels":["joy"],"scores":[0.93]} */
  MIEN_OUTPUT_CSV,   /* row,id,labels,error[,file][,kept fields][,a column a label] */
  MIEN_OUTPUT_NPY,   /* float32 (N,L) scores or (N,D) embeddings, bad rows NaN */
  MIEN_OUTPUT_BITS,  /* .npy of uint32 (N,⌈L/32⌉) */
  MIEN_OUTPUT_F32,   /* embeddings as raw little-endian float32 */
} mien_output_format;

/* Whether the output is an array of numbers, with a sidecar, and not rows of text. */
static inline bool mien_output_is_array(mien_output_format format) {
  return format == MIEN_OUTPUT_NPY || format == MIEN_OUTPUT_BITS || format == MIEN_OUTPUT_F32;
}

/* Of an array: whether it begins with a header, which holds the number of rows, and the header. */
static inline bool mien_output_has_header(mien_output_format format) { return format != MIEN_OUTPUT_F32; }

static inline void mien_output_make_header(mien_output_format format, uint64_t n_rows, size_t n_columns,
                                           char header[MIEN_NPY_HEADER]) {
  mien_npy_write_header(header, format == MIEN_OUTPUT_NPY ? "<f4" : "<u4", n_rows, n_columns);
}

typedef struct mien_row_options {
  mien_output_format format;
  mien_compression compression; /* of the output, its sidecar aside */
  mien_row_content content;
  bool all_scores;           /* jsonl and csv: every label's score too */
  bool colour;               /* text */
  bool min_one_label;        /* see mien_select_labels */
  size_t top_k;              /* see mien_select_labels */
  size_t max_tokens;         /* tokens of a text; 0: all */
  bool splits;               /* labels: texts that are too long are run as their spans; jsonl lists these */
  bool counts_characters;    /* spans' places are in characters, and not in bytes; what is no UTF-8 as U+FFFD */
  mien_span_pooling pooling; /* of spans */
  size_t columns;            /* text: of the terminal */
  const mien_inputs *inputs; /* the caller's; more than one: every row tells its file */
  bool has_id;               /* records have ids */
  const char *const *keep;   /* [n_keep] the fields that records keep, as in mien_text_options; the caller's */
  size_t n_keep;
} mien_row_options;

typedef struct mien_row_format {
  mien_row_options options;
  const mien_model *model;
  mien_selection selection;
  mien_buffer labels;   /* the labels' names as this format quotes them, one behind the other */
  size_t *label_starts; /* [L + 1] in it */
  bool *csv_quoted;     /* [L] csv: a field with this label has to be quoted */
  size_t row_bytes;     /* most that a row takes, its file, error, text, id and kept fields aside */
} mien_row_format;

/* About the most that a row's results take, in memory or as text: what chunks are sized by. At least 1. */
size_t mien_row_result_bytes(const mien_model *model, const mien_row_options *options);

/* *rows starts as zeros, outlives neither the model nor the options' lists, and is freed after a failure too. */
MIEN_MUST_USE mien_status mien_row_format_init(mien_row_format *rows, const mien_model *model,
                                               const mien_row_options *options, mien_error *error);
void mien_row_format_free(mien_row_format *rows);

/* Whether results must have scores, and not only words. */
bool mien_row_format_needs_scores(const mien_row_format *rows);

/*
 * Appends how a kept field is called in the output: by its name, and where that is one of the output's own (row, file,
 * id, labels, …) with input_ before it. "input_…" before an own name gets one more, so that no two names become one.
 */
bool mien_row_append_name(const mien_row_format *rows, mien_span name, mien_buffer *out);

/* A score for people, on the side of the threshold where its label is; returns the characters written; no NUL. */
size_t mien_format_score(char out[MIEN_NUMBER_CHARS], float score, float threshold);

/* Writes the block's results into block->text, or rewrites its words (bits), and counts its labels, in its tally too.
 * `pieces` are those that it was run with. Thread-safe. */
MIEN_MUST_USE mien_status mien_row_format_run(const mien_row_format *rows, mien_block *block, const mien_pieces *pieces,
                                              mien_error *error);

#endif
