/* SPDX-License-Identifier: Apache-2.0 */
/* Packing an encoder's weights for the kernels: from files as they are published, or from a pack in another dtype. */
#ifndef MIEN_ENCODER_PLAN_WEIGHTS_H
#define MIEN_ENCODER_PLAN_WEIGHTS_H

#include "encoder/panel.h"
#include "encoder/plan.h"

/* What packing needs besides. */
typedef struct mien_packer {
  mien_dtype dtype, layout;
  bool multiplied_only; /* the panels of matrices without multipliers are there already */
  float *rows;          /* scratch [16 × the widest matrix's inputs], for what is 16 rows of a weight */
  float *panel;         /* the same, for a panel of floats */
} mien_packer;

/* Where the panel of the columns from `column` on lies in the matrix. */
static inline void *mien_panel_at(mien_dtype layout, const mien_matrix *matrix, size_t column) {
  return (unsigned char *)matrix->panels +
         column * mien_panel_depth(layout, matrix->inputs) * mien_panel_element(layout);
}

/* Fills what the plan has memory of its own for, but for what int8 wants to know of its weights. Weights of a matrix
 * with multipliers are divided by them. */
void mien_plan_fill(mien_encoder_plan *plan, const mien_packer *with);

#endif
