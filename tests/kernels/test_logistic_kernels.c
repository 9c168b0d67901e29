/* SPDX-License-Identifier: Apache-2.0 */
/* Logistic regression's losses and residuals on every instruction set of this machine, against libm in double. */
#include "kernels/logistic_kernels.h"

#include <math.h>
#include <string.h>

#include "suite.h"

enum { LANES = 16, MOST_ROWS = 2 * MIEN_LOSS_ROWS + 1 };

static void check(const mien_logistic_kernels *kernels, size_t n, float reach, bool has_rows) {
  float logits[MOST_ROWS * LANES], before[MOST_ROWS * LANES], targets[MOST_ROWS * LANES], rows[MOST_ROWS];
  float positive[LANES], negative[LANES];
  double losses[LANES], expected[LANES];
  uint64_t state = n + 1;
  for (size_t i = 0; i < n * LANES; i++) {
    before[i] = logits[i] = reach * (float)random_unit(&state);
    targets[i] = i % 3 == 0 ? 1.0f : i % 3 == 1 ? 0.0f : (float)fabs(random_unit(&state));
  }
  for (size_t i = 0; i < n; i++) rows[i] = i % 5 == 4 ? 0.0f : (float)fabs(random_unit(&state));
  for (size_t i = 0; i < LANES; i++) {
    positive[i] = 1 + (float)i / 4;
    negative[i] = 1 / positive[i];
    losses[i] = expected[i] = (double)i;
  }
  kernels->residuals(&(mien_loss_panel){logits, targets, has_rows ? rows : NULL, positive, negative, losses}, n);
  double reachable[LANES] = {0};
  for (size_t i = 0; i < n * LANES; i++) {
    const double z = (double)before[i], y = (double)targets[i], row = has_rows ? (double)rows[i / LANES] : 1;
    const double a = row * (double)positive[i % LANES] * y, b = row * (double)negative[i % LANES] * (1 - y);
    const double residual = (a + b) / (1 + exp(-z)) - a;
    require(fabs((double)logits[i] - residual) <= 4e-7 * (a + b), "%s: logit %g, target %g: expected %.9g, found %.9g",
            mien_isa_name(kernels->isa), z, y, residual, (double)logits[i]);
    expected[i % LANES] += a * (log1p(exp(-fabs(z))) + fmax(-z, 0)) + b * (log1p(exp(-fabs(z))) + fmax(z, 0));
    reachable[i % LANES] += (a + b) * (1 + fabs(z));
  }
  for (size_t i = 0; i < LANES; i++)
    require(fabs(losses[i] - expected[i]) <= 4e-7 * reachable[i], "%s: loss %zu of %zu rows: expected %.9g, found %.9g",
            mien_isa_name(kernels->isa), i, n, expected[i], losses[i]);
}

START_TEST(losses_and_residuals_are_those_of_libm) {
  static const size_t counts[] = {0, 1, MIEN_LOSS_ROWS - 1, MIEN_LOSS_ROWS, MIEN_LOSS_ROWS + 1, MOST_ROWS};
  static const float reaches[] = {1e-3f, 1, 10, 80, 1e4f};
  for (int isa = 0; isa < MIEN_ISA_COUNT; isa++) {
    const mien_logistic_kernels *kernels = mien_logistic_kernels_of[isa];
    if (!kernels || !mien_isa_available((mien_isa)isa)) continue;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
      for (size_t k = 0; k < sizeof reaches / sizeof *reaches; k++)
        for (int has_rows = 0; has_rows < 2; has_rows++) check(kernels, counts[i], reaches[k], has_rows);
  }
}
END_TEST

START_TEST(every_instruction_set_has_a_table_within_it) {
  for (int isa = 0; isa < MIEN_ISA_COUNT; isa++) {
    const mien_logistic_kernels *kernels = mien_logistic_kernels_for((mien_isa)isa);
    ck_assert_ptr_nonnull(kernels);
    ck_assert_int_le(kernels->isa, isa);
  }
}
END_TEST

MIEN_SUITE("logistic_kernels", losses_and_residuals_are_those_of_libm, every_instruction_set_has_a_table_within_it)
