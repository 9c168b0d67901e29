/* SPDX-License-Identifier: Apache-2.0 */
/* A table of texts, aligned for a terminal or in Markdown. */
#ifndef MIEN_CLI_TABLE_H
#define MIEN_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef struct cli_table {
  size_t n_columns, n_left; /* the first of them are aligned to the left, the others to the right */
  char **cells;             /* [n_cells] row by row, the headings first */
  size_t n_cells, capacity;
  bool is_last_left; /* the last column is aligned to the left as well */
  bool failed;       /* without memory: nothing is added any more */
} cli_table;

/* Begins a table with its headings. *table is freed by the caller. */
void cli_table_start(cli_table *table, size_t n_left, const char *const *headings, size_t n_columns);
void cli_table_free(cli_table *table);

/* Adds a cell; n_columns of them are a row. Control characters and what is not UTF-8 are shown as others. */
__attribute__((format(printf, 2, 3))) void cli_table_add(cli_table *table, const char *format, ...);

/* Prints it, if it is whole; what is markup in cells of Markdown is escaped. False without memory. */
bool cli_table_print(const cli_table *table, FILE *out, bool is_markdown);

#endif
