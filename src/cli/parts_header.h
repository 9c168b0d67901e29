/* SPDX-License-Identifier: Apache-2.0 */
/* The first line of a manifest: what a run is, all that its output depends on. */
#ifndef MIEN_CLI_PARTS_HEADER_H
#define MIEN_CLI_PARTS_HEADER_H

#include "cli/manifest.h"
#include "cli/survey.h"

/*
 * Makes the header of a run, to be freed with free; `survey` is NULL with a stream among the inputs. The instruction
 * set is in it where results depend on it: not for int8 on CPUs.
 */
MIEN_MUST_USE mien_status cli_parts_header(cli_run *run, mien_model *model, const mien_inputs *inputs,
                                           const cli_survey *survey, const mien_row_range *range, const char *ending,
                                           char **header, mien_error *error);

/* What headers have of a model's head: a hash of the numbers that label, wherever they were read from. */
MIEN_MUST_USE mien_status cli_parts_hash_head(const mien_model *model, char text[CLI_HASH_CHARS], mien_error *error);

/* Tells on stderr, a line each, how the run of a manifest differs from the one that is asked for. */
void cli_parts_show_differences(const char *path, const char *expected, const char *found);

/* Whether two headers are of one run, shards aside; MIEN_INPUT names the first difference, at `path`. */
MIEN_MUST_USE mien_status cli_parts_same_run(const char *path, const json_t *expected, const json_t *found,
                                             mien_error *error);

#endif
