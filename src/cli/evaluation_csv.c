/* SPDX-License-Identifier: Apache-2.0 */
/* An evaluation as CSV: a line a label and a line an average of every scheme; of a comparison a line a figure. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/number.h"
#include "cli/evaluation_print.h"

/* RFC 4180. */
static void print_text(FILE *out, const char *text) {
  if (!strpbrk(text, ",\"\r\n")) {
    fputs(text, out);
    return;
  }
  fputc('"', out);
  for (; *text; text++) fprintf(out, *text == '"' ? "\"\"" : "%c", *text);
  fputc('"', out);
}

/* Behind a comma; nothing where there is no figure. */
static void print_number(FILE *out, double figure) {
  if (isnan(figure))
    fputc(',', out);
  else
    fprintf(out, ",%.15g", figure);
}

static void print_interval(FILE *out, const mien_interval *interval) {
  print_number(out, interval ? interval->low : NAN);
  print_number(out, interval ? interval->high : NAN);
}

/* ---- Schemes ------------------------------------------------------------------------------------------------------
 */

static void print_prf(FILE *out, const cli_scheme *scheme, const char *kind, const char *name, const double *prf,
                      uint64_t support) {
  fprintf(out, "%s,%s,%s,", scheme->name, scheme->is_tuned ? "true" : "false", kind);
  print_text(out, name);
  for (size_t i = 0; i < 3; i++) print_number(out, prf[i]);
  fprintf(out, ",%" PRIu64, support);
}

static void print_label(FILE *out, const cli_evaluation *evaluation, const cli_scheme *scheme, size_t label) {
  const mien_prf prf = mien_prf_of(scheme->labels[label]);
  char threshold[MIEN_NUMBER_CHARS];
  print_prf(out, scheme, "label", evaluation->labels->names[label], &prf.precision,
            mien_support(scheme->labels[label]));
  print_interval(out, scheme->intervals ? &scheme->intervals[CLI_SCHEME_FIGURES + label] : NULL);
  fprintf(out, ",%.*s", (int)mien_format_float(threshold, scheme->thresholds[label]), threshold);
  for (size_t i = 0; i < CLI_SCORE_FIGURES; i++) print_number(out, (&evaluation->label_scores[label].roc_auc)[i]);
  fputc('\n', out);
}

static void print_averages(FILE *out, const cli_evaluation *evaluation, const cli_scheme *scheme) {
  for (size_t i = 0; i < 4; i++) {
    print_prf(out, scheme, "average", cli_average_keys[i], cli_scheme_figures(scheme) + 3 * i,
              scheme->averages.support);
    print_interval(out, scheme->intervals ? &scheme->intervals[3 * i + 2] : NULL);
    fputc(',', out);
    /* Those of the scores are means over labels. */
    for (size_t j = 0; j < CLI_SCORE_FIGURES; j++)
      print_number(out, 3 * i == CLI_MACRO ? cli_score_figures(evaluation)[j] : NAN);
    fputc('\n', out);
  }
}

static void print_schemes(FILE *out, const cli_evaluation *evaluation) {
  fputs("scheme,tuned_on_this_data,kind,name,precision,recall,f1-score,support,f1-score_low,f1-score_high,threshold",
        out);
  for (size_t i = 0; i < CLI_SCORE_FIGURES; i++) fprintf(out, ",%s", cli_score_keys[i]);
  fputc('\n', out);
  for (size_t i = 0; i < evaluation->n_schemes; i++) {
    for (size_t l = 0; l < evaluation->scored.n_labels; l++) print_label(out, evaluation, &evaluation->schemes[i], l);
    print_averages(out, evaluation, &evaluation->schemes[i]);
  }
}

/* ---- A comparison -------------------------------------------------------------------------------------------------
 */

static void print_difference(FILE *out, const cli_evaluation_print *print, double a, double b,
                             const cli_difference *found) {
  const bool has = print->evaluation->has_intervals;
  print_number(out, a);
  print_number(out, b);
  print_number(out, found->difference);
  print_interval(out, has ? &found->interval : NULL);
  print_number(out, has ? found->share_above : NAN);
  fputc('\n', out);
}

static void print_comparison(FILE *out, const cli_evaluation_print *print) {
  const cli_evaluation *first = print->evaluation, *second = print->other;
  const cli_difference *found = print->comparison->differences;
  fputs("scheme,tuned_on_this_data,average,figure,a,b,difference,low,high,share_above\n", out);
  for (size_t i = 0; i < first->n_schemes; i++) {
    const bool is_tuned = first->schemes[i].is_tuned || second->schemes[i].is_tuned;
    for (size_t at = 0; at < CLI_SCHEME_FIGURES; at++) {
      const bool is_average = at < CLI_SUBSET_ACCURACY;
      fprintf(out, "%s,%s,%s,%s", first->schemes[i].name, is_tuned ? "true" : "false",
              is_average ? cli_average_keys[at / 3] : "", is_average ? cli_prf_keys[at % 3] : "subset_accuracy");
      print_difference(out, print, cli_scheme_figures(&first->schemes[i])[at],
                       cli_scheme_figures(&second->schemes[i])[at], &found[cli_comparison_place(i, at)]);
    }
  }
  for (size_t at = 0; at < CLI_SCORE_FIGURES; at++) {
    fprintf(out, "scores,false,mean,%s", cli_score_keys[at]);
    print_difference(out, print, cli_score_figures(first)[at], cli_score_figures(second)[at],
                     &found[cli_comparison_place(first->n_schemes, at)]);
  }
}

mien_status cli_evaluation_print_csv(const cli_evaluation_print *print, FILE *out, mien_error *error) {
  (void)error;
  if (print->other)
    print_comparison(out, print);
  else
    print_schemes(out, print->evaluation);
  return MIEN_OK;
}
