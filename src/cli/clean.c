/* SPDX-License-Identifier: Apache-2.0 */
/* mien clean: duplicates, rows of held-out data and likely label errors of labelled data, reported and left out. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/clean_copy.h"
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
  const char *embeddings; /* not data.embeddings: texts are needed all the same */
  const char *against[MOST_AGAINST];
  size_t n_against;
  const char *report_path, *scores_path; /* report_path: NULL for stdout */
  what_to_do duplicates, conflicts, near_rows, errors;
  double near, c;
  uint64_t n_folds;
  uint32_t seen; /* own options that were given, one bit each */

  struct stat file; /* the data's, before it was read */
  mien_examples examples;
  mien_normal_texts texts;
  mien_groups groups, near_groups; /* of the latter each row stands for those of equal texts */
  size_t *group_of;                /* [n_rows] in groups; SIZE_MAX for a row that is alone */
  mien_suspects suspects;
  bool *dropped; /* [n_rows] */
  mien_output *output;
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
         "  --against FILE        held-out data of the same form: rows whose texts occur in it are dropped, before\n"
         "                        anything else is. May be given several times\n"
         "\n"
         "What is dropped:\n"
         "  --duplicates first|keep\n"
         "                        of equal texts with the same labels the first is kept, or all. Default: first\n"
         "  --conflicts keep|drop equal texts with different labels: kept, as a model learns their mean, or dropped\n"
         "                        all. Default: keep\n"
         "  --near J              texts are near when their sets of 5 bytes that follow each other have at least J of\n"
         "                        their union in common, above 0.5; 0: none is. Default: 0.9\n"
         "  --near-duplicates keep|first\n"
         "                        near texts are reported, or all rows of all but the first of them that is left\n"
         "                        dropped. Default: keep\n"
         "  --errors keep|drop    rows with a label that is likely wrong are reported, or dropped. Default: keep\n",
         cli_data_help);
  printf(
      "\n"
      "Label errors (looked for where there are scores or embeddings):\n"
      "  --scores S.npy        scores (rows, labels) of models that have not seen the rows, labels in the order of\n"
      "                        their numbers\n"
      "  --embeddings X.npy    embeddings (rows, D): scores come from logistic regressions, each without the rows\n"
      "                        that it scores; equal and near texts are in one part\n"
      "  --encoder E, --model M\n"
      "                        the encoder that makes the embeddings\n" CLI_DTYPE_HELP
      "  --folds K             into how many parts rows are divided, 2 to 100. Default: 5\n"
      "  --c C                 of the logistic regressions, above 0. Default: 10\n%s"
      "\n"
      "Output:\n"
      "  -o, --output FILE     the rows that are left; appears when it is whole, or not at all; - is stdout\n"
      "  --report FILE         findings, with \"kind\" held_out, duplicate, conflict, near_duplicate, label_error,\n"
      "                        \"action\" (kept, first kept, some kept, dropped: of its rows in the end) and \"rows\"\n"
      "                        (row from 0, line from 1, id, text, labels, dropped); - is stdout\n"
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

static bool has(const clean *c, int opt) { return c->seen >> (opt - CLI_DATA_OWN) & 1; }

static const char *name_of(int opt) {
  const struct option *option = long_options;
  while (option->name && option->val != opt) option++;
  return option->name;
}

static int add_against(clean *c, const char *path) {
  if (c->n_against == MOST_AGAINST)
    return cli_usage(command, "option '--against': expected at most %d files", MOST_AGAINST);
  c->against[c->n_against++] = path;
  return MIEN_OK;
}

static int set_near(clean *c, const char *value) {
  const int code = parse_real("--near", value, 0, 1, &c->near);
  if (code == MIEN_OK && c->near > 0 && c->near <= 0.5)
    return cli_usage(command, "option '--near': expected 0, or a number above 0.5, found '%s'", value);
  return code;
}

static int take_option(clean *c, int opt, const char *value) {
  if (opt < CLI_DATA_OWN) return cli_data_option(&c->data, command, opt, value);
  if (opt == CLEAN_AGAINST) return add_against(c, value);
  if (has(c, opt)) return cli_usage(command, "option '--%s' is given twice", name_of(opt));
  c->seen |= 1u << (opt - CLI_DATA_OWN);
  switch (opt) {
  case CLEAN_REPORT: c->report_path = strcmp(value, "-") == 0 ? NULL : value; return MIEN_OK;
  case CLEAN_SCORES: c->scores_path = value; return MIEN_OK;
  case CLEAN_DUPLICATES: return choose("--duplicates", value, FIRST, "first", &c->duplicates);
  case CLEAN_CONFLICTS: return choose("--conflicts", value, DROP, "drop", &c->conflicts);
  case CLEAN_NEAR_ROWS: return choose("--near-duplicates", value, FIRST, "first", &c->near_rows);
  case CLEAN_ERRORS: return choose("--errors", value, DROP, "drop", &c->errors);
  case CLEAN_FOLDS: return cli_number(command, "--folds", value, 2, 100, &c->n_folds);
  case CLEAN_C: return parse_real("--c", value, 1e-6, 1e9, &c->c);
  default: return set_near(c, value);
  }
}

static bool has_output(const clean *c) { return cli_data_has(&c->data, CLI_OUTPUT); }
static bool has_report(const clean *c) { return has(c, CLEAN_REPORT); }
static bool has_encoder(const clean *c) { return c->data.model.encoder || c->data.model.model; }
static bool makes_scores(const clean *c) { return c->embeddings || has_encoder(c); }
static bool wants_scores(const clean *c) { return c->scores_path || makes_scores(c); }

static int check(const clean *c) {
  if (!c->data.path) return cli_usage(command, "expected --data FILE");
  if (strcmp(c->data.path, "-") == 0)
    return cli_usage(command, "option '--data': expected a file, whose rows are copied; stdin is read once");
  if (!has_output(c) && !has_report(c))
    return cli_usage(command, "expected -o FILE for the rows that are left, or --report FILE");
  if ((c->scores_path != NULL) + (c->embeddings != NULL) + has_encoder(c) > 1)
    return cli_usage(command, "options '--scores', '--embeddings' and '--encoder': expected one of them");
  if (c->errors == DROP && !wants_scores(c))
    return cli_usage(command, "option '--errors drop': expected --scores, --embeddings or --encoder to find them by");
  if ((has(c, CLEAN_FOLDS) || has(c, CLEAN_C) || cli_data_has(&c->data, CLI_SEED)) && !makes_scores(c))
    return cli_usage(command, "options '--folds', '--c' and '--seed' are for --embeddings or --encoder");
  for (size_t i = 0; i < c->n_against; i++)
    if (mien_output_is_same_file(c->data.path, c->against[i]))
      return cli_usage(command, "option '--against': %s is the data itself", c->against[i]);
  return MIEN_OK;
}

static int parse(clean *c, int argc, char **argv) {
  int opt, code = MIEN_OK;
  while (code == MIEN_OK && (opt = getopt_long(argc, argv, CLI_DATA_SHORT, long_options, NULL)) != -1)
    code = opt == '?' || opt == ':' ? cli_bad_option(command, opt, argv) : take_option(c, opt, optarg);
  if (code != MIEN_OK || c->data.help) return code;
  code = cli_data_finish(&c->data, command, argc, argv);
  c->embeddings = c->data.embeddings;
  c->data.embeddings = NULL;
  return code == MIEN_OK ? check(c) : code;
}

/* `path` is NULL for stdout. */
static int check_output(clean *c, const char *path) {
  const char *reads[MOST_AGAINST + 2] = {c->embeddings, c->scores_path};
  memcpy(reads + 2, c->against, c->n_against * sizeof *c->against);
  const int code = cli_data_check_output(&c->data, command, path, reads, 2 + c->n_against);
  return code == MIEN_OK && has_encoder(c) ? cli_check_figures_output(&c->data.model, command, false, path) : code;
}

static int check_outputs(clean *c) {
  int code = has_output(c) ? check_output(c, c->data.output) : MIEN_OK;
  if (code == MIEN_OK && has_report(c)) code = check_output(c, c->report_path);
  if (code == MIEN_OK && has_output(c) && has_report(c) && cli_is_same_target(c->data.output, c->report_path))
    code = cli_usage(command, "%s: the output and the report are the same file",
                     c->report_path ? c->report_path : "stdout");
  return code;
}

/* ---- Held-out data ----------------------------------------------------------------------------------------------- */

static void drop(clean *c, size_t row) {
  c->counts.dropped += !c->dropped[row];
  c->dropped[row] = true;
}

static mien_status check_cancel(clean *c) {
  return atomic_load(&cli_cancelled) ? mien_fail(&c->error, MIEN_CANCELLED, "%s: interrupted", command) : MIEN_OK;
}

static bool has_same_labels(const mien_examples *a, size_t row_a, const mien_examples *b, size_t row_b) {
  return memcmp(a->truth + row_a * a->n_words, b->truth + row_b * b->n_words, a->n_words * sizeof *a->truth) == 0;
}

/* Data that a model is to be measured on, whose labels may be others. */
typedef struct held_out {
  const char *path;
  mien_examples examples;
  mien_examples mapped; /* the same rows with the labels that the data has, in its order */
  bool *has_others;     /* [n_rows] labels that the data has not */
  size_t *first;        /* [the greater n_rows] the first row there, or here */
} held_out;

static mien_status map_labels(clean *c, held_out *there) {
  const mien_label_set *labels = &there->examples.labels;
  const size_t n_words = c->examples.n_words, n_rows = there->examples.n_rows;
  there->mapped = there->examples;
  there->mapped.n_words = n_words;
  there->mapped.truth = mien_alloc(n_rows, n_words * sizeof *there->mapped.truth);
  there->has_others = mien_alloc(n_rows, sizeof *there->has_others);
  if (!there->mapped.truth || !there->has_others) return mien_fail_memory(&c->error, there->path, n_rows * n_words);
  for (size_t l = 0; l < labels->n; l++) {
    const size_t here = mien_label_set_find(&c->examples.labels, labels->names[l], strlen(labels->names[l]));
    for (size_t row = 0; row < n_rows; row++) {
      if (!mien_examples_has(&there->examples, row, l)) continue;
      if (here == SIZE_MAX)
        there->has_others[row] = true;
      else
        there->mapped.truth[row * n_words + here / 32] |= (uint32_t)1 << here % 32;
    }
  }
  return MIEN_OK;
}

/* Rows whose normal texts held-out data has. */
static mien_status drop_held_out(clean *c, const held_out *there) {
  mien_normal_texts texts = {0};
  mien_status status = mien_normal_texts_make(there->examples.texts, there->examples.n_rows, &texts, &c->error);
  if (status == MIEN_OK) status = mien_duplicates_among(&c->texts, &texts, there->first, &c->error);
  for (size_t row = 0; status == MIEN_OK && row < c->examples.n_rows; row++) {
    const size_t first = there->first[row];
    if (first == SIZE_MAX) continue;
    const bool is_same = !there->has_others[first] && has_same_labels(&c->examples, row, &there->mapped, first);
    c->counts.held_out++;
    drop(c, row);
    status = clean_report_held_out(&c->report, row, there->path, &there->examples, first, is_same);
  }
  mien_normal_texts_free(&texts);
  return status;
}

/* Held-out rows whose texts, and labels, occur here byte for byte. */
static mien_status count_verbatim(clean *c, const held_out *there, bool with_labels, size_t *count) {
  mien_normal_texts here = {0}, texts = {0};
  mien_status status = mien_plain_texts_make(&c->examples, with_labels, &here, &c->error);
  if (status == MIEN_OK) status = mien_plain_texts_make(&there->mapped, with_labels, &texts, &c->error);
  if (status == MIEN_OK) status = mien_duplicates_among(&texts, &here, there->first, &c->error);
  for (size_t row = 0; status == MIEN_OK && row < there->examples.n_rows; row++)
    *count += there->first[row] != SIZE_MAX && !(with_labels && there->has_others[row]);
  mien_normal_texts_free(&here);
  mien_normal_texts_free(&texts);
  return status;
}

static mien_status compare_held_out(clean *c, held_out *there) {
  const size_t n = there->examples.n_rows > c->examples.n_rows ? there->examples.n_rows : c->examples.n_rows;
  there->first = mien_alloc(n, sizeof *there->first);
  if (!there->first) return mien_fail_memory(&c->error, there->path, n * sizeof *there->first);
  mien_status status = map_labels(c, there);
  if (status == MIEN_OK) status = drop_held_out(c, there);
  if (status == MIEN_OK) status = count_verbatim(c, there, false, &c->counts.verbatim);
  if (status == MIEN_OK) status = count_verbatim(c, there, true, &c->counts.verbatim_same);
  return status == MIEN_OK ? check_cancel(c) : status;
}

static int find_held_out(clean *c, const char *path) {
  char beside[CLI_PATH_CHARS];
  held_out there = {.path = path};
  cli_data data = c->data;
  data.path = path;
  int code = cli_data_share_labels(&data, command, c->data.path, beside);
  if (code == MIEN_OK) code = cli_data_read(&data, command, path, NULL, &there.examples);
  if (code == MIEN_OK && compare_held_out(c, &there) != MIEN_OK) code = cli_report(command, &c->error);
  mien_free(there.mapped.truth);
  mien_free(there.has_others);
  mien_free(there.first);
  mien_examples_free(&there.examples);
  return code;
}

/* ---- Equal and near texts ---------------------------------------------------------------------------------------- */

static mien_status find_groups(clean *c) {
  const size_t n = c->examples.n_rows;
  c->group_of = mien_alloc(n, sizeof *c->group_of);
  if (!c->group_of) return mien_fail_memory(&c->error, "rows", n * sizeof *c->group_of);
  mien_status status = mien_duplicates_find(&c->texts, &c->groups, &c->error);
  for (size_t row = 0; status == MIEN_OK && row < n; row++) c->group_of[row] = SIZE_MAX;
  for (size_t g = 0; status == MIEN_OK && g < c->groups.n; g++)
    for (size_t i = c->groups.starts[g]; i < c->groups.starts[g + 1]; i++) c->group_of[c->groups.rows[i]] = g;
  if (status == MIEN_OK) status = check_cancel(c);
  if (status == MIEN_OK && c->near > 0)
    status = mien_near_duplicates_find(&c->texts, c->near, &cli_cancelled, &c->near_groups, &c->error);
  return status;
}

static const size_t *rows_of(const mien_groups *groups, size_t group, size_t *n) {
  *n = groups->starts[group + 1] - groups->starts[group];
  return groups->rows + groups->starts[group];
}

/* All rows of the text that `row` is the first of. */
static const size_t *rows_of_text(const clean *c, const size_t *row, size_t *n) {
  *n = 1;
  return c->group_of[*row] == SIZE_MAX ? row : rows_of(&c->groups, c->group_of[*row], n);
}

static bool is_conflict(const clean *c, const size_t *rows, size_t n) {
  bool found = false;
  for (size_t i = 1; i < n; i++) found = found || !has_same_labels(&c->examples, rows[0], &c->examples, rows[i]);
  return found;
}

static void drop_duplicates(clean *c) {
  for (size_t g = 0; g < c->groups.n; g++) {
    size_t n;
    const size_t *rows = rows_of(&c->groups, g, &n);
    const bool has_conflict = is_conflict(c, rows, n);
    *(has_conflict ? &c->counts.conflicts : &c->counts.duplicates) += 1;
    *(has_conflict ? &c->counts.conflict_rows : &c->counts.duplicate_rows) += n;
    const what_to_do todo = has_conflict ? c->conflicts : c->duplicates;
    for (size_t i = todo == FIRST ? 1 : 0; todo != KEEP && i < n; i++) drop(c, rows[i]);
  }
}

/* Of near texts those behind the first that has a row left. */
static void drop_near(clean *c) {
  for (size_t g = 0; g < c->near_groups.n; g++) {
    size_t n, n_rows;
    const size_t *texts = rows_of(&c->near_groups, g, &n);
    bool has_one = false;
    c->counts.near++;
    c->counts.near_rows += n;
    for (size_t i = 0; c->near_rows == FIRST && i < n; i++) {
      const size_t *rows = rows_of_text(c, &texts[i], &n_rows);
      const bool is_other = has_one;
      for (size_t k = 0; k < n_rows; k++) {
        has_one = has_one || !c->dropped[rows[k]];
        if (is_other) drop(c, rows[k]);
      }
    }
  }
}

/* ---- Label errors ------------------------------------------------------------------------------------------------ */

/* Rows of equal and of near texts have the same number. */
static void number_texts(const clean *c, size_t *numbers) {
  for (size_t row = 0; row < c->examples.n_rows; row++) numbers[row] = row;
  for (size_t g = 0; g < c->near_groups.n; g++)
    for (size_t i = c->near_groups.starts[g]; i < c->near_groups.starts[g + 1]; i++)
      numbers[c->near_groups.rows[i]] = c->near_groups.rows[c->near_groups.starts[g]];
  for (size_t g = 0; g < c->groups.n; g++)
    for (size_t i = c->groups.starts[g]; i < c->groups.starts[g + 1]; i++)
      numbers[c->groups.rows[i]] = numbers[c->groups.rows[c->groups.starts[g]]];
}

static int make_scores(clean *c, mien_floats *scores) {
  const size_t n = c->examples.n_rows;
  mien_model *model = NULL;
  mien_floats embeddings = {0};
  int code = MIEN_OK;
  if (!c->embeddings) code = cli_model_open(&c->data.model, command, CLI_USE_ENCODER, &model);
  if (code == MIEN_OK) code = cli_data_embed(&c->data, command, model, c->embeddings, &c->examples, &embeddings);
  mien_model_release(model);
  size_t *numbers = mien_alloc(n, sizeof *numbers);
  if (code == MIEN_OK) {
    const mien_floats_options options = {.threads = c->data.threads, .cancel = &cli_cancelled};
    if (numbers) number_texts(c, numbers);
    const mien_status status = numbers
                                   ? mien_scores_out_of_fold(&c->examples, &embeddings, numbers, (unsigned)c->n_folds,
                                                             c->data.seed, c->c, &options, scores, &c->error)
                                   : mien_fail_memory(&c->error, "rows", n * sizeof *numbers);
    if (status != MIEN_OK) code = cli_report(command, &c->error);
  }
  mien_free(numbers);
  mien_floats_free(&embeddings);
  return code;
}

static int read_scores(clean *c, mien_floats *scores) {
  const mien_status status =
      mien_floats_read(c->scores_path, c->examples.n_rows, c->examples.labels.n, &cli_cancelled, scores, &c->error);
  return status == MIEN_OK ? MIEN_OK : cli_report(command, &c->error);
}

static int find_errors(clean *c) {
  mien_floats scores = {0};
  int code = c->scores_path ? read_scores(c, &scores) : make_scores(c, &scores);
  if (code == MIEN_OK && mien_suspects_find(&c->examples, &scores, &c->suspects, &c->error) != MIEN_OK)
    code = cli_report(command, &c->error);
  c->counts.errors = c->suspects.n;
  for (size_t i = 0; code == MIEN_OK && c->errors == DROP && i < c->suspects.n; i++) drop(c, c->suspects.items[i].row);
  mien_floats_free(&scores);
  return code;
}

/* ---- The run ----------------------------------------------------------------------------------------------------- */

/* What is held out first: of equal and near texts one is kept that is not. */
static int find_all(clean *c) {
  const size_t n = c->examples.n_rows;
  c->report.dropped = c->dropped = mien_alloc(n, sizeof *c->dropped);
  mien_status status = c->dropped ? mien_normal_texts_make(c->examples.texts, n, &c->texts, &c->error)
                                  : mien_fail_memory(&c->error, "rows", n);
  if (status == MIEN_OK) status = find_groups(c);
  int code = status == MIEN_OK ? MIEN_OK : cli_report(command, &c->error);
  for (size_t i = 0; code == MIEN_OK && i < c->n_against; i++) code = find_held_out(c, c->against[i]);
  if (code != MIEN_OK) return code;
  drop_duplicates(c);
  drop_near(c);
  return wants_scores(c) ? find_errors(c) : MIEN_OK;
}

static double least_similarity(const clean *c, const size_t *rows, size_t n) {
  double least = 1;
  for (size_t i = 1; i < n; i++) {
    const double similarity =
        mien_similarity(mien_normal_text(&c->texts, rows[0]), mien_normal_text(&c->texts, rows[i]));
    least = similarity < least ? similarity : least;
  }
  return least;
}

/* All but the rows held out, now that it is known what becomes of every row. */
static mien_status report_all(clean *c) {
  mien_status status = MIEN_OK;
  size_t n;
  for (size_t g = 0; status == MIEN_OK && g < c->groups.n; g++) {
    const size_t *rows = rows_of(&c->groups, g, &n);
    status = clean_report_group(&c->report, is_conflict(c, rows, n) ? "conflict" : "duplicate", rows, n, 1);
  }
  for (size_t g = 0; status == MIEN_OK && g < c->near_groups.n; g++) {
    const size_t *rows = rows_of(&c->near_groups, g, &n);
    status = clean_report_group(&c->report, "near_duplicate", rows, n, least_similarity(c, rows, n));
  }
  for (size_t i = 0; status == MIEN_OK && i < c->suspects.n; i++)
    status = clean_report_suspect(&c->report, &c->suspects.items[i]);
  return status;
}

/* Both files are whole before one of them appears. */
static mien_status write_all(clean *c) {
  mien_status status = MIEN_OK;
  if (has_output(c)) {
    status = mien_output_open(c->data.output, &cli_cancelled, &c->output, &c->error);
    if (status == MIEN_OK) status = clean_copy(c->data.path, &c->file, &c->examples, c->dropped, c->output, &c->error);
    if (status == MIEN_OK) status = mien_output_close(c->output, &c->error);
  }
  if (status == MIEN_OK && has_report(c)) status = report_all(c);
  if (status == MIEN_OK && has_report(c)) status = mien_output_close(c->report.output, &c->error);
  if (status == MIEN_OK) status = check_cancel(c);
  if (status == MIEN_OK && has_output(c)) status = mien_output_publish(c->output, &c->error);
  if (status == MIEN_OK && has_report(c)) status = mien_output_publish(c->report.output, &c->error);
  return status;
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

/* The outputs are opened as soon as they can be: where they can't be, nothing is done. */
static mien_status start(clean *c) {
  mien_status status = clean_look(c->data.path, &c->file, &c->error);
  if (status == MIEN_OK && has_report(c))
    status = mien_output_open(c->report_path, &cli_cancelled, &c->report.output, &c->error);
  return status;
}

static int run(clean *c) {
  cli_catch_signals();
  int code = check_outputs(c);
  c->report = (clean_report){.examples = &c->examples, .error = &c->error};
  if (code == MIEN_OK && start(c) != MIEN_OK) code = cli_report(command, &c->error);
  if (code == MIEN_OK) code = cli_data_read(&c->data, command, c->data.path, NULL, &c->examples);
  if (code == MIEN_OK) code = find_all(c);
  if (code == MIEN_OK && write_all(c) != MIEN_OK) code = cli_report(command, &c->error);
  if (code == MIEN_OK && !c->data.quiet) print_summary(c);
  return code;
}

int cli_clean(int argc, char **argv) {
  clean c = {.duplicates = FIRST, .near = 0.9, .c = 10, .n_folds = 5};
  int code = parse(&c, argc, argv);
  if (code == MIEN_OK) code = c.data.help ? help() : run(&c);
  mien_output_destroy(c.output);
  mien_output_destroy(c.report.output);
  mien_examples_free(&c.examples);
  mien_normal_texts_free(&c.texts);
  mien_groups_free(&c.groups);
  mien_groups_free(&c.near_groups);
  mien_suspects_free(&c.suspects);
  mien_free(c.group_of);
  mien_free(c.dropped);
  cli_data_free(&c.data);
  return code;
}
