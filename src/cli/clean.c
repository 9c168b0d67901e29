/* SPDX-License-Identifier: Apache-2.0 */
/* mien clean: duplicates, rows of held-out data and likely label errors of labelled data, reported and left out. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "cli/clean_report.h"
#include "cli/data_options.h"

static const char command[] = "clean";

enum {
  CLEAN_AGAINST = CLI_DATA_OWN,
  CLEAN_REPORT,
  CLEAN_DUPLICATES,
  CLEAN_CONFLICTS,
  CLEAN_NEAR,
  CLEAN_NEAR_ROWS,
  CLEAN_ERRORS,
  CLEAN_SCORES,
  CLEAN_FOLDS,
  CLEAN_C,
  MOST_AGAINST = 64,
};
/* Of a data file that is copied row by row: more is no training data. */
#define MOST_FILE_BYTES ((size_t)8 << 30)

/* clang-format off */
static const struct option long_options[] = {
  CLI_DATA_OPTIONS,
  {"encoder", required_argument, NULL, CLI_ENCODER},
  {"model", required_argument, NULL, CLI_MODEL},
  {"dtype", required_argument, NULL, CLI_DTYPE},
  {"against", required_argument, NULL, CLEAN_AGAINST},
  {"report", required_argument, NULL, CLEAN_REPORT},
  {"duplicates", required_argument, NULL, CLEAN_DUPLICATES},
  {"conflicts", required_argument, NULL, CLEAN_CONFLICTS},
  {"near", required_argument, NULL, CLEAN_NEAR},
  {"near-duplicates", required_argument, NULL, CLEAN_NEAR_ROWS},
  {"errors", required_argument, NULL, CLEAN_ERRORS},
  {"scores", required_argument, NULL, CLEAN_SCORES},
  {"folds", required_argument, NULL, CLEAN_FOLDS},
  {"c", required_argument, NULL, CLEAN_C},
  {NULL, 0, NULL, 0},
};
/* clang-format on */

typedef enum what_to_do { KEEP, FIRST, DROP } what_to_do;

typedef struct counts {
  size_t duplicates, duplicate_rows, conflicts, conflict_rows, near, near_rows, held_out, verbatim, verbatim_same,
      errors, dropped;
} counts;

typedef struct clean {
  cli_data data;
  const char *against[MOST_AGAINST];
  size_t n_against;
  const char *report_path, *scores_path;
  what_to_do duplicates, conflicts, near_rows, errors;
  double near, c;
  uint64_t n_folds;

  struct stat file; /* the data's, before it was read */
  mien_examples examples;
  mien_normal_texts texts;
  mien_groups groups;
  bool *dropped; /* [n_rows] */
  clean_report report;
  counts counts;
  mien_error error;
} clean;

static int help(void) {
  printf("Usage: mien clean [OPTION]... --data FILE -o CLEANED [--report REPORT]\n"
         "\n"
         "Finds rows of FILE whose texts are equal or nearly, equal texts with different labels, texts that held-out\n"
         "data has too, and labels that are likely wrong. Writes the rows that are left as they stand in FILE, which\n"
         "is not changed, and a report, a JSON object a line. Texts are equal when they are in lower case, without\n"
         "accents and with white space as one space.\n"
         "\n"
         "Data:\n"
         "  --data FILE           labelled texts: csv, tsv or jsonl\n%s"
         "  --against FILE        held-out data of the same form: rows whose texts occur in it are dropped. May be\n"
         "                        given several times\n"
         "\n"
         "What is dropped:\n"
         "  --duplicates first|keep\n"
         "                        of equal texts with the same labels the first is kept, or all. Default: first\n"
         "  --conflicts keep|drop equal texts with different labels: kept, as a model learns their mean, or dropped\n"
         "                        all. Default: keep\n"
         "  --near J              texts are near when their sets of 5 bytes that follow each other have at least J of\n"
         "                        their union in common, above 0.5; 0: none is. Default: 0.9\n"
         "  --near-duplicates keep|first\n"
         "                        near texts are reported, or all but the first of them dropped. Default: keep\n"
         "  --errors keep|drop    rows with a label that is likely wrong are reported, or dropped. Default: keep\n",
         cli_data_help);
  printf("\n"
         "Label errors (looked for where there are scores or embeddings):\n"
         "  --scores S.npy        scores (rows, labels) of models that have not seen the rows, labels in the order of\n"
         "                        their numbers\n"
         "  --embeddings X.npy    embeddings (rows, D): scores come from logistic regressions, each without the rows\n"
         "                        that it scores; equal texts are in one part\n"
         "  --encoder E, --model M\n"
         "                        the encoder that makes the embeddings\n" CLI_DTYPE_HELP
         "  --folds K             into how many parts rows are divided, 2 to 100. Default: 5\n"
         "  --c C                 of the logistic regressions, above 0. Default: 10\n%s"
         "\n"
         "Output:\n"
         "  -o, --output FILE     the rows that are left; appears when it is whole, or not at all\n"
         "  --report FILE         findings, with \"kind\" duplicate, conflict, near_duplicate, held_out, label_error,\n"
         "                        \"action\" and \"rows\" (row from 0, line from 1, id, text, labels)\n"
         "\n"
         "Run:\n%s",
         cli_seed_help, cli_data_run_help);
  return cli_flush_stdout();
}

/* ---- Options ----------------------------------------------------------------------------------------------------- */

static int parse_real(const char *option, const char *value, double least, double most, double *out) {
  char *end;
  *out = strtod(value, &end);
  if (end != value && *end == '\0' && *out >= least && *out <= most) return MIEN_OK;
  return cli_usage(command, "option '%s': expected a number from %g to %g, found '%s'", option, least, most, value);
}

static int choose(const char *option, const char *value, what_to_do other, const char *name, what_to_do *choice) {
  const char *const names[] = {"keep", name};
  int index = 0;
  const int code = cli_choose(command, option, value, names, 2, &index);
  *choice = index == 0 ? KEEP : other;
  return code;
}

static int take_option(clean *c, int opt, const char *value) {
  switch (opt) {
  case CLEAN_AGAINST:
    if (c->n_against == MOST_AGAINST)
      return cli_usage(command, "option '--against': expected at most %d files", MOST_AGAINST);
    c->against[c->n_against++] = value;
    return MIEN_OK;
  case CLEAN_REPORT: c->report_path = value; return MIEN_OK;
  case CLEAN_SCORES: c->scores_path = value; return MIEN_OK;
  case CLEAN_DUPLICATES: return choose("--duplicates", value, FIRST, "first", &c->duplicates);
  case CLEAN_CONFLICTS: return choose("--conflicts", value, DROP, "drop", &c->conflicts);
  case CLEAN_NEAR_ROWS: return choose("--near-duplicates", value, FIRST, "first", &c->near_rows);
  case CLEAN_ERRORS: return choose("--errors", value, DROP, "drop", &c->errors);
  case CLEAN_FOLDS: return cli_number(command, "--folds", value, 2, 100, &c->n_folds);
  case CLEAN_C: return parse_real("--c", value, 1e-6, 1e9, &c->c);
  case CLEAN_NEAR: {
    const int code = parse_real("--near", value, 0, 1, &c->near);
    if (code == MIEN_OK && c->near > 0 && c->near <= 0.5)
      return cli_usage(command, "option '--near': expected 0, or a number above 0.5, found '%s'", value);
    return code;
  }
  default: return cli_data_option(&c->data, command, opt, value);
  }
}

static bool wants_scores(const clean *c) {
  return c->scores_path || c->data.embeddings || c->data.model.encoder || c->data.model.model;
}

static int parse(clean *c, int argc, char **argv) {
  int opt, code = MIEN_OK;
  while (code == MIEN_OK && (opt = getopt_long(argc, argv, CLI_DATA_SHORT, long_options, NULL)) != -1)
    code = opt == '?' || opt == ':' ? cli_bad_option(command, opt, argv) : take_option(c, opt, optarg);
  if (code != MIEN_OK || c->data.help) return code;
  code = cli_data_finish(&c->data, command, argc, argv);
  if (code == MIEN_OK && !c->data.path) code = cli_usage(command, "expected --data FILE");
  if (code == MIEN_OK && strcmp(c->data.path, "-") == 0)
    code = cli_usage(command, "option '--data': expected a file, whose rows are copied; stdin is read once");
  if (code == MIEN_OK && !c->data.output && !c->report_path)
    code = cli_usage(command, "expected -o FILE for the rows that are left, or --report FILE");
  if (code == MIEN_OK && c->scores_path && (c->data.embeddings || c->data.model.encoder || c->data.model.model))
    code = cli_usage(command, "options '--scores' and those of embeddings: expected one of them");
  if (code == MIEN_OK && c->errors == DROP && !wants_scores(c))
    code = cli_usage(command, "option '--errors drop': expected --scores, --embeddings or --encoder to find them by");
  return code;
}

static int check_outputs(const clean *c) {
  const char *reads[MOST_AGAINST + 4] = {c->data.path, c->data.embeddings, c->scores_path, c->data.labels_path};
  memcpy(reads + 4, c->against, c->n_against * sizeof *c->against);
  const size_t n = 4 + c->n_against;
  int code = c->data.output ? cli_data_check_output(&c->data, command, reads, n) : MIEN_OK;
  const cli_data report = {.output = c->report_path};
  if (code == MIEN_OK && c->report_path) code = cli_data_check_output(&report, command, reads, n);
  if (code == MIEN_OK && c->report_path && c->data.output &&
      (strcmp(c->data.output, c->report_path) == 0 || mien_output_is_same_file(c->data.output, c->report_path)))
    code = cli_usage(command, "%s: the output and the report are the same file", c->report_path);
  return code;
}

/* ---- Findings ---------------------------------------------------------------------------------------------------- */

static void drop(clean *c, size_t row) {
  c->counts.dropped += !c->dropped[row];
  c->dropped[row] = true;
}

static bool has_same_labels(const mien_examples *a, size_t row_a, const mien_examples *b, size_t row_b) {
  return memcmp(a->truth + row_a * a->n_words, b->truth + row_b * b->n_words, a->n_words * sizeof *a->truth) == 0;
}

static mien_status find_duplicates(clean *c) {
  mien_status status = mien_duplicates_find(&c->texts, &c->groups, &c->error);
  for (size_t g = 0; status == MIEN_OK && g < c->groups.n; g++) {
    const size_t *rows = c->groups.rows + c->groups.starts[g], n = c->groups.starts[g + 1] - c->groups.starts[g];
    bool is_conflict = false;
    for (size_t i = 1; i < n; i++)
      is_conflict = is_conflict || !has_same_labels(&c->examples, rows[0], &c->examples, rows[i]);
    *(is_conflict ? &c->counts.conflicts : &c->counts.duplicates) += 1;
    *(is_conflict ? &c->counts.conflict_rows : &c->counts.duplicate_rows) += n;
    const what_to_do todo = is_conflict ? c->conflicts : c->duplicates;
    for (size_t i = todo == FIRST ? 1 : 0; todo != KEEP && i < n; i++) drop(c, rows[i]);
    status = clean_report_group(&c->report, is_conflict ? "conflict" : "duplicate",
                                todo == KEEP    ? "kept"
                                : todo == FIRST ? "first kept"
                                                : "dropped",
                                rows, n, 1);
  }
  return status;
}

static mien_status find_near(clean *c) {
  mien_groups near = {0};
  mien_status status = c->near > 0 ? mien_near_duplicates_find(&c->texts, c->near, &near, &c->error) : MIEN_OK;
  for (size_t g = 0; status == MIEN_OK && g < near.n; g++) {
    const size_t *rows = near.rows + near.starts[g], n = near.starts[g + 1] - near.starts[g];
    double least = 1;
    for (size_t i = 1; i < n; i++) {
      const double similarity =
          mien_similarity(mien_normal_text(&c->texts, rows[0]), mien_normal_text(&c->texts, rows[i]));
      least = similarity < least ? similarity : least;
    }
    c->counts.near++;
    c->counts.near_rows += n;
    for (size_t i = 1; c->near_rows == FIRST && i < n; i++) drop(c, rows[i]);
    status =
        clean_report_group(&c->report, "near_duplicate", c->near_rows == FIRST ? "first kept" : "kept", rows, n, least);
  }
  mien_groups_free(&near);
  return status;
}

/* Rows whose normal texts held-out data has. */
static mien_status drop_held_out(clean *c, const char *path, const mien_examples *there, size_t *first) {
  mien_normal_texts texts = {0};
  mien_status status = mien_normal_texts_make(there->texts, there->n_rows, &texts, &c->error);
  if (status == MIEN_OK) status = mien_duplicates_among(&c->texts, &texts, first, &c->error);
  for (size_t row = 0; status == MIEN_OK && row < c->examples.n_rows; row++) {
    if (first[row] == SIZE_MAX) continue;
    const bool is_same = has_same_labels(&c->examples, row, there, first[row]);
    c->counts.held_out++;
    drop(c, row);
    status = clean_report_held_out(&c->report, row, path, there, first[row], is_same);
  }
  mien_normal_texts_free(&texts);
  return status;
}

/* Held-out rows whose texts, and labels, occur here byte for byte. */
static mien_status count_verbatim(clean *c, const mien_examples *there, bool with_labels, size_t *first,
                                  size_t *count) {
  mien_normal_texts here = {0}, texts = {0};
  mien_status status = mien_plain_texts_make(&c->examples, with_labels, &here, &c->error);
  if (status == MIEN_OK) status = mien_plain_texts_make(there, with_labels, &texts, &c->error);
  if (status == MIEN_OK) status = mien_duplicates_among(&texts, &here, first, &c->error);
  for (size_t row = 0; status == MIEN_OK && row < there->n_rows; row++) *count += first[row] != SIZE_MAX;
  mien_normal_texts_free(&here);
  mien_normal_texts_free(&texts);
  return status;
}

static int find_held_out(clean *c, const char *path) {
  mien_examples there = {0};
  int code = cli_data_read(&c->data, command, path, &c->examples.labels, &there);
  if (code == MIEN_OK) {
    const size_t most = there.n_rows > c->examples.n_rows ? there.n_rows : c->examples.n_rows;
    size_t *first = mien_alloc(most, sizeof *first);
    mien_status status =
        first ? drop_held_out(c, path, &there, first) : mien_fail_memory(&c->error, path, most * sizeof *first);
    if (status == MIEN_OK) status = count_verbatim(c, &there, false, first, &c->counts.verbatim);
    if (status == MIEN_OK) status = count_verbatim(c, &there, true, first, &c->counts.verbatim_same);
    if (status != MIEN_OK) code = cli_report(command, &c->error);
    mien_free(first);
  }
  mien_examples_free(&there);
  return code;
}

static int make_scores(clean *c, mien_floats *scores) {
  const size_t n = c->examples.n_rows;
  mien_model *model = NULL;
  mien_floats embeddings = {0};
  int code = MIEN_OK;
  if (!c->data.embeddings) code = cli_model_open(&c->data.model, command, CLI_USE_ENCODER, &model);
  if (code == MIEN_OK) code = cli_data_embed(&c->data, command, model, c->data.embeddings, &c->examples, &embeddings);
  mien_model_release(model);
  size_t *groups = mien_alloc(n, sizeof *groups);
  if (code == MIEN_OK) {
    for (size_t row = 0; groups && row < n; row++) groups[row] = row;
    for (size_t g = 0; groups && g < c->groups.n; g++)
      for (size_t i = c->groups.starts[g]; i < c->groups.starts[g + 1]; i++)
        groups[c->groups.rows[i]] = c->groups.rows[c->groups.starts[g]];
    const mien_floats_options options = {.threads = c->data.threads, .cancel = &cli_cancelled};
    const mien_status status = groups ? mien_scores_out_of_fold(&c->examples, &embeddings, groups, (unsigned)c->n_folds,
                                                                c->data.seed, c->c, &options, scores, &c->error)
                                      : mien_fail_memory(&c->error, "rows", n * sizeof *groups);
    if (status != MIEN_OK) code = cli_report(command, &c->error);
  }
  mien_free(groups);
  mien_floats_free(&embeddings);
  return code;
}

static int find_errors(clean *c) {
  mien_floats scores = {0};
  mien_suspects suspects = {0};
  int code = MIEN_OK;
  if (c->scores_path) {
    if (mien_floats_read(c->scores_path, c->examples.n_rows, c->examples.labels.n, &cli_cancelled, &scores,
                         &c->error) != MIEN_OK)
      code = cli_report(command, &c->error);
  } else {
    code = make_scores(c, &scores);
  }
  if (code == MIEN_OK) {
    mien_status status = mien_suspects_find(&c->examples, &scores, &suspects, &c->error);
    c->counts.errors = suspects.n;
    for (size_t i = 0; status == MIEN_OK && i < suspects.n; i++) {
      if (c->errors == DROP) drop(c, suspects.items[i].row);
      status = clean_report_suspect(&c->report, c->errors == DROP ? "dropped" : "kept", &suspects.items[i]);
    }
    if (status != MIEN_OK) code = cli_report(command, &c->error);
  }
  mien_suspects_free(&suspects);
  mien_floats_free(&scores);
  return code;
}

static int find_all(clean *c) {
  const size_t n = c->examples.n_rows;
  c->dropped = mien_alloc(n, sizeof *c->dropped);
  mien_status status = c->dropped ? mien_normal_texts_make(c->examples.texts, n, &c->texts, &c->error)
                                  : mien_fail_memory(&c->error, "rows", n);
  if (status == MIEN_OK) status = find_duplicates(c);
  if (status == MIEN_OK) status = find_near(c);
  int code = status == MIEN_OK ? MIEN_OK : cli_report(command, &c->error);
  for (size_t i = 0; code == MIEN_OK && i < c->n_against; i++) code = find_held_out(c, c->against[i]);
  if (code == MIEN_OK && wants_scores(c)) code = find_errors(c);
  return code;
}

/* ---- What is left ------------------------------------------------------------------------------------------------ */

/* Copies lines from `line` to before `end` (0: all that are left) from *at on, or goes past them. */
static mien_status copy_lines(const char *bytes, size_t size, size_t *at, uint64_t *line, uint64_t end,
                              mien_output *output, mien_error *error) {
  const size_t first = *at;
  while (*at < size && (end == 0 || *line < end)) {
    const char *feed = memchr(bytes + *at, '\n', size - *at);
    *at = feed ? (size_t)(feed - bytes) + 1 : size;
    ++*line;
  }
  return output ? mien_output_write(output, bytes + first, *at - first, error) : MIEN_OK;
}

/* The file's own bytes, but for those of dropped rows: of a row from its line to the next row's. */
static mien_status copy_rows(clean *c, const char *bytes, size_t size, mien_output *output) {
  size_t at = 0;
  uint64_t line = 1;
  const mien_examples *examples = &c->examples;
  mien_status status = copy_lines(bytes, size, &at, &line, examples->lines[0], output, &c->error); /* a header */
  for (size_t row = 0; status == MIEN_OK && row < examples->n_rows; row++) {
    const uint64_t end = row + 1 < examples->n_rows ? examples->lines[row + 1] : 0;
    status = copy_lines(bytes, size, &at, &line, end, c->dropped[row] ? NULL : output, &c->error);
  }
  return status;
}

/* Rows are found again by their lines: the file must be what it was. */
static mien_status check_unchanged(clean *c) {
  struct stat now;
  if (stat(c->data.path, &now) != 0) return mien_fail_system(&c->error, c->data.path, errno);
  if (now.st_size == c->file.st_size && now.st_ino == c->file.st_ino && now.st_mtim.tv_sec == c->file.st_mtim.tv_sec &&
      now.st_mtim.tv_nsec == c->file.st_mtim.tv_nsec)
    return MIEN_OK;
  return mien_fail(&c->error, MIEN_INPUT, "%s: changed while it was read", c->data.path);
}

static int write_cleaned(clean *c) {
  unsigned char *bytes = NULL;
  size_t size;
  mien_output *output = NULL;
  mien_status status = mien_file_read(c->data.path, MOST_FILE_BYTES, NULL, &bytes, &size, &c->error);
  if (status == MIEN_OK) status = check_unchanged(c);
  if (status == MIEN_OK) status = mien_output_open(c->data.output, &cli_cancelled, &output, &c->error);
  if (status == MIEN_OK) status = copy_rows(c, (const char *)bytes, size, output);
  if (status == MIEN_OK) status = mien_output_close(output, &c->error);
  if (status == MIEN_OK) status = mien_output_publish(output, &c->error);
  mien_output_destroy(output);
  mien_free(bytes);
  return status == MIEN_OK ? MIEN_OK : cli_report(command, &c->error);
}

static void print_summary(const clean *c) {
  const counts *n = &c->counts;
  fprintf(stderr,
          "mien: %zu rows, %zu dropped: %zu duplicates of %zu texts, %zu rows of %zu texts with conflicting labels, "
          "%zu rows in %zu groups of near duplicates, ",
          c->examples.n_rows, n->dropped, n->duplicate_rows - n->duplicates, n->duplicates, n->conflict_rows,
          n->conflicts, n->near_rows, n->near);
  if (c->n_against)
    fprintf(stderr, "%zu rows held out (%zu held-out texts verbatim, %zu with the same labels), ", n->held_out,
            n->verbatim, n->verbatim_same);
  if (wants_scores(c))
    fprintf(stderr, "%zu likely label errors\n", n->errors);
  else
    fprintf(stderr, "label errors not looked for: no --encoder, --embeddings or --scores\n");
}

static int run(clean *c) {
  mien_status status = MIEN_OK;
  cli_catch_signals();
  int code = check_outputs(c);
  if (code == MIEN_OK && stat(c->data.path, &c->file) != 0) {
    mien_fail_system(&c->error, c->data.path, errno);
    code = cli_report(command, &c->error);
  }
  if (code == MIEN_OK && !S_ISREG(c->file.st_mode)) {
    mien_fail(&c->error, MIEN_INPUT, "%s: expected a regular file, whose rows are copied", c->data.path);
    code = cli_report(command, &c->error);
  }
  if (code == MIEN_OK) code = cli_data_read(&c->data, command, c->data.path, NULL, &c->examples);
  c->report = (clean_report){.examples = &c->examples, .error = &c->error};
  if (code == MIEN_OK && c->report_path) {
    status = mien_output_open(c->report_path, &cli_cancelled, &c->report.output, &c->error);
    if (status != MIEN_OK) code = cli_report(command, &c->error);
  }
  if (code == MIEN_OK) code = find_all(c);
  if (code == MIEN_OK && c->data.output) code = write_cleaned(c);
  if (code == MIEN_OK && c->report.output) {
    status = mien_output_close(c->report.output, &c->error);
    if (status == MIEN_OK) status = mien_output_publish(c->report.output, &c->error);
    if (status != MIEN_OK) code = cli_report(command, &c->error);
  }
  if (code == MIEN_OK && !c->data.quiet) print_summary(c);
  return code;
}

int cli_clean(int argc, char **argv) {
  clean c = {.duplicates = FIRST, .near = 0.9, .c = 10, .n_folds = 5};
  int code = parse(&c, argc, argv);
  if (code == MIEN_OK) code = c.data.help ? help() : run(&c);
  mien_output_destroy(c.report.output);
  mien_examples_free(&c.examples);
  mien_normal_texts_free(&c.texts);
  mien_groups_free(&c.groups);
  mien_free(c.dropped);
  cli_data_free(&c.data);
  return code;
}
