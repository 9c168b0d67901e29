/* SPDX-License-Identifier: Apache-2.0 */
/* The page of a report, part by part. It asks for nothing: no scripts, fonts or pictures from anywhere. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "cli/report_markup.h"

enum {
  SHOWN_PATHS = 5,
  SHOWN_IN_PAIRS = 28,  /* labels: more are no picture */
  SHOWN_CHARTS = 64,    /* of labels: a page of thousands is not read */
  SHOWN_IN_GROUPS = 12, /* columns */
};

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* ---- Head and totals --------------------------------------------------------------------------------------------- */

static void put_head(cli_markup *to, const cli_findings *report) {
  cli_markup_put(to, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                     "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                     "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
                     "'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
                     "<meta name=\"color-scheme\" content=\"light dark\">\n<title>Labels of ");
  cli_markup_name(to, report->paths[0]);
  cli_markup_put(to, "</title>\n");
  cli_report_style(to);
  cli_markup_put(to, "</head>\n<body>\n<main>\n");
}

static void put_paths(cli_markup *to, const cli_findings *report) {
  cli_markup_put(to, "<p class=\"quiet\">");
  for (size_t i = 0; i < least(report->n_paths, SHOWN_PATHS); i++) {
    cli_markup_put(to, "%s<code>", i ? ", " : "");
    cli_markup_name(to, strcmp(report->paths[i], "-") == 0 ? "stdin" : report->paths[i]);
    cli_markup_put(to, "</code>");
  }
  if (report->n_paths > SHOWN_PATHS) cli_markup_put(to, " and %zu more", report->n_paths - SHOWN_PATHS);
  cli_markup_put(to, "</p>\n");
}

static void put_total(cli_markup *to, const char *name, uint64_t count, uint64_t of) {
  char shown[CLI_SHOWN_CHARS];
  cli_markup_put(to, "<div><dt>%s</dt><dd>%s", name, cli_show_count(count, shown));
  if (of) cli_markup_put(to, "<small>%s of rows</small>", cli_show_share(cli_share(count, of), shown));
  cli_markup_put(to, "</dd></div>");
}

static void put_totals(cli_markup *to, const cli_findings *report) {
  char shown[CLI_SHOWN_CHARS];
  uint64_t truncated = 0;
  const cli_tally *tally = report->tally;
  const uint64_t labelled = cli_tally_labelled(tally);
  cli_markup_put(to, "<h1>Labels of %s rows</h1>\n", cli_show_count(tally->n_rows, shown));
  put_paths(to, report);
  cli_markup_put(to, "<dl class=\"totals\">");
  put_total(to, "Rows", tally->n_rows, 0);
  put_total(to, "Labelled", labelled, tally->n_rows);
  put_total(to, "Bad rows", tally->n_bad, tally->n_rows);
  put_total(to, "Without a label", tally->n_without, tally->n_rows);
  cli_markup_put(to, "<div><dt>Labels a row</dt><dd>%.2f</dd></div>", cli_share(tally->n_given, labelled));
  if (cli_report_truncated(report, &truncated))
    put_total(to, "Texts cut to fit", truncated, tally->n_rows);
  else
    cli_markup_put(to, "<div><dt>Texts cut to fit</dt><dd>?<small>these results do not say</small></dd></div>");
  cli_markup_put(to, "</dl>\n");
}

/* ---- Counts of labels -------------------------------------------------------------------------------------------- */

/* The end of a path that tells which: a page is for others, whom folders of this machine tell nothing. */
static const char *last_two(const char *path) {
  const char *at = strrchr(path, '/');
  while (at && at > path && at[-1] != '/') at--;
  return at ? at : path;
}

static void put_measured(cli_markup *to, const cli_findings *report) {
  char shown[CLI_SHOWN_CHARS];
  const cli_measured *measured = report->measured;
  cli_markup_put(to, "<p>How often a label is given is not how often it is true: some are given wrongly, some are "
                     "missed. ");
  if (!measured->path) {
    cli_markup_put(to, "These counts are <strong>not corrected</strong>: %s.</p>\n", report->uncorrected);
    return;
  }
  cli_markup_put(to,
                 "The corrected share is what the counts come to with the model&#39;s recall and rate of false "
                 "positives on %s labelled rows (",
                 cli_show_count(measured->n_rows, shown));
  if (measured->split[0]) {
    cli_markup_put(to, "<strong>");
    cli_markup_name(to, last_two(measured->split));
    cli_markup_put(to, "</strong>, ");
  }
  cli_markup_put(to, "as <code>");
  cli_markup_name(to, last_two(measured->path));
  cli_markup_put(to, "</code> has it), with a %.0f%% interval.", 100 * CLI_REPORT_CONFIDENCE);
  for (size_t i = 0; i < report->n_assumed; i++)
    cli_markup_put(to, "%s %s", i ? ";" : " The results do not tell, and it is assumed, that", report->assumed[i]);
  if (report->n_assumed > 0) cli_markup_put(to, ".");
  if (measured->is_tuned_on_it)
    cli_markup_put(to,
                   " Its thresholds were tuned on these very rows, which flatters it: the correction is too small.");
  cli_markup_put(to,
                 "</p>\n<p class=\"quiet\"><span class=\"key\"><svg width=\"26\" height=\"12\" aria-hidden=\"true\">"
                 "<rect class=\"raw\" width=\"26\" height=\"12\"/></svg>given</span><span class=\"key\"><svg "
                 "width=\"26\" height=\"14\" aria-hidden=\"true\"><rect class=\"interval\" y=\"6\" width=\"26\" "
                 "height=\"2\"/><rect class=\"found\" x=\"12\" width=\"3\" height=\"14\"/></svg>corrected, with "
                 "interval</span></p>\n");
}

static const char *why_not(cli_correction correction) {
  switch (correction) {
  case CLI_NO_FIGURES: return "not measured";
  case CLI_OTHER_THRESHOLD: return "measured at another threshold";
  case CLI_TOO_FEW_MEASURED: return "no labelled row to measure by";
  case CLI_INCONSISTENT: return "contradicts what was measured";
  default: return "cannot be told from chance";
  }
}

static void put_corrected(cli_markup *to, const cli_report_label *label, uint64_t labelled) {
  char shown[CLI_SHOWN_CHARS];
  if (label->correction != CLI_CORRECTED) {
    cli_markup_put(to, "<td role=\"cell\" data-name=\"corrected\" class=\"quiet\" colspan=\"2\">%s</td>",
                   why_not(label->correction));
    return;
  }
  const uint64_t rows = (uint64_t)llround(label->prevalence.estimate * (double)labelled);
  cli_markup_put(to, "<td role=\"cell\" data-name=\"corrected\"><strong>%s</strong> ",
                 cli_show_share(label->prevalence.estimate, shown));
  cli_markup_put(to, "<span class=\"quiet\">(%s)</span></td>", cli_show_count(rows, shown));
  cli_markup_put(to, "<td role=\"cell\" data-name=\"interval\">%s",
                 cli_show_share(label->prevalence.interval.low, shown));
  cli_markup_put(to, " – %s</td>", cli_show_share(label->prevalence.interval.high, shown));
}

static double widest(const cli_findings *report) {
  double most = 0;
  for (size_t i = 0; i < report->n_labels; i++) {
    const cli_report_label *label = &report->labels[i];
    most = fmax(most, cli_share(label->rows, cli_tally_labelled(report->tally)));
    if (label->correction == CLI_CORRECTED) most = fmax(most, label->prevalence.interval.high);
  }
  return most;
}

/* Tables that are laid out as other things on a phone lose what they are, unless it is said. */
static void put_counts(cli_markup *to, const cli_findings *report) {
  char shown[CLI_SHOWN_CHARS];
  const uint64_t labelled = cli_tally_labelled(report->tally);
  const double most = widest(report);
  const bool is_corrected = report->measured->path != NULL;
  cli_markup_put(to, "<h2>How often each label</h2>\n");
  put_measured(to, report);
  cli_markup_put(to,
                 "<table class=\"counts\" role=\"table\"><thead role=\"rowgroup\"><tr role=\"row\"><th "
                 "role=\"columnheader\">label</th><td role=\"cell\"></td><th role=\"columnheader\">given</th>%s"
                 "</tr></thead>\n<tbody role=\"rowgroup\">\n",
                 is_corrected ? "<th role=\"columnheader\">corrected</th><th role=\"columnheader\">interval</th>" : "");
  for (size_t i = 0; i < report->n_labels; i++) {
    const cli_report_label *label = &report->labels[i];
    const double share = cli_share(label->rows, labelled);
    cli_markup_put(to, "<tr role=\"row\"><th role=\"rowheader\">");
    cli_markup_name(to, label->name);
    cli_markup_put(to, "</th><td role=\"cell\">");
    cli_chart_bar(to, label, share, most);
    cli_markup_put(to, "</td><td role=\"cell\" data-name=\"given\">%s ", cli_show_share(share, shown));
    cli_markup_put(to, "<span class=\"quiet\">(%s)</span></td>", cli_show_count(label->rows, shown));
    if (is_corrected) put_corrected(to, label, labelled);
    cli_markup_put(to, "</tr>\n");
  }
  cli_markup_put(to, "</tbody></table>\n");
}

/* ---- Pairs ------------------------------------------------------------------------------------------------------- */

static void put_pairs(cli_markup *to, const cli_findings *report) {
  char shown[CLI_SHOWN_CHARS];
  if (report->n_pairs == 0) return;
  const size_t n = least(report->n_labels, SHOWN_IN_PAIRS);
  cli_markup_put(
      to,
      "<h2>Labels together</h2>\n<p>Of the rows with the label on the left, the share that has the one "
      "above too: the stronger the colour, the more.%s</p>\n<div class=\"wide\" role=\"region\" tabindex=\"0\" "
      "aria-label=\"Labels together\">",
      n < report->n_labels ? " Labels with the most rows." : "");
  cli_chart_pairs(to, report, n);
  cli_markup_put(to, "</div>\n<h3>Most frequent pairs</h3>\n<p class=\"quiet\">Lift: how many times as often as if one "
                     "label told nothing of the other.</p>\n<div class=\"wide\" role=\"region\" tabindex=\"0\" "
                     "aria-label=\"Most frequent pairs\"><table><thead><tr><th>pair</th><th>rows</th><th>share</th>"
                     "<th>lift</th></tr></thead>\n<tbody>\n");
  for (size_t i = 0; i < report->n_pairs; i++) {
    const cli_report_pair *pair = &report->pairs[i];
    cli_markup_put(to, "<tr><th>");
    cli_markup_name(to, report->labels[pair->a].name);
    cli_markup_put(to, " + ");
    cli_markup_name(to, report->labels[pair->b].name);
    cli_markup_put(to, "</th><td>%s</td>", cli_show_count(pair->rows, shown));
    cli_markup_put(to, "<td>%s</td><td>%.*f</td></tr>\n",
                   cli_show_share(cli_share(pair->rows, cli_tally_labelled(report->tally)), shown),
                   pair->lift < 10 ? 2 : 0, pair->lift);
  }
  cli_markup_put(to, "</tbody></table></div>\n");
}

/* ---- Scores ------------------------------------------------------------------------------------------------------ */

static void put_scores(cli_markup *to, const cli_findings *report) {
  char shown[CLI_SHOWN_CHARS];
  const cli_tally *tally = report->tally;
  const bool are_all = tally->n_scored > 0;
  if (!are_all && tally->n_given_scored == 0) return;
  const float *thresholds = report->results->thresholds;
  cli_markup_put(to, "<h2>Scores</h2>\n<p>Rows by score; heights are logarithms.%s%s%s</p>\n<div class=\"charts\">\n",
                 are_all ? ""
                         : " Of the rows that were given the label: the results have no other scores (<code>mien "
                           "label --scores all</code>).",
                 thresholds ? " The dashed line is the threshold." : "",
                 report->n_labels > SHOWN_CHARTS ? " Labels with the most rows." : "");
  for (size_t i = 0; i < least(report->n_labels, SHOWN_CHARTS); i++) {
    const cli_report_label *label = &report->labels[i];
    const uint64_t *bins = (are_all ? tally->bins : tally->given_bins) + label->label * MIEN_SCORE_BINS;
    cli_markup_put(to, "<figure><figcaption>");
    cli_markup_name(to, label->name);
    cli_markup_put(to, " <span>%s given</span></figcaption>", cli_show_count(label->rows, shown));
    cli_chart_scores(to, bins, thresholds ? &thresholds[label->label] : NULL);
    cli_markup_put(to, "</figure>\n");
  }
  cli_markup_put(to, "</div>\n");
}

/* ---- By a field -------------------------------------------------------------------------------------------------- */

static void put_time(cli_markup *to, const cli_findings *report) {
  char shown[CLI_SHOWN_CHARS];
  const cli_tally_by *by = report->tally->by;
  cli_markup_put(to,
                 "<p>A point is a %s, UTC. Shares are of what was given, not corrected; each chart has a scale of its "
                 "own.%s</p>\n<div class=\"charts\">\n<figure><figcaption>Rows <span>%s</span></figcaption>",
                 cli_time_unit_name(report->unit), report->n_labels > SHOWN_CHARTS ? " Labels with the most rows." : "",
                 cli_show_count(by->n_times, shown));
  cli_chart_time(to, report, NULL);
  cli_markup_put(to, "</figure>\n");
  for (size_t i = 0; i < least(report->n_labels, SHOWN_CHARTS); i++) {
    const cli_report_label *label = &report->labels[i];
    double low = 1, high = 0;
    if (label->rows == 0) continue;
    for (size_t j = 0; j < by->n_bins; j++) {
      const double share = cli_share(by->bins[j].counts[label->label], by->bins[j].n_rows);
      low = fmin(low, share);
      high = fmax(high, share);
    }
    cli_markup_put(to, "<figure><figcaption>");
    cli_markup_name(to, label->name);
    cli_markup_put(to, " <span>%s", cli_show_share(low, shown));
    cli_markup_put(to, " to %s</span></figcaption>", cli_show_share(high, shown));
    cli_chart_time(to, report, label);
    cli_markup_put(to, "</figure>\n");
  }
  cli_markup_put(to, "</div>\n");
}

static void put_group(cli_markup *to, const cli_findings *report, const cli_group *group, size_t n) {
  char shown[CLI_SHOWN_CHARS];
  cli_markup_put(to, "<tr><th>");
  if (group->name)
    cli_markup_put(to, "<bdi>"), cli_markup_text(to, group->name, group->bytes), cli_markup_put(to, "</bdi>");
  else
    cli_markup_put(to, "<em>other</em>");
  cli_markup_put(to, "</th><td>%s</td>", cli_show_count(group->n_rows, shown));
  for (size_t i = 0; i < n; i++)
    cli_markup_put(to, "<td>%s</td>",
                   cli_show_share(cli_share(group->counts[report->labels[i].label], group->n_rows), shown));
  cli_markup_put(to, "</tr>\n");
}

static void put_values(cli_markup *to, const cli_findings *report) {
  const cli_tally_by *by = report->tally->by;
  const size_t n = least(report->n_labels, SHOWN_IN_GROUPS);
  cli_markup_put(to,
                 "<p>Shares of the rows of each value that were given the label, not corrected.%s</p>\n<div "
                 "class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"By a field\"><table><thead><tr><th>",
                 n < report->n_labels ? " Labels with the most rows." : "");
  cli_markup_name(to, report->by);
  cli_markup_put(to, "</th><th>rows</th>");
  for (size_t i = 0; i < n; i++) {
    cli_markup_put(to, "<th>");
    cli_markup_name(to, report->labels[i].name);
    cli_markup_put(to, "</th>");
  }
  cli_markup_put(to, "</tr></thead>\n<tbody>\n");
  for (size_t i = 0; i < by->n_groups; i++) put_group(to, report, &by->groups[i], n);
  if (by->other.n_rows > 0) put_group(to, report, &by->other, n);
  cli_markup_put(to, "</tbody></table></div>\n");
}

static void put_by(cli_markup *to, const cli_findings *report) {
  char shown[CLI_SHOWN_CHARS];
  if (!report->by) return;
  const cli_tally_by *by = report->tally->by;
  const uint64_t without = cli_tally_labelled(report->tally) - (report->is_time ? by->n_times : by->n_values);
  cli_markup_put(to, "<h2>%s <code>", report->is_time ? "Over time:" : "By");
  cli_markup_name(to, report->by);
  cli_markup_put(to, "</code></h2>\n");
  if (without > 0)
    cli_markup_put(to, "<p class=\"quiet\">%s rows without %s are left out.</p>\n", cli_show_count(without, shown),
                   report->is_time ? "a time" : "a value");
  if (report->is_time)
    put_time(to, report);
  else
    put_values(to, report);
}

/* ---- Examples ---------------------------------------------------------------------------------------------------- */

static void put_example(cli_markup *to, const cli_example *example) {
  cli_markup_put(to, "<li><p dir=\"auto\"><bdi>");
  cli_markup_text(to, example->text, example->bytes);
  cli_markup_put(to, "%s</bdi></p><small>row %" PRIu64, example->is_cut ? "…" : "", example->row);
  if (!isnan(example->score)) cli_markup_put(to, ", score %.2f", (double)example->score);
  cli_markup_put(to, "</small></li>\n");
}

static void put_examples(cli_markup *to, const cli_findings *report) {
  cli_markup_put(to, "<h2>Texts</h2>\n");
  if (!report->results->has_text) {
    cli_markup_put(to, "<p>These results have no field <code>");
    cli_markup_name(to, report->text_field);
    cli_markup_put(to, "</code>: <code>mien label --keep</code> copies fields of its input.</p>\n");
    return;
  }
  cli_markup_put(to, "<p>Up to %d of each label, drawn at random of all rows with it.</p>\n<div class=\"examples\">\n",
                 CLI_EXAMPLES);
  for (size_t i = 0; i < least(report->n_labels, SHOWN_CHARTS); i++) {
    const cli_example *examples = report->tally->examples + report->labels[i].label * CLI_EXAMPLES;
    if (examples[0].bytes == 0) continue;
    cli_markup_put(to, "<section><h3>");
    cli_markup_name(to, report->labels[i].name);
    cli_markup_put(to, "</h3><ul class=\"texts\">\n");
    for (size_t j = 0; j < CLI_EXAMPLES && examples[j].bytes > 0; j++) put_example(to, &examples[j]);
    cli_markup_put(to, "</ul></section>\n");
  }
  cli_markup_put(to, "</div>\n");
}

/* ---- How it was found -------------------------------------------------------------------------------------------- */

static void put_method(cli_markup *to, const cli_findings *report) {
  cli_markup_put(to, "<h2>How this was counted</h2>\n<p>Shares are of the rows that are not bad. %s</p>\n",
                 report->is_by_thresholds ? "A row is given every label whose score is above its threshold." : "");
  if (report->measured->path)
    cli_markup_put(
        to,
        "<p>Of a share π of rows that have a label, q&nbsp;=&nbsp;π·tpr&nbsp;+&nbsp;(1&nbsp;−&nbsp;π)·fpr is "
        "given it, with tpr the recall and fpr the rate of false positives; the corrected share is "
        "π&nbsp;=&nbsp;(q&nbsp;−&nbsp;fpr)&nbsp;/&nbsp;(tpr&nbsp;−&nbsp;fpr), between 0 and 1 (Rogan and "
        "Gladen, 1978; Forman, 2008). The interval is of what the labelled rows and the counted rows leave "
        "open. It is right where texts with a label, and texts without it, look here as they did among the "
        "labelled rows, however many there are (label shift: Saerens, Latinne and Decaestecker, 2002). A count "
        "that contradicts what was measured, below what false positives alone come to or above what all rows would be "
        "given, says that they do not. Where "
        "texts are of another kind, no interval says by how much they differ: label some rows and use "
        "<code>mien evaluate</code>.</p>\n");
  cli_markup_put(to,
                 "<p class=\"quiet\">Written by mien %s, which needs no network to make this page, nor the page to "
                 "be read.</p>\n</main>\n</body>\n</html>\n",
                 mien_version());
}

mien_status cli_report_page(const cli_findings *report, mien_buffer *page, mien_error *error) {
  cli_markup to = {.out = page};
  put_head(&to, report);
  put_totals(&to, report);
  put_counts(&to, report);
  put_by(&to, report);
  put_pairs(&to, report);
  put_scores(&to, report);
  put_examples(&to, report);
  put_method(&to, report);
  return to.failed ? mien_fail_memory(error, "report", page->size) : MIEN_OK;
}
