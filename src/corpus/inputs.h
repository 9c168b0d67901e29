/* SPDX-License-Identifier: Apache-2.0 */
/* Which inputs a user means by files, folders, patterns and "-", and what format each is in. */
#ifndef MIEN_CORPUS_INPUTS_H
#define MIEN_CORPUS_INPUTS_H

#include <stdbool.h>

#include "base/status.h"

typedef enum mien_input_format {
  MIEN_INPUT_BY_ENDING,
  MIEN_INPUT_NPY,   /* .npy */
  MIEN_INPUT_F32,   /* raw little-endian float32, rows of the head's dimension */
  MIEN_INPUT_TEXT,  /* .txt .text: a line a row */
  MIEN_INPUT_JSONL, /* .jsonl .ndjson */
  MIEN_INPUT_CSV,   /* .csv */
  MIEN_INPUT_TSV,   /* .tsv */
} mien_input_format;

/* What inputs hold; a set of them is what a run can read. */
enum { MIEN_INPUT_EMBEDDINGS = 1, MIEN_INPUT_TEXTS = 2 };

typedef struct mien_input {
  char *path;               /* "-" is standard input */
  mien_input_format format; /* never BY_ENDING */
} mien_input;

typedef struct mien_inputs {
  mien_input *items;
  size_t count, capacity;
} mien_inputs;

/*
 * Adds what each of `arguments` stands for, in order: "-" (text unless a format is given); an existing file; a folder:
 * its files with endings of what the run can read (`kinds`), or with a format given all of them, by name, hidden ones
 * and subfolders aside; else a glob pattern, sorted. An argument that stands for nothing, or for what the run can't
 * read, is MIEN_INPUT; texts and embeddings in one run are MIEN_ARGUMENT. *inputs starts as zeros and is freed by the
 * caller, after a failure too.
 */
MIEN_MUST_USE mien_status mien_inputs_add(mien_inputs *inputs, char *const *arguments, size_t n_arguments,
                                          mien_input_format format, unsigned kinds, mien_error *error);
void mien_inputs_free(mien_inputs *inputs);

/* MIEN_INPUT_EMBEDDINGS or MIEN_INPUT_TEXTS. */
unsigned mien_input_kind(mien_input_format format);

/* What --input-format calls it: "jsonl"; static. Not for BY_ENDING. */
const char *mien_input_format_name(mien_input_format format);

/* What a name's ending says, that of a compressed file (".jsonl.gz") by what is before it; BY_ENDING for others. */
mien_input_format mien_input_format_of(const char *path);

/* How a path is called in messages: itself, or "stdin" for "-". */
const char *mien_input_name(const char *path);

/* Whether `path` ends in `ending`, in either case of letters, and has something before it. */
bool mien_path_ends_with(const char *path, const char *ending);

#endif
