/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The run: workers claim chunks from a reader, run the model over them and format side by side; whoever has the next
 * chunk in row order writes it and all behind it that are ready, while the others go on. Memory is that of a few chunks
 * a worker, whatever the number of rows.
 */
#ifndef MIEN_CORPUS_PIPELINE_H
#define MIEN_CORPUS_PIPELINE_H

#include "corpus/reader.h"
#include "corpus/stages.h"
#include "corpus/writer.h"

/* What a chunk holds at most. */
typedef struct mien_chunk_limits {
  size_t embedding_bytes, text_bytes, text_rows;
  size_t text_result_bytes; /* of the results of texts */
} mien_chunk_limits;

/*
 * On the CPU: embeddings enough for reads to run at full speed, few enough to stay in a core's L2 cache of 1 MiB from
 * read to labels; of texts, whose bytes are few beside what the encoder does with them, rows enough for full batches.
 * On CUDA devices, which are handed a chunk by each worker: embeddings whose copy takes some ten times as long as
 * starting it, some hundred microseconds; texts enough to fill a device once.
 */
const mien_chunk_limits *mien_chunk_limits_of(mien_device device);

/* Rows of a chunk of texts, of which each has about `result_bytes` of results. */
size_t mien_text_chunk_rows(const mien_chunk_limits *limits, size_t result_bytes);

/* An architecture's name, NUL-terminated. */
enum { MIEN_ISA_CHARS = 16 };

typedef struct mien_run_summary {
  uint64_t n_rows, n_labels, n_tokens, n_bad, n_truncated; /* so far */
  uint64_t n_encoded;                                      /* tokens that the encoder was given */
  uint64_t n_bytes;                                        /* of the inputs */
  char isa[MIEN_ISA_CHARS];                                /* empty for tokens */
  const char *dtype;                                       /* NULL for tokens */
  uint64_t n_split;                                        /* texts that were run as their spans */
  uint64_t n_pieces;                                       /* texts and spans for the model */
  uint64_t n_duplicates; /* of them those that others' results stood for; depends on how the workers met them */
  unsigned threads;
  bool is_finished_early; /* by options->finish: there may be more rows */
  mien_stage_times times; /* of all workers; these at the end of the run only */
  double seconds;
} mien_run_summary;

typedef struct mien_run_options {
  unsigned threads;          /* at least 1; fewer are started when there are fewer chunks */
  mien_device device;        /* what labels and embeddings are made on */
  int32_t ordinal;           /* as mien_session_options has it; all: worker w runs on device w mod their number */
  bool no_cache;             /* equal texts are run as often as they come, and not once; the output is the same */
  bool fail_on_bad;          /* the first bad row ends the run with MIEN_INPUT */
  uint64_t max_bad;          /* one more than these ends the run with MIEN_INPUT; UINT64_MAX: none does */
  uint64_t bad_before;       /* bad rows that count for max_bad already, of parts that were written before */
  const atomic_bool *cancel; /* set: the run ends with MIEN_CANCELLED. May be NULL */
  const atomic_bool *finish; /* set: the run ends well behind the part of the last row that was claimed. May be NULL */
  mien_tally *tally;         /* of labels: what is written is added to it. May be NULL */
  /* Called after every chunk, on any of the threads, one at a time. May be NULL. */
  void (*progress)(void *user, const mien_run_summary *summary);
  void *progress_user;
} mien_run_options;

/*
 * Takes all rows of `reader` through the model into `writer` and finishes it. Of several failures the first in row
 * order is the one that is told; the summary is of what was written before it.
 */
MIEN_MUST_USE mien_status mien_run(mien_model *model, mien_reader *reader, mien_writer *writer,
                                   const mien_run_options *options, mien_run_summary *summary, mien_error *error);

#endif
