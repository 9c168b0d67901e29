/* SPDX-License-Identifier: Apache-2.0 */
/* Inside a model: what sessions need of it. */
#ifndef MIEN_MODEL_MODEL_H
#define MIEN_MODEL_MODEL_H

#include "kernels/head_plan.h"

/* The packed head, as long as the model lives. */
const mien_head_plan *mien_model_plan(const mien_model *model);

#endif
