/* SPDX-License-Identifier: Apache-2.0 */
/* A text's labels on a terminal, with scores as bars: those given, then the nearest of the others. */
#define _GNU_SOURCE
#include "cli/bars.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"
#include "corpus/cancel.h"

enum {
  LEAST_SHOWN = 5,   /* labels of a text, those given or not */
  MOST_NAME = 24,    /* columns of a label's name */
  MOST_BAR = 40,     /* columns of a bar */
  SCORE_COLUMNS = 8, /* of a score and its space */
};

typedef struct bars {
  const cli_run *run;
  mien_session *session;
  mien_selection selection, all; /* labels that are given; every label by its score */
  mien_results results;          /* of one text */
  uint64_t *given, *order;       /* [L] */
  size_t n_labels, n_given;
  bool has_blocks; /* the terminal shows more than ASCII */
} bars;

static void destroy(bars *b) {
  mien_session_destroy(b->session);
  mien_selection_free(&b->selection);
  mien_selection_free(&b->all);
  mien_free(b->results.words);
  mien_free(b->results.scores);
  mien_free(b->results.status);
  mien_free(b->given);
  mien_free(b->order);
}

/* The encoding that the environment says, as locales do. */
static bool is_utf8(void) {
  static const char *const variables[] = {"LC_ALL", "LC_CTYPE", "LANG"};
  for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
    const char *value = getenv(variables[i]);
    if (value && value[0]) return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
  }
  return false;
}

static mien_status create(bars *b, const cli_run *run, mien_model *model, mien_error *error) {
  const size_t n = mien_model_label_count(model);
  /* A text at a time, on one of several devices. */
  const int32_t ordinal = run->run.ordinal == MIEN_ALL_DEVICES ? 0 : run->run.ordinal;
  const mien_session_options options = {
      .size = sizeof options, .device = run->run.device, .threads = 1, .ordinal = ordinal};
  *b = (bars){.run = run, .n_labels = n, .results.size = sizeof b->results, .has_blocks = is_utf8()};
  b->results.words = mien_alloc(mien_model_words(model), sizeof(uint32_t));
  b->results.scores = mien_alloc(n, sizeof(float));
  b->results.status = mien_alloc(1, sizeof(mien_row_status));
  b->given = mien_alloc(n, sizeof *b->given);
  b->order = mien_alloc(n, sizeof *b->order);
  if (!b->results.words || !b->results.scores || !b->results.status || !b->given || !b->order)
    return mien_fail_memory(error, "labels", n * sizeof *b->order);
  mien_status status = mien_selection_init(&b->selection, model, run->rows.top_k, run->rows.min_one_label, error);
  if (status == MIEN_OK) status = mien_selection_init(&b->all, model, n, false, error);
  return status == MIEN_OK ? mien_session_create(model, &options, &b->session, error) : status;
}

/* ---- Drawing ----------------------------------------------------------------------------------------------------- */

static void put_colour(const bars *b, const char *colour) {
  if (b->run->rows.colour) fputs(colour, stdout);
}

static void put_bar(const bars *b, float score, size_t columns) {
  enum { EIGHTHS = 8 };
  static const char *const parts[EIGHTHS] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  size_t eighths = (size_t)((double)score * (double)(columns * EIGHTHS) + 0.5);
  size_t used = eighths / EIGHTHS;
  for (size_t i = 0; i < used; i++) fputs(b->has_blocks ? "█" : "#", stdout);
  if (b->has_blocks && eighths % EIGHTHS) fputs(parts[eighths % EIGHTHS], stdout), used++;
  for (; used < columns; used++) putchar(' ');
}

static bool is_given(const bars *b, size_t label) {
  for (size_t i = 0; i < b->n_given; i++)
    if ((uint32_t)b->given[i] == label) return true;
  return false;
}

static mien_status append_name(const mien_model *model, size_t label, mien_buffer *name, size_t *columns,
                               mien_error *error) {
  const char *text = mien_model_label_name(model, label);
  name->size = *columns = 0;
  bool done = mien_buffer_append_shown(name, text, strlen(text), MOST_NAME, columns);
  return done ? MIEN_OK : mien_fail_memory(error, "labels", strlen(text));
}

/* "* joy      ██████▌   0.93": the star is for terminals without colours. */
static void put_line(const bars *b, size_t label, const mien_buffer *name, size_t name_columns, size_t widest) {
  const size_t columns = b->run->rows.columns, around = widest + SCORE_COLUMNS + 6;
  const size_t bar = columns > around + MOST_BAR ? MOST_BAR : columns > around + 1 ? columns - around : 1;
  const bool given = is_given(b, label);
  const float score = b->results.scores[label];
  char text[MIEN_NUMBER_CHARS];
  size_t length = mien_format_score(text, score, b->selection.thresholds[label]);
  printf("%s ", given ? "*" : " ");
  put_colour(b, given ? "\x1b[1;36m" : "\x1b[2m");
  fwrite(name->bytes, 1, name->size, stdout);
  put_colour(b, "\x1b[0m");
  printf("%*s", (int)(widest - name_columns + 2), "");
  put_colour(b, given ? "\x1b[36m" : "\x1b[2m");
  put_bar(b, score, bar);
  put_colour(b, "\x1b[0m");
  put_colour(b, given ? "" : "\x1b[2m");
  printf("  %.*s", (int)length, text);
  put_colour(b, given ? "" : "\x1b[0m");
  putchar('\n');
}

static mien_status put_labels(const bars *b, const mien_model *model, mien_error *error) {
  mien_buffer name = {0};
  size_t widest = 0, columns = 0, shown = 0;
  mien_status status = MIEN_OK;
  size_t most = b->n_given > LEAST_SHOWN ? b->n_given : LEAST_SHOWN;
  if (most > b->n_labels) most = b->n_labels;
  /* Twice: for the widest name, and to draw. Those given first, then the others, each from the highest down. */
  for (int pass = 0; pass < 2; pass++) {
    shown = 0;
    for (size_t i = 0; status == MIEN_OK && i < b->n_given + b->n_labels && shown < most; i++) {
      size_t label = (uint32_t)(i < b->n_given ? b->given[i] : b->order[i - b->n_given]);
      if (i >= b->n_given && is_given(b, label)) continue;
      status = append_name(model, label, &name, &columns, error);
      if (columns > widest) widest = columns;
      if (status == MIEN_OK && pass == 1) put_line(b, label, &name, columns, widest);
      shown++;
    }
  }
  mien_buffer_free(&name);
  return status;
}

static mien_status show(bars *b, const mien_model *model, const mien_text *text, mien_error *error) {
  mien_status status = mien_label_texts(b->session, text, 1, &b->results, error);
  if (status != MIEN_OK) return status;
  if (b->results.status[0] == MIEN_ROW_NOT_FINITE) {
    printf("  bad row: its embedding is not finite\n");
    return MIEN_OK;
  }
  b->n_given = mien_select_labels(&b->selection, b->results.words, b->results.scores, b->given);
  (void)mien_select_labels(&b->all, b->results.words, b->results.scores, b->order);
  status = put_labels(b, model, error);
  if (b->results.status[0] == MIEN_ROW_TRUNCATED)
    printf("  cut to its first %zu tokens\n", mien_model_max_tokens(model));
  return status;
}

/* ---- Texts and the prompt ---------------------------------------------------------------------------------------- */

static mien_status show_text(bars *b, const mien_model *model, const mien_text *text, mien_error *error) {
  mien_buffer shown = {0};
  size_t used = 0, columns = b->run->rows.columns;
  bool done = mien_buffer_append_shown(&shown, text->bytes, text->size, columns > 1 ? columns : 1, &used);
  fwrite(shown.bytes, 1, shown.size, stdout);
  putchar('\n');
  mien_buffer_free(&shown);
  return done ? show(b, model, text, error) : mien_fail_memory(error, "text", text->size);
}

int cli_show_texts(cli_run *run, mien_model *model, const mien_text *texts, size_t n_texts) {
  bars b;
  mien_error error;
  mien_status status = create(&b, run, model, &error);
  for (size_t i = 0; status == MIEN_OK && i < n_texts; i++) {
    if (i) putchar('\n');
    status = mien_is_cancelled(&cli_cancelled) ? mien_fail(&error, MIEN_CANCELLED, "interrupted")
                                               : show_text(&b, model, &texts[i], &error);
  }
  destroy(&b);
  int code = cli_flush_stdout();
  return status == MIEN_OK ? code : cli_report(run->command, &error);
}

/* The next line without its end; false at the input's end. */
static bool ask(char **line, size_t *capacity, size_t *size) {
  if (mien_is_cancelled(&cli_cancelled)) return false;
  fputs("> ", stdout);
  fflush(stdout);
  ssize_t got = getline(line, capacity, stdin);
  if (got < 0) return false;
  *size = (size_t)got;
  while (*size > 0 && ((*line)[*size - 1] == '\n' || (*line)[*size - 1] == '\r')) --*size;
  return true;
}

int cli_prompt(cli_run *run, mien_model *model) {
  bars b;
  mien_error error;
  char *line = NULL;
  size_t capacity = 0, size = 0;
  mien_status status = create(&b, run, model, &error);
  if (status == MIEN_OK && !run->quiet) printf("A text a line; Ctrl-D ends.\n");
  while (status == MIEN_OK && ask(&line, &capacity, &size))
    if (size > 0) status = show(&b, model, &(mien_text){line, size}, &error);
  if (status == MIEN_OK && mien_is_cancelled(&cli_cancelled)) status = mien_fail(&error, MIEN_CANCELLED, "interrupted");
  if (status == MIEN_OK) putchar('\n');
  free(line);
  destroy(&b);
  int code = cli_flush_stdout();
  return status == MIEN_OK ? code : cli_report(run->command, &error);
}
