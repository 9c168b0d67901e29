/* SPDX-License-Identifier: Apache-2.0 */
/* What mien calibrate found, and its pictures of it. */
#ifndef MIEN_CLI_CALIBRATION_H
#define MIEN_CLI_CALIBRATION_H

#include <stdio.h>

#include "corpus/buffer.h"
#include "train/examples.h"
#include "train/floats.h"
#include "train/metrics.h"
#include "train/platt.h"

typedef struct calibration_figures {
  double calibration_error, brier;
} calibration_figures;

typedef struct calibration {
  const mien_examples *examples; /* labels in the head's order */
  mien_floats before;            /* [n_rows × L] scores of the head as it was */
  mien_floats after;             /* of the head that is written */
  mien_floats held_out;          /* of each row by scalings that were fitted without its part */
  mien_platt *scalings;          /* [L] */
  calibration_figures *figures;  /* [(L + 1) × 3] before, after, held out; the last label's are the means */
} calibration;

static inline calibration_figures *calibration_of(const calibration *c, size_t label) { return c->figures + 3 * label; }

typedef enum calibration_format {
  CALIBRATION_TEXT,
  CALIBRATION_MARKDOWN,
  CALIBRATION_JSON,
  CALIBRATION_CSV
} calibration_format;

/* The table of figures; false without memory. Whether writing failed is the file's own. */
bool calibration_print(const calibration *c, calibration_format format, FILE *out);

/* A page of reliability diagrams as SVG, a label each; false without memory. */
bool calibration_plot(const calibration *c, mien_buffer *out);

#endif
