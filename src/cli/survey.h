/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run's inputs are, found before work starts: a hash of each file's bytes as they lie there, by which a run that
 * goes on later knows them again, and its number of rows, by which shards have their ranges. It is remembered in the
 * output's folder (inputs.json), so that shards and resumed runs need not read the corpus again.
 */
#ifndef MIEN_CLI_SURVEY_H
#define MIEN_CLI_SURVEY_H

#include "cli/content_hash.h"
#include "corpus/reader.h"

/* A file as it was when it was hashed: one that has these still is taken for unchanged. */
typedef struct cli_stamp {
  uint64_t bytes, inode;
  int64_t modified_ns, changed_ns;
} cli_stamp;

typedef struct cli_surveyed {
  cli_stamp stamp;
  char hash[CLI_HASH_CHARS];
} cli_surveyed;

typedef struct cli_survey {
  cli_surveyed *files; /* [inputs] */
  uint64_t *n_rows;    /* [inputs] */
  uint64_t total_rows, total_bytes;
} cli_survey;

/*
 * Surveys inputs that are all files: reads those that inputs.json in `folder` does not know as they are, on several
 * threads. A file whose bytes are not those that inputs.json says, or other inputs than there, are MIEN_INPUT. While
 * another process surveys for the same folder it is waited for, which is told on stderr unless `quiet`. Signals end it
 * with MIEN_CANCELLED. *survey starts as zeros and is freed by the caller, after a failure too.
 */
MIEN_MUST_USE mien_status cli_survey_make(const char *folder, const mien_inputs *inputs, const mien_text_options *texts,
                                          size_t dim, unsigned threads, bool quiet, cli_survey *survey,
                                          mien_error *error);
void cli_survey_free(cli_survey *survey);

/* Whether the inputs that rows [first, end) come from are still the same; MIEN_INPUT names one that is not. */
MIEN_MUST_USE mien_status cli_survey_check(cli_survey *survey, const mien_inputs *inputs, uint64_t first, uint64_t end,
                                           mien_error *error);

#endif
