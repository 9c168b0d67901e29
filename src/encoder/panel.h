/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers in the dtypes that encoders are stored and run in: rows rounded to them, and panels of weights in the layouts
 * of kernels/encoder_kernels.h. */
#ifndef MIEN_ENCODER_PANEL_H
#define MIEN_ENCODER_PANEL_H

#include "kernels/encoder_kernels.h"
#include "mien/mien.h"

/* "f32", "bf16x3", …; NULL for what no encoder runs in. */
const char *mien_dtype_name(mien_dtype dtype);

/* The largest magnitude of a row of int8. */
enum { MIEN_INT8_MOST = 127 };

/*
 * What a step of int8 stands for where the largest magnitude is `largest`, and its inverse, by which numbers are
 * multiplied before they are rounded. Magnitudes below 2^-100 are taken for 0: scale and inverse are 0 there.
 */
typedef struct mien_int8_scale {
  float scale, inverse;
} mien_int8_scale;
mien_int8_scale mien_int8_scale_of(float largest);

/* Rounds each of the row's numbers to the nearest that the dtype has, ties to even. */
void mien_round_row(mien_dtype dtype, float *row, size_t n);

/* The row as int8, its numbers scale × the integers. Returns the scale. */
float mien_int8_row(const float *row, size_t n, int8_t *out);

/* Bytes of an element of the dtype in a panel: 4 (F32, BF16X3), 2 (F16, BF16) or 1 (INT8). */
size_t mien_panel_element(mien_dtype dtype);

/* Inputs that a panel has in memory. */
static inline size_t mien_panel_depth(mien_dtype dtype, size_t inputs) {
  return dtype == MIEN_F16 ? inputs : mien_depth(inputs, mien_panel_element(dtype));
}

/* What the products of an encoder of that dtype run in, and the dtype whose layout their panels have: F32, BF16 or
 * INT8. */
mien_products mien_products_of(mien_dtype dtype);
mien_dtype mien_layout_of(mien_dtype dtype);

/* Weights of 16 outputs, panel [inputs][16], in the dtype's layout (F16: [inputs][16]) to `packed`; with INT8 their
 * scales [16] too. */
void mien_panel_pack(mien_dtype dtype, const float *panel, size_t inputs, void *packed, float *scales);

/* And back. */
void mien_panel_unpack(mien_dtype dtype, const void *packed, const float *scales, size_t inputs, float *panel);

/* Whether the panels of all outputs have nothing but zeros behind the inputs. */
bool mien_panels_have_zeros_behind(mien_dtype dtype, const void *panels, size_t inputs, size_t outputs);

/* The sums of the weights [16] of a panel of INT8; false where one of them is -128, which is no weight. */
bool mien_panel_sums(const int8_t *packed, size_t inputs, int32_t *sums);

#endif
