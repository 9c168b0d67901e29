/* SPDX-License-Identifier: Apache-2.0 */
/* Smoothing: which inputs of int8 products are made smaller before they are rounded, and their weights larger. */
#ifndef MIEN_ENCODER_SMOOTH_H
#define MIEN_ENCODER_SMOOTH_H

#include "encoder/plan.h"

/*
 * A few of a BERT's numbers are many times as large as the others, for all tokens, and take their row's scale with
 * them. Each input is divided by a power of the largest magnitude that it has in texts, and its weights are multiplied
 * by it (Xiao, Lin, Seznec, Wu, Demouth, Han: SmoothQuant, 2022, arXiv:2211.10438). The texts are made of tokens at
 * random, which show the same inputs as large.
 *
 * Sets the multipliers of a plan of int8 whose multipliers are 1 so far, from what it makes of those texts; the weights
 * are still to be divided by them. Everything is computed in ways that have the same bits on every processor.
 */
MIEN_MUST_USE mien_status mien_encoder_smooth(mien_encoder_plan *plan, const char *where, mien_error *error);

#endif
