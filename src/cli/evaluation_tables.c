/* SPDX-License-Identifier: Apache-2.0 */
/* An evaluation as tables, aligned for a terminal or in Markdown. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "cli/evaluation_print.h"
#include "cli/table.h"
#include "corpus/inputs.h"

const char *const cli_average_names[4] = {"micro", "macro", "weighted by support", "samples"};
const char *const cli_average_keys[4] = {"micro avg", "macro avg", "weighted avg", "samples avg"};
const char *const cli_prf_names[3] = {"precision", "recall", "F1"};
const char *const cli_prf_keys[3] = {"precision", "recall", "f1-score"};
const char *const cli_score_names[CLI_SCORE_FIGURES] = {"ROC AUC", "average precision", "Brier score",
                                                        "expected calibration error"};
const char *const cli_score_keys[CLI_SCORE_FIGURES] = {"roc_auc", "average_precision", "brier_score",
                                                       "expected_calibration_error"};

enum { SHOWN_TEXT_BYTES = 120, SHOWN_LABELS_BYTES = 200 };

typedef struct printer {
  const cli_evaluation_print *print;
  FILE *out;
  bool is_markdown, failed;
} printer;

/* ---- Parts --------------------------------------------------------------------------------------------------------
 */

/* "thresholds per label, macro average (tuned on this very data: flattering)". */
static void print_heading(printer *to, const char *what, const char *title, const cli_scheme *scheme) {
  fprintf(to->out, "\n%s%s%s%s%s\n", to->is_markdown ? "### " : "", what, title ? ", " : "", title ? title : "",
          scheme && scheme->is_tuned ? " (" CLI_TUNED_HERE ")" : "");
  if (to->is_markdown) fputc('\n', to->out);
}

static void print_table(printer *to, cli_table *table) {
  to->failed |= !cli_table_print(table, to->out, to->is_markdown);
  cli_table_free(table);
}

/* How figures are shown. */
enum { USUAL = 3, SMALL = 4 }; /* digits: Brier scores and calibration errors are small */

static int digits_of(size_t score_figure) { return score_figure < CLI_BRIER ? USUAL : SMALL; }

static void add_figure(cli_table *table, double figure, int digits) {
  if (isnan(figure))
    cli_table_add(table, "%s", "-");
  else
    cli_table_add(table, "%.*f", digits, figure);
}

static void add_interval(cli_table *table, mien_interval interval, int digits) {
  if (isnan(interval.low))
    cli_table_add(table, "%s", "-");
  else
    cli_table_add(table, "%.*f to %.*f", digits, interval.low, digits, interval.high);
}

/* With signs. */
static void add_difference(cli_table *table, const cli_difference *found, int digits, bool has_interval) {
  if (isnan(found->difference))
    cli_table_add(table, "%s", "-");
  else
    cli_table_add(table, "%+.*f", digits, found->difference);
  if (!has_interval) return;
  if (isnan(found->interval.low)) {
    cli_table_add(table, "%s", "-");
    cli_table_add(table, "%s", "-");
    return;
  }
  cli_table_add(table, "%+.*f to %+.*f", digits, found->interval.low, digits, found->interval.high);
  cli_table_add(table, "%.1f%%", 100 * found->share_above);
}

static void start_figures(printer *to, cli_table *table, const char *first) {
  const char *const headings[] = {first, "figure", "95% interval"};
  cli_table_start(table, 1, headings, to->print->evaluation->has_intervals ? 3 : 2);
}

static void add_with_interval(printer *to, cli_table *table, const char *name, double figure,
                              const mien_interval *interval, int digits) {
  cli_table_add(table, "%s", name);
  add_figure(table, figure, digits);
  if (to->print->evaluation->has_intervals) add_interval(table, *interval, digits);
}

/* ---- Summaries ----------------------------------------------------------------------------------------------------
 */

/* Precision, recall and F1 of one average. */
static void print_average(printer *to, const cli_scheme *scheme, size_t average) {
  char title[64];
  cli_table table;
  snprintf(title, sizeof title, average == 2 ? "%s" : "%s average", cli_average_names[average]);
  print_heading(to, scheme->title, title, scheme);
  start_figures(to, &table, "");
  for (size_t i = 0; i < 3; i++) {
    const size_t at = 3 * average + i;
    add_with_interval(to, &table, cli_prf_names[i], cli_scheme_figures(scheme)[at],
                      scheme->intervals ? &scheme->intervals[at] : NULL, USUAL);
  }
  print_table(to, &table);
}

/* What the summaries leave out. */
static void print_rest(printer *to, const cli_scheme *scheme, bool has_weighted) {
  cli_table table;
  char name[64];
  print_heading(to, scheme->title, "other averages", scheme);
  start_figures(to, &table, "");
  for (size_t at = 0; at < CLI_SUBSET_ACCURACY; at++) {
    const size_t average = at / 3;
    if (average == 1 || (average == 2 && has_weighted)) continue;
    snprintf(name, sizeof name, "%s, %s", cli_prf_names[at % 3], cli_average_names[average]);
    add_with_interval(to, &table, name, cli_scheme_figures(scheme)[at],
                      scheme->intervals ? &scheme->intervals[at] : NULL, USUAL);
  }
  add_with_interval(to, &table, "subset accuracy", scheme->averages.subset_accuracy,
                    scheme->intervals ? &scheme->intervals[CLI_SUBSET_ACCURACY] : NULL, USUAL);
  print_table(to, &table);
}

static void print_scores(printer *to) {
  const cli_evaluation *evaluation = to->print->evaluation;
  cli_table table;
  char name[96];
  print_heading(to, "The scores themselves", "means over labels", NULL);
  start_figures(to, &table, "");
  for (size_t i = 0; i < CLI_SCORE_FIGURES; i++) {
    const size_t n = evaluation->n_means[i], all = evaluation->scored.n_labels;
    const int length = snprintf(name, sizeof name, "%s", cli_score_names[i]);
    if (i == CLI_CALIBRATION_ERROR)
      snprintf(name + length, sizeof name - (size_t)length, ", %d bins of equal width", MIEN_CALIBRATION_BINS);
    else if (n < all)
      snprintf(name + length, sizeof name - (size_t)length, ", of %zu of %zu labels", n, all);
    add_with_interval(to, &table, name, cli_score_figures(evaluation)[i], &evaluation->score_intervals[i],
                      digits_of(i));
  }
  print_table(to, &table);
}

/* ---- Labels -------------------------------------------------------------------------------------------------------
 */

static void print_labels(printer *to, const cli_scheme *scheme) {
  static const char *const headings[] = {"label",   "f1",        "precision", "recall",
                                         "support", "threshold", "avg prec",  "ROC AUC"};
  const cli_evaluation *evaluation = to->print->evaluation;
  cli_table table;
  print_heading(to, scheme->title, "every label", scheme);
  cli_table_start(&table, 1, headings, sizeof headings / sizeof *headings);
  for (size_t l = 0; l < evaluation->scored.n_labels; l++) {
    const mien_prf prf = mien_prf_of(scheme->labels[l]);
    cli_table_add(&table, "%s", evaluation->labels->names[l]);
    add_figure(&table, prf.f1, USUAL);
    add_figure(&table, prf.precision, USUAL);
    add_figure(&table, prf.recall, USUAL);
    cli_table_add(&table, "%" PRIu64, mien_support(scheme->labels[l]));
    cli_table_add(&table, "%.4g", (double)scheme->thresholds[l]);
    add_figure(&table, evaluation->label_scores[l].average_precision, USUAL);
    add_figure(&table, evaluation->label_scores[l].roc_auc, USUAL);
  }
  print_table(to, &table);
}

static void print_schemes(printer *to) {
  const cli_evaluation *evaluation = to->print->evaluation;
  for (size_t i = 0; i < evaluation->n_schemes; i++) {
    const cli_scheme *scheme = &evaluation->schemes[i];
    print_average(to, scheme, CLI_MACRO / 3);
    if (strcmp(scheme->name, "fixed_0.5") != 0) print_average(to, scheme, CLI_WEIGHTED / 3);
  }
  for (size_t i = 0; i < evaluation->n_schemes; i++)
    print_rest(to, &evaluation->schemes[i], strcmp(evaluation->schemes[i].name, "fixed_0.5") != 0);
  print_scores(to);
  for (size_t i = 0; i < evaluation->n_schemes; i++) print_labels(to, &evaluation->schemes[i]);
}

/* ---- Mistakes -----------------------------------------------------------------------------------------------------
 */

/* The names of a row's labels, joined and cut. */
static void join_labels(const cli_evaluation *evaluation, size_t row, char out[SHOWN_LABELS_BYTES]) {
  char joined[2 * SHOWN_LABELS_BYTES] = "";
  for (size_t l = 0; l < evaluation->scored.n_labels; l++) {
    const size_t at = strlen(joined);
    if (!mien_scored_is_true(&evaluation->scored, row, l)) continue;
    snprintf(joined + at, sizeof joined - at, "%s%s", at ? ", " : "", evaluation->labels->names[l]);
  }
  (void)mien_utf8_clean(joined, strlen(joined), out, SHOWN_LABELS_BYTES);
}

static void print_mistakes(printer *to, const char *title, const cli_mistake *mistakes, size_t n) {
  const cli_evaluation *evaluation = to->print->evaluation;
  const cli_scheme *scheme = to->print->mistakes->scheme;
  const mien_examples *examples = to->print->examples;
  static const char *const headings[] = {"label", "line", "labels of the data", "score", "threshold", "text"};
  cli_table table;
  print_heading(to, scheme->title, title, scheme);
  /* The text is last and of any length: on the left, as the first three are. */
  cli_table_start(&table, 3, headings, examples->has_texts ? 6 : 5);
  for (size_t i = 0; i < n; i++) {
    char labels[SHOWN_LABELS_BYTES], text[SHOWN_TEXT_BYTES];
    const mien_text *shown = &examples->texts[mistakes[i].row];
    join_labels(evaluation, mistakes[i].row, labels);
    cli_table_add(&table, "%s", evaluation->labels->names[mistakes[i].label]);
    cli_table_add(&table, "%" PRIu64, examples->lines[mistakes[i].row]);
    cli_table_add(&table, "%s", labels);
    cli_table_add(&table, "%.3f", (double)mistakes[i].score);
    cli_table_add(&table, "%.4g", (double)scheme->thresholds[mistakes[i].label]);
    if (examples->has_texts) cli_table_add(&table, "%s", mien_utf8_clean(shown->bytes, shown->size, text, sizeof text));
  }
  table.is_last_left = true;
  print_table(to, &table);
}

static void print_confusions(printer *to) {
  const cli_mistakes *mistakes = to->print->mistakes;
  const mien_label_set *labels = to->print->evaluation->labels;
  static const char *const headings[] = {"not given", "given instead", "rows"};
  cli_table table;
  print_heading(to, mistakes->scheme->title, "labels given in place of others", mistakes->scheme);
  cli_table_start(&table, 2, headings, 3);
  for (size_t i = 0; i < mistakes->n_confusions; i++) {
    cli_table_add(&table, "%s", labels->names[mistakes->confusions[i].missed]);
    cli_table_add(&table, "%s", labels->names[mistakes->confusions[i].given]);
    cli_table_add(&table, "%" PRIu32, mistakes->confusions[i].n_rows);
  }
  print_table(to, &table);
}

/* ---- A comparison -------------------------------------------------------------------------------------------------
 */

static void print_difference(printer *to, cli_table *table, const char *name, double first, double second,
                             const cli_difference *found, int digits) {
  cli_table_add(table, "%s", name);
  add_figure(table, first, digits);
  add_figure(table, second, digits);
  add_difference(table, found, digits, to->print->evaluation->has_intervals);
}

static void start_comparison(printer *to, cli_table *table) {
  static const char *const headings[] = {"", "A", "B", "B - A", "95% interval", "B is higher in"};
  cli_table_start(table, 1, headings, to->print->evaluation->has_intervals ? 6 : 4);
}

static void print_comparison(printer *to) {
  const cli_evaluation *first = to->print->evaluation, *second = to->print->other;
  const cli_difference *differences = to->print->comparison->differences;
  cli_table table;
  char name[64];
  for (size_t i = 0; i < first->n_schemes; i++) {
    const cli_scheme *scheme = &first->schemes[i];
    const cli_scheme either = {.is_tuned = scheme->is_tuned || second->schemes[i].is_tuned};
    print_heading(to, scheme->title, NULL, &either);
    start_comparison(to, &table);
    for (size_t at = 0; at < CLI_SCHEME_FIGURES; at++) {
      snprintf(name, sizeof name, "%s, %s", cli_prf_names[at % 3], cli_average_names[at / 3 % 4]);
      print_difference(to, &table, at == CLI_SUBSET_ACCURACY ? "subset accuracy" : name, cli_scheme_figures(scheme)[at],
                       cli_scheme_figures(&second->schemes[i])[at], &differences[cli_comparison_place(i, at)], USUAL);
    }
    print_table(to, &table);
  }
  print_heading(to, "The scores themselves", "means over labels", NULL);
  start_comparison(to, &table);
  for (size_t at = 0; at < CLI_SCORE_FIGURES; at++)
    print_difference(to, &table, cli_score_names[at], cli_score_figures(first)[at], cli_score_figures(second)[at],
                     &differences[cli_comparison_place(first->n_schemes, at)], digits_of(at));
  print_table(to, &table);
}

/* ---- All of it ----------------------------------------------------------------------------------------------------
 */

static void print_opening(printer *to) {
  const cli_evaluation_print *print = to->print;
  const mien_scored *scored = &print->evaluation->scored;
  const double support = (double)print->evaluation->schemes[0].averages.support;
  const char *end = to->is_markdown ? "  \n" : "\n"; /* a line of its own */
  mien_error line;                                   /* a message has no control characters, whatever names have */
  (void)mien_fail(&line, MIEN_OK, "%s: %zu rows, %zu labels, %.2f of them on a row", mien_input_name(print->data),
                  scored->n_rows, scored->n_labels, support / (double)scored->n_rows);
  fprintf(to->out, "%s%s", line.message, end);
  for (size_t i = 0; i < 2 && print->other; i++) {
    (void)mien_fail(&line, MIEN_OK, "%c: %s", i ? 'B' : 'A', print->names[i]);
    fprintf(to->out, "%s%s", line.message, end);
  }
  if (print->evaluation->has_intervals)
    fprintf(to->out, "95%% intervals: %zu resamples of the rows, seed %" PRIu64 "%s\n", print->bootstrap->resamples,
            print->bootstrap->seed, print->other ? ", the same for both" : "");
}

mien_status cli_evaluation_print_tables(const cli_evaluation_print *print, FILE *out, mien_error *error) {
  printer to = {.print = print, .out = out, .is_markdown = print->format == CLI_EVALUATION_MARKDOWN};
  print_opening(&to);
  if (print->other)
    print_comparison(&to);
  else
    print_schemes(&to);
  if (print->mistakes) {
    print_mistakes(&to, "wrongly given, the highest scores", print->mistakes->given, print->mistakes->n_given);
    print_mistakes(&to, "wrongly not given, the lowest scores", print->mistakes->missed, print->mistakes->n_missed);
    print_confusions(&to);
  }
  return to.failed ? mien_fail_memory(error, "tables", 0) : MIEN_OK;
}
