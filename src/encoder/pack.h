/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pack: one safetensors file with a whole model, whose weights lie in it as the kernels read them. Here is the file
 * as such, and the encoder in it; a head's tensors are named by who knows heads. models/README.md has the format.
 */
#ifndef MIEN_ENCODER_PACK_H
#define MIEN_ENCODER_PACK_H

#include "encoder/plan.h"
#include "encoder/small_file.h"
#include "formats/safetensors_writer.h"

enum { MIEN_PACK_VERSION = 1 };

typedef struct mien_pack_file {
  const char *where;    /* names it in messages */
  unsigned char *bytes; /* [size] aligned to MIEN_LINE, not to be written */
  size_t size;
  bool is_mapped; /* and not in memory of its own */
  bool is_kept;   /* by an encoder, which frees it */
  mien_safetensors *tensors;
  bool *taken;                      /* [tensors] those that somebody asked for */
  mien_small_file config;           /* the object that the metadata holds as text */
  mien_dtype dtype;                 /* F32, F16, BF16 or INT8 */
  const char *license, *created_by; /* of the metadata; NULL when it says nothing */
} mien_pack_file;

/* Whether the file at `path` is a safetensors file, a pack or not, by its first bytes; and whether its header says that
 * it is a pack. Damaged ones are what they began as. */
bool mien_pack_is_like(const char *path);
bool mien_pack_is_one(const char *path);

/*
 * Opens a pack, mapped, or from memory of mien_alloc_raw, which it takes over, after a failure too. Its header is
 * checked, its version and that it is one at all; `where` and `path` must outlive it. Close it in any case.
 */
MIEN_MUST_USE mien_status mien_pack_open(const char *path, mien_pack_file *pack, mien_error *error);
MIEN_MUST_USE mien_status mien_pack_open_memory(unsigned char *bytes, size_t size, const char *where,
                                                mien_pack_file *pack, mien_error *error);
void mien_pack_close(mien_pack_file *pack);

/* The data of a tensor, which must have this type and shape and lie at a multiple of `alignment`. */
MIEN_MUST_USE mien_status mien_pack_tensor(mien_pack_file *pack, const char *name, const char *type, size_t rank,
                                           const size_t *dims, size_t alignment, void **data, mien_error *error);

/* Refuses tensors that nobody asked for. */
MIEN_MUST_USE mien_status mien_pack_require_all_taken(const mien_pack_file *pack, mien_error *error);

/* The encoder, once: it takes over the file's bytes, which must be read no more when it is destroyed. */
MIEN_MUST_USE mien_status mien_pack_encoder(mien_pack_file *pack, mien_encoder_source **source, mien_error *error);

/* What is written beside the encoder. */
typedef struct mien_pack_content {
  json_t *head;            /* the configuration's "head", borrowed; NULL without one */
  mien_tensor_lister list; /* names the head's tensors: their elements take 4 bytes */
  void *list_context;
  const char *license; /* NULL: the pack says nothing */
} mien_pack_content;

/* Writes a pack of the encoder in its dtype, whole or not at all. BF16X3 is MIEN_ARGUMENT. */
MIEN_MUST_USE mien_status mien_pack_write(const char *path, const mien_encoder_plan *plan,
                                          const mien_pack_content *content, uint64_t *file_bytes, mien_error *error);

/* ---- What reader and writer share ------------------------------------------------------------------------------ */

/* The type of the tensors that weights of the dtype are in, "BF16"; NULL for dtypes that packs have not. */
const char *mien_pack_type(mien_dtype dtype);

/* The bits that activations have in the products of the dtype, "8"; attention is always float32. */
const char *mien_pack_activation_bits(mien_dtype dtype);
#define MIEN_PACK_ATTENTION "f32"

/* The shape of a matrix's panels. */
enum { MIEN_PACK_MAX_RANK = 4 };
size_t mien_pack_panel_shape(mien_dtype dtype, size_t inputs, size_t outputs, size_t dims[MIEN_PACK_MAX_RANK]);

/* The names of a layer's matrices and norms, in the file's order: "layers.0." and these. */
enum { MIEN_PACK_NORMS = 2, MIEN_PACK_NAME_CHARS = 64 };
extern const char *const mien_pack_matrix_names[MIEN_LAYER_MATRICES], *const mien_pack_norm_names[MIEN_PACK_NORMS];

/* "layers.0.up.bias" of "layers.0.", "up" and "bias". Returns `out`. */
const char *mien_pack_name(char out[MIEN_PACK_NAME_CHARS], const char *before, const char *name, const char *part);

/* Whether a matrix has multipliers, by its place among the names: those do whose inputs come from a norm. */
bool mien_pack_has_multipliers(mien_dtype dtype, size_t index);

/* The matrices and norms of a layer by those names. */
mien_norm *mien_pack_norm(mien_layer *layer, size_t index);

extern const char *const mien_pack_poolings[]; /* by mien_pooling */

#endif
