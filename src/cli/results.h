/* SPDX-License-Identifier: Apache-2.0 */
/* Results of mien label, row by row, whichever format they were written in. */
#ifndef MIEN_CLI_RESULTS_H
#define MIEN_CLI_RESULTS_H

#include "cli/manifest.h"
#include "train/examples.h"

enum {
  CLI_MOST_RESULT_LABELS = 1024,                  /* of which a report tells */
  CLI_RESULT_WORDS = CLI_MOST_RESULT_LABELS / 32, /* [words] of a row's labels as bits */
};

/* A row, until the next. Numbers of labels are places in results->labels. */
typedef struct cli_result {
  uint64_t row; /* of all results, from 0 */
  bool is_bad;  /* without labels and scores */
  bool is_truncated;
  const uint32_t *given; /* [n_given] labels, each once, in the order of the results */
  size_t n_given;
  const float *given_scores; /* [n_given], or NULL */
  const float *scores;       /* [n_scores], all L, or NULL */
  size_t n_scores;
  mien_span text, by; /* fields that are asked for, as text; NULL bytes: there is none */
} cli_result;

typedef mien_status (*cli_take_result)(void *user, const cli_result *result, mien_error *error);

/* What was asked for, and what is known. Zeros are no labels. */
typedef struct cli_results {
  const char *text_field, *by; /* by: NULL for none */
  mien_output_format format;   /* where has_format; else by the names' endings */
  bool has_format;
  cli_take_result take;
  void *user;

  mien_label_set labels;     /* those of the model or the first results that say; else those that were met, in order */
  bool has_labels;           /* they are all: others are none */
  bool is_assumed;           /* labels and thresholds are a guess, given up for what results say */
  float *thresholds;         /* [L], or NULL: not known */
  bool has_other_labels;     /* than were assumed */
  char head[CLI_HASH_CHARS]; /* of the model that is named or assumed, as manifests have it; empty: not known */
  bool has_other_model;      /* manifests say so */
  uint64_t n_of_head;        /* rows that are of this head, as manifests say it */
  bool has_other_rule;       /* manifests say that labels were not given by thresholds alone: --top-k, --min-labels */
  bool tells_rule;           /* what is read now is of a folder whose manifest says it */
  uint64_t n_untold;         /* labelled rows of which neither a manifest nor all scores tell how labels were given */
  json_t *numbers;           /* of labels, by name */
  uint64_t n_rows;           /* taken */
  bool tells_truncated;      /* all results say which texts were cut, and whether some were split */
  bool has_text, has_by;     /* some row has the field */
  bool has_split;            /* texts were labelled by their spans (--long split), or manifests say that they may be */
  uint64_t n_truncated;      /* as manifests say it; rows' own are beside */
} cli_results;

/* Makes ready what `results`, with its first members set, is to hold. Freed by the caller, after a failure too. */
MIEN_MUST_USE mien_status cli_results_create(cli_results *results, mien_error *error);
void cli_results_free(cli_results *results);

/* `labels` [n] and `thresholds` [n], which may be NULL, are those that `where` says: what does not agree with them is
 * refused from here on, and here what was known before. */
MIEN_MUST_USE mien_status cli_results_know(cli_results *results, const char *where, const char *const *labels, size_t n,
                                           const float *thresholds, mien_error *error);

/* The same as a guess: results of other labels are no failure, but leave has_labels unset. Before anything is read. */
MIEN_MUST_USE mien_status cli_results_assume(cli_results *results, const char *where, const char *const *labels,
                                             size_t n, const float *thresholds, mien_error *error);

/* Gives up what was assumed; labels that were met stay. */
void cli_results_give_up(cli_results *results);

/*
 * Hands over every row of `path`: a file in a format that its name's ending or --input-format says, "-" for stdin, or a
 * folder of parts, whose parts must be whole and as their manifest says.
 */
MIEN_MUST_USE mien_status cli_results_read(cli_results *results, const char *path, mien_error *error);

/* ---- For the readers of formats -----------------------------------------------------------------------------------
 */

/* The number of a label; one that is not known is added where labels may be. `where` is for messages. */
MIEN_MUST_USE mien_status cli_results_label(cli_results *results, const char *where, mien_span name, uint32_t *label,
                                            mien_error *error);

/* Numbers and hands over a row. */
MIEN_MUST_USE mien_status cli_results_take(cli_results *results, cli_result *result, mien_error *error);

/* jsonl and csv. */
MIEN_MUST_USE mien_status cli_results_read_texts(cli_results *results, const char *path, bool is_csv,
                                                 mien_error *error);

/* npy and bits. */
MIEN_MUST_USE mien_status cli_results_read_array(cli_results *results, const char *path, bool is_bits,
                                                 mien_error *error);

#endif
