/* SPDX-License-Identifier: Apache-2.0 */
/* The charts of a report, as SVG in the page. Places and sizes are attributes, never styles: a security policy that
 * forbids styles in the markup leaves them as they are. */
#include <math.h>

#include "cli/report_markup.h"

/* ---- Counts of labels -------------------------------------------------------------------------------------------- */

void cli_chart_bar(cli_markup *to, const cli_report_label *label, double share, double most) {
  enum { WIDTH = 240, HEIGHT = 18 };
  const double scale = most > 0 ? WIDTH / most : 0;
  cli_markup_put(to,
                 "<svg class=\"bar\" viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
                 "<rect class=\"raw\" x=\"0\" y=\"3\" width=\"%.2f\" height=\"12\"/>",
                 WIDTH, HEIGHT, share * scale);
  if (label->correction == CLI_CORRECTED) {
    const double low = label->prevalence.interval.low * scale, high = label->prevalence.interval.high * scale;
    cli_markup_put(to,
                   "<rect class=\"interval\" x=\"%.2f\" y=\"8\" width=\"%.2f\" height=\"2\"/>"
                   "<rect class=\"found\" x=\"%.2f\" y=\"2\" width=\"3\" height=\"14\"/>",
                   low, fmax(high - low, 1), fmin(fmax(label->prevalence.estimate * scale - 1.5, 0), WIDTH - 3));
  }
  cli_markup_put(to, "</svg>");
}

/* ---- Pairs ------------------------------------------------------------------------------------------------------- */

enum { CELL = 18, MARGIN = 130 };

static void name_pairs(cli_markup *to, const cli_findings *report, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const size_t middle = MARGIN + i * CELL + CELL / 2;
    cli_markup_put(to, "<text x=\"%d\" y=\"%zu\" class=\"end\">", MARGIN - 6, middle + 4);
    cli_markup_name(to, report->labels[i].name);
    cli_markup_put(to, "</text><text transform=\"translate(%zu %d) rotate(-90)\">", middle + 4, MARGIN - 6);
    cli_markup_name(to, report->labels[i].name);
    cli_markup_put(to, "</text>");
  }
}

void cli_chart_pairs(cli_markup *to, const cli_findings *report, size_t n) {
  char percent[CLI_SHOWN_CHARS];
  const size_t size = MARGIN + n * CELL;
  cli_markup_put(
      to,
      "<svg class=\"pairs\" width=\"%zu\" height=\"%zu\" viewBox=\"0 0 %zu %zu\" role=\"img\" "
      "aria-label=\"How often the label of a column is on the rows of another; the most frequent pairs are in "
      "the table below\">",
      size, size, size, size);
  name_pairs(to, report, n);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) {
      const cli_report_label *a = &report->labels[i], *b = &report->labels[j];
      const uint64_t rows = i == j ? 0 : cli_tally_pair(report->tally, a->label, b->label);
      cli_markup_put(to, "<rect class=\"%s\" x=\"%zu\" y=\"%zu\" width=\"%d\" height=\"%d\"",
                     i == j ? "same"
                     : rows ? "cell"
                            : "none",
                     MARGIN + j * CELL, MARGIN + i * CELL, CELL - 1, CELL - 1);
      if (!rows) {
        cli_markup_put(to, "/>");
        continue;
      }
      /* Square roots, as few pairs are frequent. */
      cli_markup_put(to, " fill-opacity=\"%.3f\"><title>", 0.08 + 0.92 * sqrt(cli_share(rows, a->rows)));
      cli_markup_name(to, b->name);
      cli_markup_put(to, " on %s of ", cli_show_share(cli_share(rows, a->rows), percent));
      cli_markup_name(to, a->name);
      cli_markup_put(to, "</title></rect>");
    }
  cli_markup_put(to, "</svg>");
}

/* ---- Scores ------------------------------------------------------------------------------------------------------ */

enum { CHART_WIDTH = 240, CHART_HEIGHT = 74, CHART_BASE = 60 };

static void start_chart(cli_markup *to, const char *what) {
  cli_markup_put(to, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">", CHART_WIDTH, CHART_HEIGHT, what);
}

static void end_chart(cli_markup *to, const char *first, const char *last) {
  cli_markup_put(to,
                 "<line class=\"axis\" x1=\"0\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/><text x=\"0\" y=\"%d\">%s</text>"
                 "<text class=\"end\" x=\"%d\" y=\"%d\">%s</text></svg>",
                 CHART_WIDTH, CHART_BASE, CHART_BASE, CHART_HEIGHT - 3, first, CHART_WIDTH, CHART_HEIGHT - 3, last);
}

/* Of scores most are near 0: heights are logarithms. */
void cli_chart_scores(cli_markup *to, const uint64_t *bins, const float *threshold) {
  char count[CLI_SHOWN_CHARS];
  uint64_t most = 1;
  for (size_t i = 0; i < MIEN_SCORE_BINS; i++) most = bins[i] > most ? bins[i] : most;
  start_chart(to, "Rows by score from 0 to 1");
  const double width = (double)CHART_WIDTH / MIEN_SCORE_BINS;
  for (size_t i = 0; i < MIEN_SCORE_BINS; i++) {
    if (!bins[i]) continue;
    const double height = (CHART_BASE - 4) * log1p((double)bins[i]) / log1p((double)most);
    cli_markup_put(to,
                   "<rect class=\"raw\" x=\"%.1f\" y=\"%.2f\" width=\"%.1f\" height=\"%.2f\"><title>%.2f to %.2f: %s "
                   "rows</title></rect>",
                   (double)i * width + 0.5, CHART_BASE - height, width - 1, height, (double)i / MIEN_SCORE_BINS,
                   (double)(i + 1) / MIEN_SCORE_BINS, cli_show_count(bins[i], count));
  }
  if (threshold)
    cli_markup_put(to, "<line class=\"threshold\" x1=\"%.2f\" x2=\"%.2f\" y1=\"0\" y2=\"%d\"/>",
                   (double)*threshold * CHART_WIDTH, (double)*threshold * CHART_WIDTH, CHART_BASE);
  end_chart(to, "0", "1");
}

/* ---- Time -------------------------------------------------------------------------------------------------------- */

static double value_of(const cli_group *bin, const cli_report_label *label) {
  return label ? cli_share(bin->counts[label->label], bin->n_rows) : (double)bin->n_rows;
}

static void draw_points(cli_markup *to, const cli_findings *report, const cli_report_label *label, double most) {
  char name[CLI_TIME_CHARS], shown[CLI_SHOWN_CHARS];
  const cli_tally_by *by = report->tally->by;
  const int64_t first = by->bins[0].start, span = by->bins[by->n_bins - 1].start - first;
  for (int points = 0; points < 2; points++) {
    if (!points) cli_markup_put(to, "<polyline class=\"line\" points=\"");
    for (size_t i = 0; i < by->n_bins; i++) {
      const cli_group *bin = &by->bins[i];
      /* No line leads over a time without rows. */
      if (!points && i > 0 && bin->start != cli_time_next(report->unit, bin[-1].start))
        cli_markup_put(to, "\"/><polyline class=\"line\" points=\"");
      const double value = value_of(bin, label);
      const double x = span ? 3 + (CHART_WIDTH - 6) * ((double)(bin->start - first) / (double)span) : CHART_WIDTH / 2.0;
      const double y = CHART_BASE - (most > 0 ? (CHART_BASE - 6) * value / most : 0);
      if (!points) {
        cli_markup_put(to, "%.2f,%.2f ", x, y);
        continue;
      }
      cli_time_show(report->unit, bin->start, name);
      cli_markup_put(to, "<circle class=\"point\" cx=\"%.2f\" cy=\"%.2f\" r=\"%s\"><title>%s: %s</title></circle>", x,
                     y, by->n_bins > 40 ? "1.2" : "2", name,
                     label ? cli_show_share(value, shown) : cli_show_count(bin->n_rows, shown));
    }
    if (!points) cli_markup_put(to, "\"/>");
  }
}

void cli_chart_time(cli_markup *to, const cli_findings *report, const cli_report_label *label) {
  char first[CLI_TIME_CHARS], last[CLI_TIME_CHARS];
  const cli_tally_by *by = report->tally->by;
  double most = 0;
  for (size_t i = 0; i < by->n_bins; i++) most = fmax(most, value_of(&by->bins[i], label));
  start_chart(to, label ? "Share of rows over time" : "Rows over time");
  draw_points(to, report, label, most);
  cli_time_show(report->unit, by->bins[0].start, first);
  cli_time_show(report->unit, by->bins[by->n_bins - 1].start, last);
  end_chart(to, first, by->n_bins > 1 ? last : "");
}
