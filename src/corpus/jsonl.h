/* SPDX-License-Identifier: Apache-2.0 */
/* A line of JSON as a record. */
#ifndef MIEN_CORPUS_JSONL_H
#define MIEN_CORPUS_JSONL_H

#include "corpus/reader.h"

/* Whether a line holds nothing but JSON's white space. */
bool mien_jsonl_is_blank(mien_span line);

/*
 * Reads the line that is record->text into the record: text, id and kept fields, or why there is none. Values that are
 * kept are the line's own bytes: numbers stay as they were written, however long. MIEN_RESOURCE without memory only.
 */
MIEN_MUST_USE mien_status mien_jsonl_read(const mien_text_options *options, mien_chunk *chunk, mien_record *record,
                                          mien_error *error);

#endif
