/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands that tune thresholds share. */
#include "cli/tune_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/number.h"
#include "corpus/buffer.h"
#include "corpus/output.h"

const char cli_tune_help[] =
    "  --objective WHAT      default: f1\n"
    "    f1                  the highest F1\n"
    "    fbeta               the highest F-beta: recall counts as --beta times precision\n"
    "    precision-at        the highest recall of those with a precision of at least --at; if none has, the\n"
    "                        highest precision, with a note\n"
    "    recall-at           the highest precision of those with a recall of at least --at; if none has, the\n"
    "                        highest recall, with a note\n"
    "  --beta X              above 0, for fbeta\n"
    "  --at X                above 0 to 1, for precision-at and recall-at\n"
    "  --grid STEP|exact     STEP, 2 STEP, ... below 1 are tried, or exact: the middle of every two neighbours of "
    "the\n"
    "                        scores. Default: 0.05, with f1 the way in which the heads' thresholds were tuned\n"
    "                        of equally good ones the lowest; a label that no row has gets 0.5, with a note\n";

typedef enum objective { F1, FBETA, PRECISION_AT, RECALL_AT, N_OBJECTIVES } objective;

static const char *const objective_names[N_OBJECTIVES] = {"f1", "fbeta", "precision-at", "recall-at"};

/* ---- Options ----------------------------------------------------------------------------------------------------- */

/* A decimal number above 0 and up to `most`. */
static int parse_number(const char *command, const char *option, const char *value, double most, double *number) {
  char *end;
  const bool is_decimal = value[0] && strspn(value, "0123456789.eE+-") == strlen(value);
  *number = is_decimal ? strtod(value, &end) : 0;
  if (is_decimal && !*end && *number > 0 && *number <= most) return MIEN_OK;
  char shown[MIEN_JSON_NUMBER_CHARS];
  return cli_usage(command, "option '%s': expected a number above 0 and up to %s, found '%s'", option,
                   mien_json_show_number(most, shown), value);
}

static int set_grid(cli_tune *tune, const char *command, const char *value) {
  const double least = 1e-6;
  tune->options.grid = 0;
  if (strcmp(value, "exact") == 0) return MIEN_OK;
  if (cli_parse_probability(value, &tune->options.grid) && tune->options.grid >= least && tune->options.grid < 1)
    return MIEN_OK;
  return cli_usage(command, "option '--grid': expected exact or a number from 1e-6 to below 1, found '%s'", value);
}

int cli_tune_option(cli_tune *tune, const char *command, int opt, const char *value) {
  static const char *const names[] = {"--objective", "--beta", "--at", "--grid"};
  const double most_beta = 1e6;
  bool *const seen[] = {&tune->has_objective, &tune->has_beta, &tune->has_target, &tune->has_grid};
  bool *is_seen = seen[opt - CLI_OBJECTIVE];
  if (*is_seen) return cli_usage(command, "option '%s' is given twice", names[opt - CLI_OBJECTIVE]);
  *is_seen = true;
  switch (opt) {
  case CLI_OBJECTIVE: return cli_choose(command, "--objective", value, objective_names, N_OBJECTIVES, &tune->objective);
  case CLI_BETA: return parse_number(command, "--beta", value, most_beta, &tune->options.beta);
  case CLI_AT: return parse_number(command, "--at", value, 1, &tune->options.target);
  default: return set_grid(tune, command, value);
  }
}

int cli_tune_finish(cli_tune *tune, const char *command) {
  static const mien_objective objectives[N_OBJECTIVES] = {MIEN_OBJECTIVE_FBETA, MIEN_OBJECTIVE_FBETA,
                                                          MIEN_OBJECTIVE_PRECISION_AT, MIEN_OBJECTIVE_RECALL_AT};
  const bool wants_target = tune->objective == PRECISION_AT || tune->objective == RECALL_AT;
  tune->options.objective = objectives[tune->objective];
  if (tune->has_beta != (tune->objective == FBETA))
    return cli_usage(command,
                     tune->has_beta ? "option '--beta' is for --objective fbeta" : "--objective fbeta needs --beta");
  if (tune->has_target != wants_target)
    return cli_usage(command, tune->has_target ? "option '--at' is for --objective precision-at and recall-at"
                                               : "--objective precision-at and recall-at need --at");
  if (!tune->has_beta) tune->options.beta = 1;
  if (!tune->has_grid) tune->options.grid = MIEN_TUNE_PUBLISHED_GRID;
  return MIEN_OK;
}

const char *cli_tune_objective(const cli_tune *tune) { return objective_names[tune->objective]; }

/* ---- Notes ------------------------------------------------------------------------------------------------------- */

void cli_tune_note(const cli_tune *tune, const mien_label_set *labels, const mien_tuned *tuned) {
  mien_error error;
  for (size_t l = 0; l < labels->n; l++) {
    const mien_prf prf = mien_prf_of(tuned[l].counts);
    if (tuned[l].has_rows && tuned[l].reaches) continue;
    if (!tuned[l].has_rows)
      (void)mien_fail(&error, MIEN_OK, "label '%s': no row has it: %.3g", labels->names[l],
                      (double)MIEN_TUNE_WITHOUT_ROWS);
    else
      (void)mien_fail(&error, MIEN_OK, "label '%s': no threshold reaches %.9g: %s %.3f at %.9g", labels->names[l],
                      tune->options.target, tune->objective == PRECISION_AT ? "precision" : "recall",
                      tune->objective == PRECISION_AT ? prf.precision : prf.recall, (double)tuned[l].threshold);
    fprintf(stderr, "mien: note: %s\n", error.message);
  }
}

/* ---- The file ---------------------------------------------------------------------------------------------------- */

static bool append_all(mien_buffer *out, const mien_label_set *labels, const float *thresholds) {
  bool done = mien_buffer_append(out, "{", 1);
  for (size_t l = 0; done && l < labels->n; l++) {
    char number[MIEN_NUMBER_CHARS];
    const size_t length = mien_format_float(number, thresholds[l]);
    done = (l == 0 || mien_buffer_append(out, ", ", 2)) &&
           mien_buffer_append_json(out, labels->names[l], strlen(labels->names[l])) &&
           mien_buffer_append(out, ": ", 2) && mien_buffer_append(out, number, length);
  }
  return done && mien_buffer_append(out, "}\n", 2);
}

mien_status cli_tune_write(const char *path, const mien_label_set *labels, const float *thresholds, mien_error *error) {
  mien_output *output = NULL;
  mien_buffer text = {0};
  mien_status status = append_all(&text, labels, thresholds) ? mien_output_open(path, &cli_cancelled, &output, error)
                                                             : mien_fail_memory(error, "thresholds", text.size);
  if (status == MIEN_OK) status = mien_output_write(output, text.bytes, text.size, error);
  if (status == MIEN_OK) status = mien_output_close(output, error);
  if (status == MIEN_OK) status = mien_output_publish(output, error);
  mien_output_destroy(output);
  mien_buffer_free(&text);
  return status;
}
