/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readers: rows of all inputs in order, handed out in chunks to many workers. A reader is a table of functions, so
 * that every kind of input looks the same to the pipeline. Claiming is short and done under the pipeline's lock;
 * what can be done by several workers at once is done by fill.
 */
#ifndef MIEN_CORPUS_READER_H
#define MIEN_CORPUS_READER_H

#include <stdatomic.h>

#include "corpus/inputs.h"

/* A worker's piece of input. The buffer is the chunk's own; all else is set by claim. */
typedef struct mien_chunk {
  uint64_t first_row;          /* of all inputs, 0-based */
  uint64_t first_row_in_input; /* the same within this input */
  size_t input;                /* which of the inputs: a chunk never spans two */
  size_t n_rows;               /* 0: there are no more */
  mien_dtype dtype;
  void *data;     /* [n_rows × D] numbers, no gaps; valid after fill */
  void *source;   /* the reader's own, from claim to fill */
  uint64_t place; /* the same */
} mien_chunk;

#define MIEN_ROWS_UNKNOWN UINT64_MAX

typedef struct mien_reader mien_reader;
struct mien_reader {
  /* Takes the next rows. One caller at a time. After MIEN_OK with rows, fill must follow. */
  mien_status (*claim)(mien_reader *reader, mien_chunk *chunk, mien_error *error);
  /* Brings a claimed chunk's rows into its buffer. Any number of callers at once, each with its own chunk. */
  mien_status (*fill)(mien_reader *reader, mien_chunk *chunk, mien_error *error);
  void (*destroy)(mien_reader *reader);
  const mien_inputs *inputs; /* the caller's; outlives the reader */
  size_t chunk_rows;         /* most rows of a chunk */
  size_t chunk_bytes;        /* bytes that a chunk's buffer needs */
  uint64_t n_rows;           /* of all inputs; MIEN_ROWS_UNKNOWN with a stream among them */
};

/*
 * A reader of embeddings of `dim` numbers from .npy and raw float32 inputs, in chunks of at most
 * `chunk_bytes` of rows as well as of their results, of which each has about `result_bytes`; at least a row. Files
 * are checked here, before work starts (format, dimension, exact size), and again when their turn comes; streams
 * (stdin, FIFOs, devices) when their turn comes. A read that waits on a stream gives up with MIEN_CANCELLED soon
 * after *cancel (may be NULL) is set.
 */
MIEN_MUST_USE mien_status mien_embedding_reader_create(const mien_inputs *inputs, size_t dim, size_t result_bytes,
                                                       size_t chunk_bytes, const atomic_bool *cancel,
                                                       mien_reader **reader, mien_error *error);

#endif
