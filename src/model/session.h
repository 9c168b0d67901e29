/* SPDX-License-Identifier: Apache-2.0 */
/* Inside a session: scratch memory and threads that run a model over rows, and how a call is shared among the threads.
 */
#ifndef MIEN_MODEL_SESSION_H
#define MIEN_MODEL_SESSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/threads.h"
#include "encoder/forward.h"
#include "kernels/head_kernels.h"
#include "model/model.h"

/* Texts that a thread takes at a time: enough for some batches. */
enum { MIEN_CHUNK_TEXTS = 64 };

typedef struct mien_text_scratch {
  mien_encoder_scratch encoder;
  int32_t *ids;            /* [MIEN_CHUNK_TEXTS × max_tokens] one text behind the other */
  size_t *lengths;         /* [MIEN_CHUNK_TEXTS] */
  bool *truncated;         /* the same */
  mien_row_status *status; /* the same: what the head says of a text's embedding */
  float *embeddings;       /* [MIEN_CHUNK_TEXTS × D] */
} mien_text_scratch;

/* What a thread needs to hand texts over to a CUDA device. */
typedef struct mien_device_scratch {
  size_t tokens;   /* that are best handed over at a time */
  int32_t *ids;    /* [tokens + max_tokens] one text behind the other */
  size_t *lengths; /* of the texts that a thread takes at a time */
} mien_device_scratch;

/* What a thread has done with texts since its session was made. */
typedef struct mien_text_work {
  uint64_t n_tokens;       /* that the encoder was given */
  double tokenize_seconds; /* 0 without a clock */
} mien_text_work;

typedef struct mien_session_scratch {
  mien_head_scratch head; /* and text: on the CPU */
  mien_text_scratch text;
  mien_device_scratch device;
  mien_text_work work;
} mien_session_scratch;

struct mien_session {
  mien_model *model;
  const mien_head_kernels *head;       /* NULL on CUDA */
  const mien_encoder_kernels *encoder; /* NULL on CUDA and in a head alone */
  struct mien_engine **engines;        /* [n_engines] CUDA devices: thread t has engine t mod n_engines */
  unsigned n_engines;                  /* 0 on the CPU */
  pid_t process;
  mien_progress progress;
  void *progress_user;
  double (*clock)(void); /* NULL: nothing is timed */
  mien_pool *pool;
  unsigned threads;
  mien_session_scratch scratch[]; /* [threads] */
};

/* Times the making of tokens from now on; between calls. */
void mien_session_set_clock(mien_session *session, double (*clock)(void));

/* Of all threads; between calls. */
mien_text_work mien_session_text_work(const mien_session *session);

/* The clock's time, or 0 without one. */
static inline double mien_session_now(const mien_session *session) { return session->clock ? session->clock() : 0; }

/* *scratch starts as zeros and is destroyed after a failure too. */
MIEN_MUST_USE mien_status mien_text_scratch_create(const mien_session *session, mien_text_scratch *scratch,
                                                   mien_error *error);
void mien_text_scratch_destroy(mien_text_scratch *scratch);

/* The same for texts on the engine's device. */
MIEN_MUST_USE mien_status mien_device_scratch_create(const mien_model *model, const struct mien_engine *engine,
                                                     mien_device_scratch *scratch, mien_error *error);
void mien_device_scratch_destroy(mien_device_scratch *scratch);

/* Whether `call` may use the session: there is one, and it is this process's. */
MIEN_MUST_USE mien_status mien_session_check(const mien_session *session, const char *call, mien_error *error);

/* A caller's results, however old the structure, with what it does not have as zeros. */
MIEN_MUST_USE mien_status mien_results_check(const mien_results *given, mien_results *results, mien_error *error);

/* The instruction set that embeddings are labelled with, or the device's architecture. As mien_session_isa's. */
const char *mien_session_head_isa(const mien_session *session);

/* One call's rows, shared by the workers. A call's own structure begins with it. */
typedef struct mien_job {
  mien_session *session;
  mien_pool_work work; /* gets the job as `user`, claims until there is nothing left */
  size_t chunk;        /* rows a claim */
  size_t end;
  atomic_size_t next, bad, truncated;
  atomic_bool has_failed;
  mien_status status; /* the first failure's, and its message */
  mien_error error;
} mien_job;

/* Runs the job over rows 0 to n - 1, on one thread where one chunk is all; `step` rows between two calls of the
 * progress callback. A failure of the job ends it when all threads are back. */
MIEN_MUST_USE mien_status mien_session_run(mien_session *session, mien_job *job, size_t n, size_t step,
                                           mien_error *error);

/* False when there are no more, or the job has failed. */
bool mien_job_claim(mien_job *job, size_t *first, size_t *n);

/* Ends the job with a failure, from any thread: the first one is told. */
void mien_job_fail(mien_job *job, mien_status status, const mien_error *error);

/* Writes an out-field that the caller's structure may be too old to have. */
#define MIEN_RESULTS_SET(results, field, value)                                                                        \
  do {                                                                                                                 \
    if ((results)->size >= offsetof(mien_results, field) + sizeof(results)->field) (results)->field = (value);         \
  } while (0)

#endif
