/* SPDX-License-Identifier: Apache-2.0 */
/* A table of texts, aligned for a terminal or in Markdown. */
#include "cli/table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"

enum { CELL_BYTES = 1024 };

static bool grow(cli_table *table) {
  if (table->n_cells < table->capacity) return true;
  size_t bytes;
  const size_t capacity = table->capacity ? 2 * table->capacity : 64;
  char **cells = mien_size_mul(capacity, sizeof *cells, &bytes) ? realloc(table->cells, bytes) : NULL;
  if (!cells) return false;
  table->cells = cells;
  table->capacity = capacity;
  return true;
}

/* C0 and C1 controls and DEL become spaces: a text must not tell a terminal what to do, nor end a row. */
static void blank_controls(char *text) {
  for (unsigned char *at = (unsigned char *)text; *at; at++) {
    if (*at < ' ' || *at == 0x7F) *at = ' ';
    if (at[0] == 0xC2 && at[1] < 0xA0) at[0] = at[1] = ' ';
  }
}

void cli_table_add(cli_table *table, const char *format, ...) {
  char formatted[CELL_BYTES], text[CELL_BYTES];
  va_list arguments;
  va_start(arguments, format);
  const int length = vsnprintf(formatted, sizeof formatted, format, arguments);
  va_end(arguments);
  if (table->failed) return;
  (void)mien_utf8_clean(formatted, length < 0 ? 0 : strlen(formatted), text, sizeof text);
  blank_controls(text);
  char *cell = grow(table) ? mien_copy_text(text, strlen(text)) : NULL;
  table->failed = !cell;
  if (cell) table->cells[table->n_cells++] = cell;
}

void cli_table_start(cli_table *table, size_t n_left, const char *const *headings, size_t n_columns) {
  *table = (cli_table){.n_columns = n_columns, .n_left = n_left};
  for (size_t i = 0; i < n_columns; i++) cli_table_add(table, "%s", headings[i]);
}

void cli_table_free(cli_table *table) {
  for (size_t i = 0; i < table->n_cells; i++) mien_free(table->cells[i]);
  free(table->cells);
  *table = (cli_table){0};
}

/* Characters: bytes that do not continue one. */
static size_t width_of(const char *text) {
  size_t width = 0;
  for (; *text; text++) width += ((unsigned char)*text & 0xC0) != 0x80;
  return width;
}

static bool is_left(const cli_table *table, size_t column) {
  return column < table->n_left || (table->is_last_left && column + 1 == table->n_columns);
}

static void print_spaces(FILE *out, size_t n) {
  while (n-- > 0) fputc(' ', out);
}

/* Without spaces at the end of a line. */
static void print_row(const cli_table *table, char *const *row, const size_t *widths, FILE *out) {
  size_t last = table->n_columns;
  while (last > 0 && row[last - 1][0] == '\0') last--;
  for (size_t i = 0; i < last; i++) {
    const size_t space = widths[i] - width_of(row[i]);
    if (i) print_spaces(out, 2);
    if (!is_left(table, i)) print_spaces(out, space);
    fputs(row[i], out);
    if (is_left(table, i) && i + 1 < last) print_spaces(out, space);
  }
  fputc('\n', out);
}

static void print_markdown_row(const cli_table *table, char *const *row, FILE *out) {
  fputc('|', out);
  for (size_t i = 0; i < table->n_columns; i++) {
    fputc(' ', out);
    for (const char *at = row[i]; *at; at++) {
      if (strchr("\\|<&*_`[", *at)) fputc('\\', out); /* a text is no markup */
      fputc(*at, out);
    }
    fputs(" |", out);
  }
  fputc('\n', out);
}

static void print_markdown(const cli_table *table, FILE *out) {
  print_markdown_row(table, table->cells, out);
  fputc('|', out);
  for (size_t i = 0; i < table->n_columns; i++) fputs(is_left(table, i) ? "---|" : "---:|", out);
  fputc('\n', out);
  for (size_t at = table->n_columns; at < table->n_cells; at += table->n_columns)
    print_markdown_row(table, table->cells + at, out);
}

bool cli_table_print(const cli_table *table, FILE *out, bool is_markdown) {
  if (table->failed) return false;
  if (is_markdown) {
    print_markdown(table, out);
    return true;
  }
  size_t *widths = mien_alloc(table->n_columns, sizeof *widths);
  if (!widths) return false;
  for (size_t i = 0; i < table->n_cells; i++) {
    const size_t width = width_of(table->cells[i]);
    if (width > widths[i % table->n_columns]) widths[i % table->n_columns] = width;
  }
  for (size_t at = 0; at < table->n_cells; at += table->n_columns) print_row(table, table->cells + at, widths, out);
  mien_free(widths);
  return true;
}
