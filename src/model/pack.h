/* SPDX-License-Identifier: Apache-2.0 */
/* What is in a pack. */
#ifndef MIEN_MODEL_PACK_H
#define MIEN_MODEL_PACK_H

#include "encoder/pack.h"
#include "model/model.h"

typedef struct mien_pack_parts {
  mien_encoder_source *encoder;
  mien_head *head;   /* NULL in a pack of an encoder alone */
  float *thresholds; /* [L] */
} mien_pack_parts;

/* Everything of an opened pack, all of it checked. What is taken out of the parts is set to NULL; free the rest, after
 * a failure too. */
MIEN_MUST_USE mien_status mien_pack_read(mien_pack_file *pack, mien_pack_parts *parts, mien_error *error);
void mien_pack_parts_free(mien_pack_parts *parts);

#endif
