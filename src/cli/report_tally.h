/* SPDX-License-Identifier: Apache-2.0 */
/* What a report tells of results, counted row by row in memory that does not grow with the rows. */
#ifndef MIEN_CLI_REPORT_TALLY_H
#define MIEN_CLI_REPORT_TALLY_H

#include "cli/results.h"
#include "corpus/tally.h"
#include "train/random.h"

enum {
  CLI_EXAMPLES = 4, /* texts of a label */
  CLI_EXAMPLE_BYTES = 1024,
  CLI_MOST_GROUPS = 1000, /* values of a field that are told apart: those that are met first */
  CLI_VALUE_BYTES = 200,  /* of a value; longer ones are one where these are equal */
  CLI_MOST_BINS = 2048,   /* of time in memory */
  CLI_MOST_POINTS = 120,  /* of time in the report, unless they are years */
};

typedef struct cli_example {
  uint64_t row;
  float score; /* NaN: not known */
  char *text;  /* [bytes], of CLI_EXAMPLE_BYTES at most, cut between characters */
  size_t bytes;
  bool is_cut;
} cli_example;

/* Rows that have a value, or are of a span of time. */
typedef struct cli_group {
  char *name;    /* [bytes] */
  int64_t start; /* of time: seconds since 1970, UTC */
  size_t bytes;
  uint64_t n_rows;
  uint64_t *counts; /* [CLI_MOST_RESULT_LABELS] rows with the label */
} cli_group;

typedef enum cli_time_unit { CLI_HOUR, CLI_DAY, CLI_WEEK, CLI_MONTH, CLI_YEAR } cli_time_unit;

/* Rows by a field: by its values, and by time for as long as there may be one. */
typedef struct cli_tally_by {
  cli_group *groups; /* [n_groups], then `other` */
  size_t n_groups;
  cli_group other;
  json_t *places;  /* of groups, by name */
  cli_group *bins; /* [n_bins] by start */
  size_t n_bins;
  cli_time_unit unit; /* of the bins: hour, day, month or year */
  uint64_t *counts;   /* what groups and bins point into */
  uint64_t n_values, n_times;
} cli_tally_by;

/* Rows and labels; bad rows are counted as such alone. */
typedef struct cli_tally {
  uint64_t n_rows, n_bad, n_truncated;
  uint64_t n_given;                  /* labels of all rows */
  uint64_t n_without;                /* rows without a label */
  uint64_t n_scored, n_given_scored; /* rows with all scores; with those of the labels that they were given */
  uint64_t *counts;                  /* [M] rows with the label; M is CLI_MOST_RESULT_LABELS */
  uint64_t *pairs;                   /* [M × M] rows with both, at the smaller label's row */
  uint64_t *bins;                    /* [M × MIEN_SCORE_BINS] rows by score, of all rows */
  uint64_t *given_bins;              /* the same of rows that were given the label */
  float *lowest_given;               /* [M] scores of rows that were given the label; infinity without */
  float *highest_left;               /* [M] of rows that were not; minus infinity without */
  bool *is_given;                    /* [M] of the row; false between rows */
  uint64_t *n_texts;                 /* [M] rows with the label and a text */
  cli_example *examples;             /* [M × CLI_EXAMPLES] drawn from these, all as likely */
  char *texts;
  mien_random random;
  cli_tally_by *by; /* NULL: not asked for */
} cli_tally;

/* *tally is freed by the caller, after a failure too. */
MIEN_MUST_USE mien_status cli_tally_create(cli_tally *tally, bool has_by, mien_error *error);
void cli_tally_free(cli_tally *tally);

MIEN_MUST_USE mien_status cli_tally_add(cli_tally *tally, const cli_result *result, mien_error *error);

static inline uint64_t cli_tally_labelled(const cli_tally *tally) { return tally->n_rows - tally->n_bad; }

/* Whether labels were given to rows by other thresholds than this of a label, or by more than thresholds; a score that
 * was rounded is no other. Of a label that rows have no scores of it is false. */
bool cli_tally_contradicts(const cli_tally *tally, size_t label, float threshold);

/* Rows with both. */
uint64_t cli_tally_pair(const cli_tally *tally, size_t a, size_t b);

/* ---- By a field ---------------------------------------------------------------------------------------------------
 */

MIEN_MUST_USE mien_status cli_tally_by_create(cli_tally_by *by, mien_error *error);
void cli_tally_by_free(cli_tally_by *by);
MIEN_MUST_USE mien_status cli_tally_by_add(cli_tally_by *by, const cli_result *result, mien_error *error);

/* Whether what there is, 99 of 100 values at least, is time: dates of ISO 8601 with or without a time of day, and
 * seconds, milliseconds or microseconds since 1970. */
bool cli_tally_is_time(const cli_tally_by *by);

/* The seconds since 1970 that a value stands for; false where it is no time. */
bool cli_time_parse(const char *text, size_t bytes, int64_t *seconds);

/* Merges bins into spans that a chart can show; returns their unit. */
cli_time_unit cli_tally_merge_time(cli_tally_by *by);

/* The start of the span that a time is in, and of the next one. */
int64_t cli_time_start(cli_time_unit unit, int64_t seconds);
int64_t cli_time_next(cli_time_unit unit, int64_t start);

/* "2024-05-31", as exact as the unit. */
enum { CLI_TIME_CHARS = 32 };
void cli_time_show(cli_time_unit unit, int64_t start, char out[CLI_TIME_CHARS]);
const char *cli_time_unit_name(cli_time_unit unit);

/* Sorts groups by their rows, the most first, and puts those behind the first `most` into `other`. */
void cli_tally_merge_groups(cli_tally_by *by, size_t most);

#endif
