/* SPDX-License-Identifier: Apache-2.0 */
/* What the readers of texts put into a chunk. */
#ifndef MIEN_CORPUS_CHUNK_H
#define MIEN_CORPUS_CHUNK_H

#include "corpus/reader.h"

/* Most bytes of a problem's text, its NUL among them. */
enum { MIEN_PROBLEM_BYTES = 256 };

/* Room for the records of a claim. */
bool mien_chunk_reserve_records(mien_chunk *chunk, size_t n);

/*
 * Room for all that filling may unescape: what is unescaped is never longer than it was, and a row may have a problem.
 * Nothing in chunk->unescaped moves from here to the next claim.
 */
bool mien_chunk_reserve_unescaped(mien_chunk *chunk);

/* Appends `size` bytes to chunk->unescaped, as room was reserved for. */
mien_span mien_chunk_keep(mien_chunk *chunk, const char *bytes, size_t size);

/* Says why a record has no text. `format` is printf's; the text is cut to MIEN_PROBLEM_BYTES. */
__attribute__((format(printf, 3, 4))) void mien_chunk_set_problem(mien_chunk *chunk, mien_record *record,
                                                                  const char *format, ...);

/* A field more of `record`, the last one that has any yet; false without memory. record->fields is set by
 * mien_chunk_set_fields, as the array may move. */
bool mien_chunk_add_field(mien_chunk *chunk, mien_record *record, mien_span name, mien_value value);
void mien_chunk_set_fields(mien_chunk *chunk);

#endif
