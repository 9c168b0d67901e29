/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of mien calibrate, and its reliability diagrams. */
#include "cli/calibration.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/json_build.h"
#include "cli/table.h"

__attribute__((format(printf, 2, 3))) static bool add(mien_buffer *out, const char *format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  const int length = vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return length >= 0 && (size_t)length < sizeof text && mien_buffer_append(out, text, (size_t)length);
}

static const char *note_of(mien_platt_result result) {
  static const char *const notes[] = {"", "left as it is: all rows have the label, or none",
                                      "left as it is: its scores fall where rows have it"};
  return notes[result];
}

/* ---- Tables ------------------------------------------------------------------------------------------------------ */

static bool print_table(const calibration *c, bool is_markdown, FILE *out) {
  static const char *const headings[] = {
      "label",          "a",   "c", "ECE before", "ECE after", "ECE held out", "Brier before", "Brier after",
      "Brier held out", "note"};
  const size_t n = c->examples->labels.n;
  cli_table table;
  fprintf(out,
          "Platt scaling of %zu labels on %zu rows. ECE: expected calibration error, %d bins of equal width.\n"
          "after: on the very rows that scalings were fitted on, which flatters; held out: each row by scalings that\n"
          "were fitted without it.\n\n",
          n, c->examples->n_rows, MIEN_CALIBRATION_BINS);
  cli_table_start(&table, 1, headings, sizeof headings / sizeof *headings);
  table.is_last_left = true;
  for (size_t l = 0; l <= n; l++) {
    const calibration_figures *f = calibration_of(c, l);
    cli_table_add(&table, "%s", l < n ? c->examples->labels.names[l] : "mean");
    for (int i = 0; i < 2; i++) {
      if (l < n)
        cli_table_add(&table, "%.3f", i ? c->scalings[l].c : c->scalings[l].a);
      else
        cli_table_add(&table, "%s", "");
    }
    for (int i = 0; i < 3; i++) cli_table_add(&table, "%.4f", f[i].calibration_error);
    for (int i = 0; i < 3; i++) cli_table_add(&table, "%.4f", f[i].brier);
    cli_table_add(&table, "%s", l < n ? note_of(c->scalings[l].result) : "");
  }
  const bool done = cli_table_print(&table, out, is_markdown);
  cli_table_free(&table);
  return done;
}

static bool print_csv(const calibration *c, FILE *out) {
  const size_t n = c->examples->labels.n;
  mien_buffer text = {0};
  bool done = add(&text, "label,a,c,ece_before,ece_after,ece_held_out,brier_before,brier_after,brier_held_out,note\n");
  for (size_t l = 0; done && l <= n; l++) {
    const char *name = l < n ? c->examples->labels.names[l] : "mean";
    const calibration_figures *f = calibration_of(c, l);
    done = mien_buffer_append_csv(&text, name, strlen(name));
    done = done && (l < n ? add(&text, ",%.17g,%.17g", c->scalings[l].a, c->scalings[l].c) : add(&text, ",,"));
    for (int i = 0; done && i < 3; i++) done = add(&text, ",%.9g", f[i].calibration_error);
    for (int i = 0; done && i < 3; i++) done = add(&text, ",%.9g", f[i].brier);
    done = done && add(&text, ",%s\n", l < n ? note_of(c->scalings[l].result) : "");
  }
  if (done) fwrite(text.bytes, 1, text.size, out);
  mien_buffer_free(&text);
  return done;
}

static json_t *json_of_figures(cli_json *to, const calibration_figures *f) {
  static const char *const names[] = {"before", "after", "held_out"};
  json_t *object = json_object();
  for (int i = 0; i < 3; i++) {
    json_t *one = json_object();
    cli_json_set(to, one, "expected_calibration_error", json_real(f[i].calibration_error));
    cli_json_set(to, one, "brier", json_real(f[i].brier));
    cli_json_set(to, object, names[i], one);
  }
  return object;
}

static bool print_json(const calibration *c, FILE *out) {
  const size_t n = c->examples->labels.n;
  cli_json to = {0};
  json_t *object = json_object(), *labels = json_object();
  for (size_t l = 0; l < n; l++) {
    json_t *label = json_of_figures(&to, calibration_of(c, l));
    cli_json_set(&to, label, "a", json_real(c->scalings[l].a));
    cli_json_set(&to, label, "c", json_real(c->scalings[l].c));
    if (c->scalings[l].result != MIEN_PLATT_FITTED)
      cli_json_set(&to, label, "note", json_string(note_of(c->scalings[l].result)));
    cli_json_set(&to, labels, c->examples->labels.names[l], label);
  }
  cli_json_set(&to, object, "rows", json_integer((json_int_t)c->examples->n_rows));
  cli_json_set(&to, object, "bins", json_integer(MIEN_CALIBRATION_BINS));
  cli_json_set(&to, object, "mean", json_of_figures(&to, calibration_of(c, n)));
  cli_json_set(&to, object, "labels", labels);
  char *text = to.failed ? NULL : json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
  json_decref(object);
  if (text) fprintf(out, "%s\n", text);
  const bool done = text != NULL;
  free(text);
  return done;
}

bool calibration_print(const calibration *c, calibration_format format, FILE *out) {
  switch (format) {
  case CALIBRATION_JSON: return print_json(c, out);
  case CALIBRATION_CSV: return print_csv(c, out);
  default: return print_table(c, format == CALIBRATION_MARKDOWN, out);
  }
}

/* ---- Diagrams ---------------------------------------------------------------------------------------------------- */

enum { ACROSS = 7, SIDE = 120, GAP = 26, TOP = 64, DIAGRAM_BINS = 10 };

/* A name as text of XML. */
static bool add_escaped(mien_buffer *out, const char *text) {
  bool done = true;
  for (; done && *text; text++)
    done = *text == '<' ? add(out, "&lt;") : *text == '&' ? add(out, "&amp;") : mien_buffer_append(out, text, 1);
  return done;
}

/* Points at the mean score and the share of rows with the label of each bin that has rows, larger where more are. */
static bool add_curve(const calibration *c, const mien_floats *scores, size_t label, const char *class, double left,
                      double top, mien_buffer *out) {
  double sums[DIAGRAM_BINS] = {0}, counts[DIAGRAM_BINS] = {0}, trues[DIAGRAM_BINS] = {0};
  for (size_t row = 0; row < scores->n_rows; row++) {
    const double score = (double)scores->data[row * scores->n_columns + label];
    const size_t bin = score >= 1 ? DIAGRAM_BINS - 1 : (size_t)(score * DIAGRAM_BINS);
    sums[bin] += score;
    counts[bin] += 1;
    trues[bin] += mien_examples_has(c->examples, row, label);
  }
  bool done = add(out, "<polyline class=\"%s\" points=\"", class);
  for (int i = 0; done && i < DIAGRAM_BINS; i++)
    if (counts[i] > 0)
      done = add(out, "%.1f,%.1f ", left + SIDE * sums[i] / counts[i], top + SIDE * (1 - trues[i] / counts[i]));
  done = done && add(out, "\"/>");
  for (int i = 0; done && i < DIAGRAM_BINS; i++)
    if (counts[i] > 0)
      done =
          add(out, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>", class,
              left + SIDE * sums[i] / counts[i], top + SIDE * (1 - trues[i] / counts[i]), 1 + log10(counts[i]) / 1.5);
  return done && add(out, "\n");
}

static bool add_diagram(const calibration *c, size_t label, mien_buffer *out) {
  const double left = GAP + (double)(label % ACROSS) * (SIDE + GAP);
  const double top = TOP + (double)(label / ACROSS) * (SIDE + 2 * GAP) + GAP;
  const calibration_figures *f = calibration_of(c, label);
  bool done = add(out, "<text class=\"name\" x=\"%.0f\" y=\"%.0f\">", left, top - 16) &&
              add_escaped(out, c->examples->labels.names[label]) &&
              add(out, "</text><text x=\"%.0f\" y=\"%.0f\">ECE %.3f → %.3f</text>", left, top - 5,
                  f[0].calibration_error, f[2].calibration_error);
  done = done && add(out, "<rect x=\"%.0f\" y=\"%.0f\" width=\"%d\" height=\"%d\"/><path d=\"M%.0f %.0fl%d -%d\"/>\n",
                     left, top, SIDE, SIDE, left, top + SIDE, SIDE, SIDE);
  done = done && add_curve(c, &c->before, label, "before", left, top, out);
  return done && add_curve(c, &c->held_out, label, "after", left, top, out);
}

bool calibration_plot(const calibration *c, mien_buffer *out) {
  const size_t n = c->examples->labels.n, across = n < ACROSS ? n : ACROSS;
  const size_t width = GAP + (across < 4 ? 4 : across) * (SIDE + GAP);
  const size_t height = TOP + (n + ACROSS - 1) / ACROSS * (SIDE + 2 * GAP) + GAP;
  bool done =
      add(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %zu %zu\" width=\"%zu\" height=\"%zu\">\n",
          width, height, width, height) &&
      add(out, "<title>Reliability of scores before and after calibration</title>\n<style>\n"
               "svg{background:#fff;font:10px system-ui,sans-serif}text{fill:#444}.name{font-weight:600;fill:#111}\n"
               "rect{fill:none;stroke:#bbb}path{stroke:#bbb;stroke-dasharray:3 3;fill:none}polyline{fill:none}\n"
               ".before{stroke:#c2410c;fill:#c2410c}.after{stroke:#1d4ed8;fill:#1d4ed8}\n") &&
      add(out, "polyline.before,polyline.after{fill:none;stroke-width:1.2}\n"
               "@media(prefers-color-scheme:dark){svg{background:#111}text{fill:#aaa}.name{fill:#eee}\n"
               "rect,path{stroke:#444}.before{stroke:#fb923c;fill:#fb923c}.after{stroke:#7aa2ff;fill:#7aa2ff}}\n"
               "</style>\n");
  done = done &&
         add(out,
             "<text class=\"name\" x=\"%d\" y=\"20\" font-size=\"14\">Reliability: share of rows with the label, by "
             "score</text>\n",
             GAP) &&
         add(out,
             "<text x=\"%d\" y=\"38\">%zu rows; points are tenths of the scores, larger with more rows; on the "
             "dashed line scores say what is true</text>\n",
             GAP, c->examples->n_rows) &&
         add(out,
             "<circle class=\"before\" cx=\"%d\" cy=\"51\" r=\"3\"/><text x=\"%d\" y=\"54\">before</text>"
             "<circle class=\"after\" cx=\"%d\" cy=\"51\" r=\"3\"/><text x=\"%d\" y=\"54\">after, each row by "
             "scalings fitted without it</text>\n",
             GAP + 3, GAP + 10, GAP + 63, GAP + 70);
  for (size_t l = 0; done && l < n; l++) done = add_diagram(c, l, out);
  return done && add(out, "</svg>\n");
}
