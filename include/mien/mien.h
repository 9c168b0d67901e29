/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mien: text or sentence embeddings in, multi-label scores and labels out. The whole C API, but for callers who hold
 * CUDA's memory or streams, whose header is mien_cuda.h.
 *
 * A model (immutable, shared by any number of threads) holds a head (L labels, weights W [L×D], bias b [L], thresholds
 * t [L]), an encoder (text to an embedding of D numbers), or both. A session (one per calling thread) holds the scratch
 * memory and the worker threads that run it.
 *
 *     x        = encoder(text)                 float32 [D]
 *     score[l] = sigmoid(W[l]·x + b[l])        float32, in [0, 1]
 *     label l is given to a row  <=>  score[l] > t[l]        both float32, strict
 *
 * Conventions
 * - Every function that can fail returns a mien_status and takes a caller-owned mien_error last, which may be NULL.
 *   On failure the error's message says what, where, expected and found, in one line of UTF-8. On success the error
 *   is left as it was.
 * - The library never prints, never exits, never aborts, and reads no environment variable but MIEN_ISA.
 * - Structures that the caller fills and that may grow begin with `size`: set it to sizeof, zero the rest. Zero is
 *   the default of every field.
 * - On one device a row's results are the same bits whatever the batch, its neighbours and the number of threads, in
 *   the default floating-point environment (round to nearest, subnormals kept), which calls expect and leave as it is.
 */
#ifndef MIEN_MIEN_H
#define MIEN_MIEN_H

#include <stddef.h>
#include <stdint.h>

#define MIEN_VERSION_MAJOR 0
#define MIEN_VERSION_MINOR 1
#define MIEN_VERSION_PATCH 0

#if defined(MIEN_BUILDING_SHARED) && defined(__GNUC__)
#define MIEN_API __attribute__((visibility("default")))
#else
#define MIEN_API
#endif

#if defined(__GNUC__)
#define MIEN_MUST_USE __attribute__((warn_unused_result))
#else
#define MIEN_MUST_USE
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Status and errors -------------------------------------------------------------------------------------- */

/* The result of a call. Values are stable: they are never renumbered, and equal the exit codes of the command. */
typedef int32_t mien_status;
enum {
  MIEN_OK = 0,        /* done */
  MIEN_INTERNAL = 1,  /* a bug in mien: please report the message */
  MIEN_ARGUMENT = 2,  /* the call itself is wrong: a NULL, a size, a name that is not known */
  MIEN_INPUT = 3,     /* a file or its bytes are not what they should be, or cannot be read */
  MIEN_RESOURCE = 4,  /* memory, disk, threads, a device or an instruction set is missing */
  MIEN_CANCELLED = 5, /* the progress callback asked to stop */
};

/* Caller-owned. `message` is always NUL-terminated; it is cut at a UTF-8 boundary when it would be longer. */
typedef struct mien_error {
  mien_status code;
  char message[1016];
} mien_error;

/* A static English name of a status, "input" for MIEN_INPUT; "unknown" for other numbers. Never NULL. */
MIEN_API const char *mien_status_name(mien_status status);

/* The version of the library that runs, "0.1.0". Static. */
MIEN_API const char *mien_version(void);

/* ---- Numbers ------------------------------------------------------------------------------------------------- */

/* What numbers are, of rows the first four, and what an encoder runs in. */
typedef int32_t mien_dtype;
enum {
  MIEN_F32 = 0,    /* IEEE binary32 */
  MIEN_F16 = 1,    /* IEEE binary16; an encoder: its weights are, it runs in float32 */
  MIEN_F64 = 2,    /* IEEE binary64; of rows only, rounded to float32 first */
  MIEN_BF16 = 3,   /* bfloat16; an encoder: weights and activations in its products, whose sums are float32 */
  MIEN_BF16X3 = 4, /* of encoders only: float32 weights; as exact as F32, from three products of bfloat16 halves where
                      the processor has tiles for them (AMX), and F32 itself elsewhere */
  MIEN_INT8 = 5,   /* of encoders only: in its products weights are integers from -127 to 127 times a scale of their
                      output, activations such integers times a scale of their token (behind GELU, which is within 5e-4
                      of erf's: 0 to 254 steps above -0.171), sums exact; attention is float32. Embeddings and scores
                      have the same bits on every CPU, for which the head runs in portable C, for embeddings that
                      are given too */
};

/* ---- Model --------------------------------------------------------------------------------------------------- */

typedef struct mien_model mien_model;

/* One label's threshold, in [0, 1]; rounded to float32. */
typedef struct mien_threshold {
  const char *label;
  double value;
} mien_threshold;

/*
 * How to open a model. Thresholds are taken from the first of: `thresholds_json`, `thresholds_path`, `threshold`, those
 * of a pack, a file thresholds.json in the model's folder, and 0.5 for every label (mien_model_thresholds_from tells
 * which).
 * Giving two of the first three is MIEN_ARGUMENT. `overrides` are applied last.
 */
typedef struct mien_model_options {
  size_t size;                 /* sizeof(mien_model_options) */
  const char *thresholds_path; /* a JSON object {label: number in [0, 1]} with exactly the head's labels */
  const char *thresholds_json; /* the same, as bytes; need not be terminated */
  size_t thresholds_json_bytes;
  const double *threshold;         /* one number in [0, 1] for all labels */
  const mien_threshold *overrides; /* [n_overrides] single labels */
  size_t n_overrides;
  const char *labels_path;  /* names for a fused (N,L) output without class labels: UTF-8 text, a label a line; NULL
                               with a pack */
  const char *encoder_path; /* the encoder that makes embeddings of texts; see mien_model_open; NULL with a pack */
  uint32_t max_tokens; /* texts are cut to it, special tokens included: from 3 to what the encoder was made for, which
                          0 stands for */
  const mien_dtype *dtype; /* what the encoder runs in, on every processor; NULL: what its pack is in, F32 for other
                              files */
} mien_model_options;

/*
 * Opens a linear multi-label head from `path`: an ONNX file, or a folder with a model.onnx in it. Any exporter's graph
 * that is an affine map followed by a sigmoid is accepted; everything else is refused (MIEN_INPUT) with the node's name
 * and the reason. Tensors in external files are read from the model's folder only. `options` may be NULL.
 *
 * options->encoder_path adds an encoder of the BERT architecture (erf GELU, absolute positions): a folder of
 * sentence-transformers or transformers (config.json, model.safetensors, tokenizer.json or vocab.txt, modules.json and
 * what it names), or a folder with model.onnx, or an ONNX file, with tokenizer.json and modules.json beside it (or in
 * the folder above one called onnx). What is not supported is refused (MIEN_INPUT), sizes that are no multiple of 16
 * among it. Its weights' file is mapped: it must not be changed or cut while the model lives. Its dimension must be the
 * head's. With `path` NULL the model is the encoder alone: no labels, embeddings only; options about thresholds and
 * labels, as max_tokens and dtype without an encoder, are MIEN_ARGUMENT then. Floats that are to run in MIEN_INT8 are
 * rounded while they are opened, after a run that finds which inputs are to be made smaller first: it takes some
 * hundred milliseconds and looks at MIEN_ISA as mien_session_create does; weights that are not finite are MIEN_INPUT.
 *
 * Where `path` is a pack (see mien_pack), known by its content, everything is in it: it is mapped, and used without a
 * copy where its dtype is the one that runs. As encoder_path, a pack stands for its encoder.
 *
 * On success *model is a new reference, to be released. Thread-safe.
 */
MIEN_API MIEN_MUST_USE mien_status mien_model_open(const char *path, const mien_model_options *options,
                                                   mien_model **model, mien_error *error);

/*
 * The same from `size` bytes of an ONNX file or a pack in memory, which may be freed or changed after the call.
 * External data is refused, and no thresholds.json is looked for. options->encoder_path is a path here too.
 */
MIEN_API MIEN_MUST_USE mien_status mien_model_open_memory(const void *bytes, size_t size,
                                                          const mien_model_options *options, mien_model **model,
                                                          mien_error *error);

/* Adds and drops a reference; the last release frees the model. Thread-safe. NULL is ignored by release. */
MIEN_API mien_model *mien_model_retain(mien_model *model);
MIEN_API void mien_model_release(mien_model *model);

/* L, 0 of an encoder alone; and D ≥ 1. */
MIEN_API size_t mien_model_label_count(const mien_model *model);
MIEN_API size_t mien_model_dim(const mien_model *model);

/* What the encoder runs in, "int8"; "f32" of a head alone. Static. */
MIEN_API const char *mien_model_dtype(const mien_model *model);

/* The most tokens of a text that the encoder reads, special ones included; 0 without an encoder. */
MIEN_API size_t mien_model_max_tokens(const mien_model *model);

/*
 * The name of label `index` in the head's order (ONNX output order), UTF-8; and its threshold. NULL and NaN when
 * `index` is not below L. The string lives as long as the model.
 */
MIEN_API const char *mien_model_label_name(const mien_model *model, size_t index);
MIEN_API float mien_model_threshold(const mien_model *model, size_t index);

/* Where the thresholds came from. */
typedef int32_t mien_thresholds_from;
enum {
  MIEN_THRESHOLDS_DEFAULT = 0, /* nothing was given or found: 0.5 for every label; worth a warning to a user */
  MIEN_THRESHOLDS_OPTIONS = 1, /* the options: a file, JSON, or one number for all */
  MIEN_THRESHOLDS_FOUND = 2,   /* the pack's, or thresholds.json in the model's folder */
};
MIEN_API mien_thresholds_from mien_model_thresholds_from(const mien_model *model);

/*
 * What the model is, as one JSON object in UTF-8, NUL-terminated, that lives as long as the model:
 * "labels" [string], "dim", "thresholds" [number, in label order], "thresholds_from" ("default", "options", "found"),
 * "link" ("sigmoid"), "dtype" ("f32"), "format" ("onnx"), "ir_version", "producer", "producer_version",
 * "opsets" {domain: version}, "input", "operators" {name: count of those met on the way to the scores}; and with an
 * encoder "encoder": {"format" ("safetensors", "onnx", "pack"), "layers", "hidden", "heads", "intermediate",
 * "vocabulary", "positions", "max_tokens", "pooling" ("mean", "cls", "max"), "normalize", and those of a pack below}.
 * An encoder alone has "dim", "dtype" and "encoder" only. "dtype" is what the encoder runs in. A pack has "format"
 * "pack", "pack_version", "license", "created_by", and of what stands behind "format" above "producer" and
 * "producer_version"; each where it is known.
 */
MIEN_API const char *mien_model_describe(const mien_model *model);

/* ---- Packs --------------------------------------------------------------------------------------------------- */

typedef struct mien_pack_options {
  size_t size;         /* sizeof(mien_pack_options) */
  const char *license; /* under which the model may be used, "apache-2.0"; NULL: what the pack says that the encoder
                          came from, else the new one says nothing */
} mien_pack_options;

/*
 * Writes the model, which must have an encoder, into one file, a pack: the encoder's weights in the dtype that the
 * model was opened with (F32, F16, BF16 or INT8; BF16X3 is MIEN_ARGUMENT: a pack of F32 runs in it), its vocabulary and
 * limits, and the head with its thresholds where there is one. A pack is a safetensors file, read by mien_model_open. A
 * model from a pack gives the scores of the model that was packed, to the bit, in that dtype. The file appears under
 * its name when it is whole and on the disk, or not at all (MIEN_RESOURCE); a link is followed. A vocabulary that a
 * pack can't hold (a token with a line feed, two tokens of one id) is MIEN_INPUT, as are, with MIEN_INT8, embeddings of
 * tokens that are not finite. `options` may be NULL. Thread-safe, but for two calls that write the same path.
 */
MIEN_API MIEN_MUST_USE mien_status mien_pack(const mien_model *model, const char *path,
                                             const mien_pack_options *options, mien_error *error);

/* ---- Session ------------------------------------------------------------------------------------------------- */

typedef struct mien_session mien_session;

typedef int32_t mien_device;
enum {
  MIEN_DEVICE_CPU = 0,
  MIEN_DEVICE_CUDA = 1, /* by libmien_cuda.so.MAJOR.MINOR, which is opened when this is first asked for */
};

/* An ordinal that stands for every CUDA device that the process sees. */
enum { MIEN_ALL_DEVICES = -1 };

/*
 * Called between pieces of work, on the thread that called into the session, with rows done so far of `n_rows`.
 * Return 0 to go on; anything else stops the call with MIEN_CANCELLED, and what was written of the results is
 * unspecified.
 */
typedef int (*mien_progress)(void *user, size_t rows_done, size_t n_rows);

typedef struct mien_session_options {
  size_t size; /* sizeof(mien_session_options) */
  mien_device device;
  uint32_t threads; /* 0 means 1: the calling thread. At most 1024 */
  mien_progress progress;
  void *progress_user;
  int32_t ordinal; /* which CUDA device, from 0, or MIEN_ALL_DEVICES; 0 for the CPU */
} mien_session_options;

/*
 * Makes a session for `model` and keeps the model alive. The instruction set is the best that the CPU has; the
 * environment variable MIEN_ISA, unless empty, narrows it to a listed one (portable, avx2, avxvnni, avx512, avx512vnni,
 * avx512bf16, amx, neon, neondot), and a name that is unknown (MIEN_ARGUMENT) or not available here (MIEN_RESOURCE) is
 * an error. `options` may be NULL. A session is used by one thread at a time. After fork the child can't use a session
 * of its parent (MIEN_ARGUMENT), but may destroy it and make its own.
 *
 * Where an encoder in MIEN_BF16, MIEN_BF16X3 or MIEN_INT8 is to run on AMX, Linux is asked once for the process's
 * permission to use its tiles; it stays, and makes the frames of signals some 8 KiB larger: programs with alternate
 * signal stacks that are smaller set MIEN_ISA to avx512bf16.
 *
 * With MIEN_DEVICE_CUDA the model runs on a CUDA device in the dtype that it was opened with; threads tokenize and hand
 * rows over. Sessions of one model on one device share its weights there, which are gone with the last of them. With
 * MIEN_ALL_DEVICES thread t runs on device t mod their number, on at least as many threads as there are devices. The
 * library libmien_cuda.so is looked for in the folder of the library or program that has mien's code, in ../lib from
 * there, and where the system's loader looks; it must be of mien's own version. Without it, a driver or the device it
 * is MIEN_RESOURCE. MIEN_ISA is not looked at. A child of fork can't use CUDA where its parent has (MIEN_ARGUMENT).
 */
MIEN_API MIEN_MUST_USE mien_status mien_session_create(mien_model *model, const mien_session_options *options,
                                                       mien_session **session, mien_error *error);
MIEN_API void mien_session_destroy(mien_session *session);

/* The instruction set that the session runs texts with, or a head alone embeddings: "avx512". Of a CUDA device, the
 * first one, its architecture: "sm_90". Lives as long as the session. */
MIEN_API const char *mien_session_isa(const mien_session *session);

/* ---- Labelling ----------------------------------------------------------------------------------------------- */

/* n rows of D numbers in memory, the machine's byte order. `data` is aligned to its element. */
typedef struct mien_rows {
  size_t size; /* sizeof(mien_rows) */
  const void *data;
  mien_dtype dtype;
  size_t stride; /* elements from a row to the next, at least D; 0 means D */
} mien_rows;

/* What became of a row. */
typedef uint8_t mien_row_status;
enum {
  MIEN_ROW_OK = 0,
  MIEN_ROW_NOT_FINITE = 1, /* NaN or infinity in the row or the text's embedding (as float32), or a sum of it beyond
                              float32: its words are 0 and its scores NaN */
  MIEN_ROW_TRUNCATED = 2,  /* a text longer than the encoder takes: its results are good ones, of its first tokens */
};

/* Where results go: the caller's arrays, each may be NULL. They must not overlap the rows. */
typedef struct mien_results {
  size_t size;             /* sizeof(mien_results) */
  uint32_t *words;         /* [n × ⌈L/32⌉] label l is bit l mod 32 of word l div 32; bits past L are 0 */
  float *scores;           /* [n × L] */
  mien_row_status *status; /* [n] */
  size_t n_bad;            /* out: how many rows are MIEN_ROW_NOT_FINITE */
  float *embeddings;       /* [n × D] of texts; written by mien_label_texts and mien_embed_texts; NaN of bad rows */
  size_t n_truncated;      /* out: how many rows are MIEN_ROW_TRUNCATED; a bad row that was cut is a bad one */
} mien_results;

/* Words a row: ⌈L/32⌉. */
MIEN_API size_t mien_model_words(const mien_model *model);

/*
 * Scores and labels of n embeddings (n may be 0). Words are exactly score > threshold of the scores that this session
 * would write. A bad row is marked and does not fail the call. Source of the scores: float32 sums in a fixed order,
 * then 1 / (1 + exp(-z)).
 */
MIEN_API MIEN_MUST_USE mien_status mien_label_embeddings(mien_session *session, const mien_rows *rows, size_t n,
                                                         mien_results *results, mien_error *error);

/* ---- Texts --------------------------------------------------------------------------------------------------- */

/* Bytes of UTF-8, not terminated, NUL bytes among them allowed; bytes that are not UTF-8 are read as U+FFFD. */
typedef struct mien_text {
  const char *bytes; /* may be NULL when size is 0 */
  size_t size;
} mien_text;

/*
 * Labels n texts (n may be 0): tokens, embeddings, scores, labels. Texts longer than mien_model_max_tokens are cut to
 * their first tokens and marked MIEN_ROW_TRUNCATED. Scores are those that mien_label_embeddings gives to the
 * embeddings. A session has memory for one batch a thread, whatever n is; a call on CUDA takes two bytes a text more,
 * and where neither words nor scores are asked for ⌈L/32⌉ words. MIEN_ARGUMENT where the model has no encoder or no
 * head.
 */
MIEN_API MIEN_MUST_USE mien_status mien_label_texts(mien_session *session, const mien_text *texts, size_t n,
                                                    mien_results *results, mien_error *error);

/* The embeddings of n texts alone: results' embeddings, status, n_bad and n_truncated; words and scores stay as they
 * are.
 */
MIEN_API MIEN_MUST_USE mien_status mien_embed_texts(mien_session *session, const mien_text *texts, size_t n,
                                                    mien_results *results, mien_error *error);

/*
 * Writes the token ids of `text`, special ones included, into ids [capacity] and their number into *n_ids; those of
 * Hugging Face tokenizers 0.23. Above `max_tokens` (at least 2, the special ones; 0: no limit) the text is cut as the
 * encoder does; a text was cut where it has more ids without a limit. More than `capacity` ids are MIEN_ARGUMENT;
 * size + 2 are always enough. Thread-safe.
 */
MIEN_API MIEN_MUST_USE mien_status mien_tokenize(const mien_model *model, mien_text text, size_t max_tokens,
                                                 int32_t *ids, size_t capacity, size_t *n_ids, mien_error *error);

/* ---- Long texts ---------------------------------------------------------------------------------------------- */

/* The bytes [start, end) of a text. */
typedef struct mien_text_span {
  size_t start, end;
} mien_text_span;

/*
 * Cuts a text into spans, to be labelled one by one, of at most mien_model_max_tokens tokens each. A text that has no
 * more is one span, perhaps an empty one. A longer text is cut into its sentences (behind full stops, exclamation and
 * question marks that white space follows, and at line breaks; src/tokenizer/sentences.h has the rules), and a sentence
 * of more tokens into windows: as many words as fit, else as much as fits of a word without white space, at its
 * punctuation and ideographs first; only a single character that is more tokens by itself is a span of more. Spans are
 * in order, do not overlap, neither begin nor end with white space, and leave out nothing but white space and what the
 * tokenizer reads nothing of. Writes the first `capacity` of them and their whole number, which may be above it, into
 * *n_spans. Takes time linear in the bytes. MIEN_ARGUMENT where the model has no encoder. Thread-safe.
 */
MIEN_API MIEN_MUST_USE mien_status mien_split_text(const mien_model *model, mien_text text, mien_text_span *spans,
                                                   size_t capacity, size_t *n_spans, mien_error *error);

/* What a text's scores are made of its spans' by, label by label. */
typedef int32_t mien_span_pooling;
enum {
  MIEN_SPANS_MAX = 0,  /* the highest */
  MIEN_SPANS_MEAN = 1, /* their mean, each span counting the same: a sum in double, rounded once */
};

/*
 * Writes the scores of a text into pooled [L], from the scores [n × L] of its n ≥ 1 spans, and its labels, those whose
 * score is above their threshold, into words [⌈L/32⌉]; either may be NULL, and `pooled` may be `scores`. NaN where a
 * span's is. MIEN_ARGUMENT where the model has no head. Thread-safe.
 */
MIEN_API MIEN_MUST_USE mien_status mien_pool_scores(const mien_model *model, const float *scores, size_t n,
                                                    mien_span_pooling pooling, float *pooled, uint32_t *words,
                                                    mien_error *error);

#ifdef __cplusplus
}
#endif

#endif
