/* SPDX-License-Identifier: Apache-2.0 */
/* Which columns of a csv or tsv input are what, and its rows as records. */
#ifndef MIEN_CORPUS_TABLE_H
#define MIEN_CORPUS_TABLE_H

#include "corpus/reader.h"

typedef struct mien_table mien_table;

/* Columns of an input; more are refused. */
enum { MIEN_MAX_COLUMNS = 16384 };

/*
 * Finds the columns in the input's first row (its header, unless there is none), which may be changed. `name` is for
 * messages. The options outlive the table.
 */
MIEN_MUST_USE mien_status mien_table_create(const mien_text_options *options, bool is_csv, const char *name,
                                            char *first_row, size_t size, mien_table **table, mien_error *error);
void mien_table_destroy(mien_table *table);

/* Reads the row that is record->text, whose bytes are the chunk's own, for every record that has no problem yet. */
MIEN_MUST_USE mien_status mien_table_read(const mien_table *table, mien_chunk *chunk, mien_error *error);

#endif
