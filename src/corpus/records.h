/* SPDX-License-Identifier: Apache-2.0 */
/* Every record of one input of text, whatever its fields mean. */
#ifndef MIEN_CORPUS_RECORDS_H
#define MIEN_CORPUS_RECORDS_H

#include "corpus/reader.h"

/* Of a record, whose bytes live until the next one is. A record with a problem comes too. */
typedef mien_status (*mien_take_record)(void *user, const mien_record *record);

/*
 * Gives `take` the records of the input at `path` ("-": stdin) in order, on the calling thread, until it fails: csv's
 * and tsv's with all their columns and the header among them; other formats' lines as they are. `error` is what the
 * reader failed with; `take` says for itself. `cancel` may be NULL.
 */
MIEN_MUST_USE mien_status mien_read_records(const char *path, mien_input_format format, mien_take_record take,
                                            void *user, const atomic_bool *cancel, mien_error *error);

#endif
