/* SPDX-License-Identifier: Apache-2.0 */
/* binary16 to float, all of it, against the standard's definition. */
#include <math.h>

#include "base/half.h"
#include "suite.h"

START_TEST(every_half_is_the_float_that_the_standard_says) {
  for (uint32_t bits = 0; bits <= 0xFFFF; bits++) {
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    const float found = mien_half_to_float((uint16_t)bits);
    require(!signbit(found) == !(bits & 0x8000), "0x%04X: the sign", bits);
    if (exponent == 31 && fraction) {
      require(isnan(found), "0x%04X: found %g", bits, found);
      continue;
    }
    const double expected = exponent == 31  ? (double)INFINITY
                            : exponent == 0 ? ldexp(fraction, -24)
                                            : ldexp(1024 + fraction, exponent - 25);
    require(fabs((double)found) == expected, "0x%04X: expected %g, found %g", bits, expected, found);
  }
}
END_TEST

MIEN_SUITE("half", every_half_is_the_float_that_the_standard_says)
