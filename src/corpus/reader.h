/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readers: rows of all inputs in order, handed out in chunks to many workers. A reader is a table of functions, so
 * that every kind of input looks the same to the pipeline. Claiming is short and done under the pipeline's lock;
 * what can be done by several workers at once is done by fill.
 *
 * Rows are embeddings (chunk->data) or texts (chunk->records), the same kind in all inputs of a run.
 */
#ifndef MIEN_CORPUS_READER_H
#define MIEN_CORPUS_READER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "corpus/buffer.h"
#include "corpus/inputs.h"

/* Bytes of a chunk or of static memory, no terminator. NULL: there is none. */
typedef struct mien_span {
  const char *bytes;
  size_t size;
} mien_span;

/* A value as the input has it: a JSON value's own bytes ("17", "\"a\\n\"", "{…}"), or a text (csv, tsv). */
typedef struct mien_value {
  mien_span span;
  bool is_json;
} mien_value;

/* A field that the output keeps. */
typedef struct mien_field {
  mien_span name; /* UTF-8 text, unescaped */
  mien_value value;
} mien_field;

/* A row of text. Everything points into its chunk, until the next claim. */
typedef struct mien_record {
  mien_span text;
  const char *problem; /* NULL, or why there is no text: "expected a JSON object, found an array" */
  uint64_t line;       /* 1-based, where the row begins in its input */
  mien_value id;
  const mien_field *fields; /* [n_fields], in the order of --keep, or of the input for all */
  size_t n_fields;
} mien_record;

/* A worker's piece of input. The buffers are the chunk's own; all else is set by claim and fill. */
typedef struct mien_chunk {
  uint64_t first_row;          /* of all inputs, 0-based */
  uint64_t first_row_in_input; /* the same within this input */
  size_t input;                /* which of the inputs: a chunk never spans two */
  size_t n_rows;               /* 0: there are no more */
  mien_dtype dtype;
  void *data;       /* embeddings: [n_rows × D] numbers, no gaps; valid after fill */
  void *source;     /* the reader's own, from claim to fill */
  uint64_t place;   /* the same */
  uint64_t n_bytes; /* of the input that these rows took; for progress */
  bool is_dry;      /* a stream that has no more bytes for now: whoever reads the output should not wait for others */

  mien_buffer raw;       /* texts: the input's bytes of these rows */
  mien_buffer unescaped; /* what fill had to make of them */
  mien_record *records;  /* texts: [n_rows], valid after fill */
  size_t records_capacity;
  mien_field *fields; /* what records' fields point into */
  size_t n_fields, fields_capacity;
} mien_chunk;

#define MIEN_ROWS_UNKNOWN UINT64_MAX
#define MIEN_BYTES_UNKNOWN UINT64_MAX

/*
 * The rows of a run that a reader hands out, numbered as without a range, and the parts that its output will have: a
 * chunk never spans two.
 */
typedef struct mien_row_range {
  uint64_t first, end;        /* of all inputs; an end of MIEN_ROWS_UNKNOWN: to the last one */
  uint64_t part_rows;         /* parts begin at first + k * part_rows; 0: there is one */
  const uint64_t *input_rows; /* [inputs] of each, by which whole inputs are passed over unread; NULL: not known */
  const atomic_bool *stop;    /* set: looking for the first row ends with MIEN_CANCELLED. May be NULL */
} mien_row_range;

/* Whether an input that begins at row `next` has none of the rows, as far as is known. */
static inline bool mien_row_range_passes(const mien_row_range *range, uint64_t next, size_t input) {
  return next < range->first && range->input_rows && range->first - next >= range->input_rows[input];
}

/* Whether no more rows are wanted behind `next`. */
static inline bool mien_row_range_is_done(const mien_row_range *range, uint64_t next) {
  return next >= range->end || range->first >= range->end;
}

/* What a chunk that begins with row `next` may have of `most` rows; 0 behind the range. */
static inline size_t mien_row_range_limit(const mien_row_range *range, uint64_t next, size_t most) {
  if (next >= range->end) return 0;
  if (range->end - next < most) most = (size_t)(range->end - next);
  if (range->part_rows == 0) return most;
  const uint64_t to_part = range->part_rows - (next - range->first) % range->part_rows;
  return to_part < most ? (size_t)to_part : most;
}

typedef struct mien_reader mien_reader;
struct mien_reader {
  /* Takes the next rows. One caller at a time. After MIEN_OK with rows, fill must follow. */
  mien_status (*claim)(mien_reader *reader, mien_chunk *chunk, mien_error *error);
  /* Brings a claimed chunk's rows into its buffers. Any number of callers at once, each with its own chunk. */
  mien_status (*fill)(mien_reader *reader, mien_chunk *chunk, mien_error *error);
  void (*destroy)(mien_reader *reader);
  const mien_inputs *inputs;   /* the caller's; outlives the reader */
  const mien_row_range *range; /* NULL: all rows, in one part */
  bool has_texts;              /* rows are texts */
  size_t chunk_rows;           /* most rows of a chunk */
  size_t chunk_bytes;          /* embeddings: bytes that a chunk's data needs */
  uint64_t n_rows;             /* to be handed out; MIEN_ROWS_UNKNOWN without a range with a stream or texts */
  uint64_t n_bytes;            /* texts: of all inputs; MIEN_BYTES_UNKNOWN with a stream among them, or a range */
};

/* Frees what a chunk owns; all zero is an empty chunk. `data` is the caller's. */
void mien_chunk_free(mien_chunk *chunk);

/* Frees the fields of a chunk that is done with, where they take more bytes than that. */
void mien_chunk_trim_fields(mien_chunk *chunk, size_t most_bytes);

/*
 * A reader of embeddings of `dim` numbers from .npy and raw float32 inputs, in chunks of at most
 * `chunk_bytes` of rows as well as of their results, of which each has about `result_bytes`; at least a row. Files
 * are checked here, before work starts (format, dimension, exact size), and again when their turn comes; streams
 * (stdin, FIFOs, devices) when their turn comes. A read that waits on a stream gives up with MIEN_CANCELLED soon
 * after *cancel (may be NULL) is set. `range` (NULL: all rows, in one part) is copied but for its list.
 */
MIEN_MUST_USE mien_status mien_embedding_reader_create(const mien_inputs *inputs, size_t dim, size_t result_bytes,
                                                       size_t chunk_bytes, const mien_row_range *range,
                                                       const atomic_bool *cancel, mien_reader **reader,
                                                       mien_error *error);

/* A longer row (a line; a csv record) is a bad one, and costs no memory. */
#define MIEN_MAX_TEXT_BYTES ((size_t)16 << 20)

/* Of the last chunks of files of text, some ten texts: a worker with fewer is not worth its memory. Where a range says
 * how many rows there are, rows. */
enum { MIEN_LEAST_CHUNK_BYTES = 1024, MIEN_LEAST_CHUNK_ROWS = 16 };

/* Which fields of jsonl, and columns of csv and tsv, are what. */
typedef struct mien_text_options {
  const char *text_field, *id_field;   /* jsonl; NULL: "text", and no id */
  const char *text_column, *id_column; /* csv and tsv: a name of the header, or a number from 0; NULL: "text" (without a
                                          header column 0), and no id */
  bool no_header;
  const char *const *keep; /* [n_keep] names of fields (jsonl) and columns that the output keeps */
  size_t n_keep;
  bool keep_all;                  /* all but the text and the id */
  size_t chunk_rows, chunk_bytes; /* most of a chunk; a row of more bytes is in one alone */
  unsigned workers;               /* chunks of files become smaller towards the end, to keep as many busy */
  const mien_row_range *range;    /* NULL: all rows, in one part; copied but for its list */
  const atomic_bool *cancel;      /* as above; may be NULL */
} mien_text_options;

/*
 * A reader of texts from text, jsonl, csv and tsv inputs. A byte order mark at an input's start is skipped, line ends
 * are \n or \r\n, the last one may be missing. Text: every line is a row, an empty one too. jsonl: empty lines are no
 * rows. csv is RFC 4180; a quote inside a field that does not begin with one is a quote, and empty lines are no rows.
 * tsv has no quotes (IANA's text/tab-separated-values): every tab and every line end is one. A row that is no text is
 * marked by its record's problem; a broken input (an unclosed quote at its end, a header without the text's column)
 * fails the run. Files are opened once before work starts.
 */
MIEN_MUST_USE mien_status mien_text_reader_create(const mien_inputs *inputs, const mien_text_options *options,
                                                  mien_reader **reader, mien_error *error);

#endif
