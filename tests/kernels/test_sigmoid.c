/* SPDX-License-Identifier: Apache-2.0 */
/* The sigmoid over the whole range of float32, and the cuts that thresholds become. */
#include <math.h>
#include <string.h>

#include "kernels/head_plan.h"
#include "kernels/sigmoid.h"
#include "suite.h"

static float float_of(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* Every stride-th float of both signs. A prime: all bits of the fraction vary. */
enum { STRIDE = 641 };

START_TEST(is_within_its_error_of_the_exact_value) {
  double worst = 0;
  for (uint64_t bits = 0; bits <= 0xFFFFFFFF; bits += STRIDE) {
    float z = float_of((uint32_t)bits);
    if (isnan(z)) continue;
    double exact = 1 / (1 + exp(-(double)z)), found = mien_sigmoid(z);
    require(found >= 0 && found <= 1, "sigmoid(%.9g) = %.9g", (double)z, found);
    if (exact < 0x1p-126) {
      require(fabs(found - exact) <= 0x1p-140, "sigmoid(%.9g) = %.9g", (double)z, found);
      continue;
    }
    double error = fabs(found - exact) / exact;
    worst = error > worst ? error : worst;
  }
  require(worst <= MIEN_SIGMOID_ERROR, "worst relative error: expected at most %g, found %g", MIEN_SIGMOID_ERROR,
          worst);
}
END_TEST

START_TEST(has_the_limits_of_the_function) {
  ck_assert(mien_sigmoid(0) == 0.5f);
  ck_assert(mien_sigmoid(INFINITY) == 1 && mien_sigmoid(1e30f) == 1 && mien_sigmoid(20) == 1);
  ck_assert(mien_sigmoid(-INFINITY) == 0 && mien_sigmoid(-1e30f) == 0 && mien_sigmoid(-105) == 0);
  ck_assert(mien_sigmoid(-100) > 0);
  ck_assert(isnan(mien_sigmoid(NAN)));
}
END_TEST

START_TEST(cuts_never_contradict_the_comparison_of_scores) {
  uint64_t state = 5;
  for (int i = 0; i < 4000; i++) {
    static const float fixed[] = {0, 1e-45f, 1e-38f, 1e-36f, 1e-34f, 0.5f, 0.9999999f, 0.99999994f, 1};
    float threshold = i < 9 ? fixed[i] : (float)pow(fabs(random_unit(&state)), i % 7 + 1);
    double weight = 1, bias = 0;
    mien_head_plan *plan;
    ck_assert_int_eq(mien_head_plan_create(1, 1, &weight, &bias, &threshold, &plan, NULL), MIEN_OK);
    float centre = (float)(log(threshold) - log1p(-threshold));
    centre = fmaxf(fminf(centre, 30), -110);
    for (int step = -300; step <= 300; step++) {
      float z = centre + (float)step * (step % 2 ? 1e-7f : 3e-2f) * fmaxf(1, fabsf(centre));
      if (z <= plan->sure_no[0])
        require(!(mien_sigmoid(z) > threshold), "threshold %.9g: sure no at %.9g", (double)threshold, (double)z);
      if (z > plan->sure_yes[0])
        require(mien_sigmoid(z) > threshold, "threshold %.9g: sure yes at %.9g", (double)threshold, (double)z);
    }
    mien_head_plan_destroy(plan);
  }
}
END_TEST

MIEN_SUITE("sigmoid", is_within_its_error_of_the_exact_value, has_the_limits_of_the_function,
           cuts_never_contradict_the_comparison_of_scores)
