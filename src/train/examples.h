/* SPDX-License-Identifier: Apache-2.0 */
/* Labelled data: rows with the labels that people gave them, all in memory. */
#ifndef MIEN_TRAIN_EXAMPLES_H
#define MIEN_TRAIN_EXAMPLES_H

#include "corpus/reader.h"

/* The names of labels in the order of their numbers. */
typedef struct mien_label_set {
  char **names; /* [n] UTF-8, distinct, not empty */
  size_t n;
} mien_label_set;

/* Reads names, a line each, as mien_labels_read does. *labels is freed by the caller, after a failure too. */
MIEN_MUST_USE mien_status mien_label_set_read(const char *path, mien_label_set *labels, mien_error *error);
void mien_label_set_free(mien_label_set *labels);

/* The number of a name; SIZE_MAX where there is none. */
size_t mien_label_set_find(const mien_label_set *labels, const char *name, size_t bytes);

/*
 * How labelled data is read: csv, tsv and jsonl files, or stdin with a format.
 *
 * csv and tsv have a header where a column of their first row is called as the labels' column is ("labels", unless it
 * is named and no number), or as another that is named; without one the columns are text, labels and id. Labels are
 * names or numbers joined by `separator`; of jsonl they are a list of strings or whole numbers. What is no label's name
 * and a number counts, from 0, the names of `numbered`.
 */
typedef struct mien_example_options {
  mien_input_format format;       /* BY_ENDING: by the file's */
  const char *text, *labels, *id; /* fields of jsonl; columns by name or number. NULL: "text", "labels", "id" where
                                     there is one; of columns without a header 0, 1, and 2 where there is one */
  bool without_texts;             /* rows need none: their embeddings or scores are elsewhere */
  char separator;                 /* 0: a comma */
  const mien_label_set *known;    /* the labels that there are; NULL: those of `numbered`, or else all that are met,
                                     numbers by size before names by their bytes */
  const mien_label_set *numbered; /* what numbers stand for; NULL: nothing */
  const atomic_bool *cancel;      /* may be NULL */
} mien_example_options;

typedef struct mien_examples {
  size_t n_rows;
  mien_label_set labels;
  size_t n_words;   /* of a row in truth: ⌈L/32⌉ */
  uint32_t *truth;  /* [n_rows × n_words] label l of a row is bit l mod 32 of its word l div 32 */
  mien_text *texts; /* [n_rows]; of no bytes where the row has none */
  mien_span *ids;   /* [n_rows] as text; NULL bytes where there is none */
  uint64_t *lines;  /* [n_rows] 1-based, where a row begins in its file */
  bool has_texts;   /* every row has one */
  char *bytes;      /* what texts and ids point into */
} mien_examples;

static inline bool mien_examples_has(const mien_examples *examples, size_t row, size_t label) {
  return examples->truth[row * examples->n_words + label / 32] >> label % 32 & 1;
}

/*
 * Reads all of `path`, "-" being stdin. What is no row with a text and known labels fails with its line (MIEN_INPUT):
 * "train.tsv:17: label '28': expected a number below 28". No rows at all are none. *examples starts as zeros and is
 * freed by the caller, after a failure too.
 */
MIEN_MUST_USE mien_status mien_examples_read(const char *path, const mien_example_options *options,
                                             mien_examples *examples, mien_error *error);
void mien_examples_free(mien_examples *examples);

#endif
