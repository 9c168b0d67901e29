/* SPDX-License-Identifier: Apache-2.0 */
/* HTML that grows: markup of our own, and texts of others, which are escaped. */
#ifndef MIEN_CLI_REPORT_MARKUP_H
#define MIEN_CLI_REPORT_MARKUP_H

#include "cli/report.h"

/* Without memory `failed` is set and nothing is added any more. */
typedef struct cli_markup {
  mien_buffer *out;
  bool failed;
} cli_markup;

/* Our own markup; of arguments, numbers and names that we chose. */
__attribute__((format(printf, 2, 3))) void cli_markup_put(cli_markup *to, const char *format, ...);

/* Any bytes, as text or as the value of an attribute in quotes: what is no UTF-8 and control characters that HTML has
 * not are U+FFFD. */
void cli_markup_text(cli_markup *to, const char *bytes, size_t size);
void cli_markup_name(cli_markup *to, const char *name);

enum { CLI_SHOWN_CHARS = 32 };

/* "1,234,567". */
const char *cli_show_count(uint64_t count, char out[CLI_SHOWN_CHARS]);

/* "12.3%", "0.45%"; two figures of what is small. */
const char *cli_show_share(double share, char out[CLI_SHOWN_CHARS]);

/* rows / of, 0 for no rows. */
double cli_share(uint64_t rows, uint64_t of);

/* ---- Parts of the page that are drawn -----------------------------------------------------------------------------
 */

/* The looks of the page, in light, dark and print. */
void cli_report_style(cli_markup *to);

/* A label's count as a bar, the corrected one with its interval over it; both are shares, `most` is the whole width. */
void cli_chart_bar(cli_markup *to, const cli_report_label *label, double share, double most);

/* How often the labels of columns [n] are on the rows of others. */
void cli_chart_pairs(cli_markup *to, const cli_findings *report, size_t n);

/* Rows by score [MIEN_SCORE_BINS]; threshold: NULL where it is not known. */
void cli_chart_scores(cli_markup *to, const uint64_t *bins, const float *threshold);

/* A label's share of the rows over time, or with NULL the rows. */
void cli_chart_time(cli_markup *to, const cli_findings *report, const cli_report_label *label);

#endif
