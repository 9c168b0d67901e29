/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers as text. The float part is Schubfach (R. Giulietti, "The Schubfach way to render doubles", 2020) for
 * binary32: the rounding interval of the value is scaled by a power of ten with one 64×32-bit product a bound, and
 * holds at least one multiple of 10^k and at most one of 10^(k+1).
 */
#include "base/number.h"

#include <stdbool.h>
#include <string.h>

enum { POW10_MIN = -31, POW10_MAX = 45 };

/* 10^e = pow10_bits[e - POW10_MIN] × 2^(floor(log2(10^e)) - 63), rounded up where it is not exact. */
static const uint64_t pow10_bits[POW10_MAX - POW10_MIN + 1] = {
    0x81CEB32C4B43FCF5, 0xA2425FF75E14FC32, 0xCAD2F7F5359A3B3F, 0xFD87B5F28300CA0E, 0x9E74D1B791E07E49,
    0xC612062576589DDB, 0xF79687AED3EEC552, 0x9ABE14CD44753B53, 0xC16D9A0095928A28, 0xF1C90080BAF72CB2,
    0x971DA05074DA7BEF, 0xBCE5086492111AEB, 0xEC1E4A7DB69561A6, 0x9392EE8E921D5D08, 0xB877AA3236A4B44A,
    0xE69594BEC44DE15C, 0x901D7CF73AB0ACDA, 0xB424DC35095CD810, 0xE12E13424BB40E14, 0x8CBCCC096F5088CC,
    0xAFEBFF0BCB24AAFF, 0xDBE6FECEBDEDD5BF, 0x89705F4136B4A598, 0xABCC77118461CEFD, 0xD6BF94D5E57A42BD,
    0x8637BD05AF6C69B6, 0xA7C5AC471B478424, 0xD1B71758E219652C, 0x83126E978D4FDF3C, 0xA3D70A3D70A3D70B,
    0xCCCCCCCCCCCCCCCD, 0x8000000000000000, 0xA000000000000000, 0xC800000000000000, 0xFA00000000000000,
    0x9C40000000000000, 0xC350000000000000, 0xF424000000000000, 0x9896800000000000, 0xBEBC200000000000,
    0xEE6B280000000000, 0x9502F90000000000, 0xBA43B74000000000, 0xE8D4A51000000000, 0x9184E72A00000000,
    0xB5E620F480000000, 0xE35FA931A0000000, 0x8E1BC9BF04000000, 0xB1A2BC2EC5000000, 0xDE0B6B3A76400000,
    0x8AC7230489E80000, 0xAD78EBC5AC620000, 0xD8D726B7177A8000, 0x878678326EAC9000, 0xA968163F0A57B400,
    0xD3C21BCECCEDA100, 0x84595161401484A0, 0xA56FA5B99019A5C8, 0xCECB8F27F4200F3A, 0x813F3978F8940985,
    0xA18F07D736B90BE6, 0xC9F2C9CD04674EDF, 0xFC6F7C4045812297, 0x9DC5ADA82B70B59E, 0xC5371912364CE306,
    0xF684DF56C3E01BC7, 0x9A130B963A6C115D, 0xC097CE7BC90715B4, 0xF0BDC21ABB48DB21, 0x96769950B50D88F5,
    0xBC143FA4E250EB32, 0xEB194F8E1AE525FE, 0x92EFD1B8D0CF37BF, 0xB7ABC627050305AE, 0xE596B7B0C643C71A,
    0x8F7E32CE7BEA5C70, 0xB35DBF821AE4F38C};

static const char digit_pairs[] = "0001020304050607080910111213141516171819"
                                  "2021222324252627282930313233343536373839"
                                  "4041424344454647484950515253545556575859"
                                  "6061626364656667686970717273747576777879"
                                  "8081828384858687888990919293949596979899";

typedef struct decimal {
  uint32_t digits; /* value = digits × 10^exponent */
  int exponent;
} decimal;

/* floor(g × scaled / 2^64), its lowest bit set when what was lost is more than the rounding of g itself. */
static uint32_t round_to_odd(uint64_t g, uint32_t scaled) {
  __extension__ typedef unsigned __int128 uint128;
  uint128 product = (uint128)g * scaled;
  uint32_t whole = (uint32_t)(product >> 64);
  uint32_t rest = (uint32_t)((uint64_t)product >> 32);
  return whole | (rest > 1);
}

/* `value` is finite and above zero, as its bits without a sign. */
static decimal shortest(uint32_t bits) {
  enum { MANTISSA_BITS = 23, EXPONENT_BIAS = 150 };
  uint32_t fraction = bits & ((1u << MANTISSA_BITS) - 1);
  int biased = (int)(bits >> MANTISSA_BITS);
  uint32_t c = biased ? fraction | (1u << MANTISSA_BITS) : fraction;
  int q = (biased ? biased : 1) - EXPONENT_BIAS; /* value = c × 2^q */

  bool even = c % 2 == 0;
  bool closer_below = fraction == 0 && biased > 1; /* the neighbour below a power of two is half as far */
  uint32_t lower = 4 * c - 2 + closer_below, middle = 4 * c, upper = 4 * c + 2;

  /* k = floor(log10 of the interval's width), h = the shift that goes with 10^-k; right shifts of negative numbers
   * round down here. The constants are log10(2) × 2^22, log10(4/3) × 2^22 and log2(10) × 2^19. */
  int k = (q * 1262611 - (closer_below ? 524031 : 0)) >> 22;
  int h = q + ((-k * 1741647) >> 19) + 1;
  uint64_t g = pow10_bits[-k - POW10_MIN];
  uint32_t scaled_lower = round_to_odd(g, lower << h) + !even;
  uint32_t scaled = round_to_odd(g, middle << h);
  uint32_t scaled_upper = round_to_odd(g, upper << h) - !even;

  uint32_t s = scaled / 4;
  if (s >= 10) {
    uint32_t tens = s / 10;
    bool below_inside = scaled_lower <= 40 * tens, above_inside = 40 * tens + 40 <= scaled_upper;
    if (below_inside != above_inside) return (decimal){tens + above_inside, k + 1};
  }
  bool below_inside = scaled_lower <= 4 * s, above_inside = 4 * s + 4 <= scaled_upper;
  if (below_inside != above_inside) return (decimal){s + above_inside, k};
  uint32_t half = 4 * s + 2;
  bool up = scaled > half || (scaled == half && s % 2 == 1);
  return (decimal){s + up, k};
}

static int count_digits(uint32_t value) {
  int count = 1;
  for (uint32_t bound = 10; value >= bound; bound *= 10) {
    count++;
    if (count == 10) break;
  }
  return count;
}

/* Writes exactly `count` digits, which `value` has. */
static void write_digits(char *out, uint32_t value, int count) {
  while (count >= 2) {
    count -= 2;
    memcpy(out + count, digit_pairs + 2 * (value % 100), 2);
    value /= 100;
  }
  if (count) out[0] = (char)('0' + value);
}

static size_t write_scientific(char *out, const char *digits, int count, int exponent) {
  char *at = out;
  *at++ = digits[0];
  if (count > 1) {
    *at++ = '.';
    memcpy(at, digits + 1, (size_t)count - 1);
    at += count - 1;
  }
  *at++ = 'e';
  if (exponent < 0) *at++ = '-';
  uint32_t magnitude = (uint32_t)(exponent < 0 ? -exponent : exponent);
  int places = count_digits(magnitude);
  write_digits(at, magnitude, places);
  return (size_t)(at + places - out);
}

/* `point` digits stand before the point: ≤ 0 for values below 1. */
static size_t write_fixed(char *out, const char *digits, int count, int point) {
  char *at = out;
  if (point <= 0) {
    memcpy(at, "0.000", 5);
    at += 2 - point;
    memcpy(at, digits, (size_t)count);
    at += count;
  } else if (point >= count) {
    memcpy(at, digits, (size_t)count);
    memset(at + count, '0', (size_t)(point - count));
    at += point;
    *at++ = '.';
    *at++ = '0';
  } else {
    memcpy(at, digits, (size_t)point);
    at[point] = '.';
    memcpy(at + point + 1, digits + point, (size_t)(count - point));
    at += count + 1;
  }
  return (size_t)(at - out);
}

size_t mien_format_float(char out[MIEN_NUMBER_CHARS], float value) {
  enum { FIRST_FIXED = -3, LAST_FIXED = 16 }; /* digits before the point, for 0.0001 and for 1e15 */
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) {
    memcpy(out, "nan", 3);
    return 3;
  }
  size_t sign = bits >> 31;
  out[0] = '-';
  char *at = out + sign;
  if (magnitude == 0x7F800000u || magnitude == 0) {
    memcpy(at, magnitude ? "inf" : "0.0", 3);
    return sign + 3;
  }
  decimal found = shortest(magnitude);
  while (found.digits % 10 == 0) {
    found.digits /= 10;
    found.exponent++;
  }
  char digits[10];
  int count = count_digits(found.digits);
  write_digits(digits, found.digits, count);
  int point = count + found.exponent;
  if (point < FIRST_FIXED || point > LAST_FIXED) return sign + write_scientific(at, digits, count, point - 1);
  return sign + write_fixed(at, digits, count, point);
}

size_t mien_format_uint(char out[MIEN_NUMBER_CHARS], uint64_t value) {
  char reversed[MIEN_NUMBER_CHARS];
  size_t at = sizeof reversed;
  while (value >= 100) {
    at -= 2;
    memcpy(reversed + at, digit_pairs + 2 * (value % 100), 2);
    value /= 100;
  }
  if (value >= 10) {
    at -= 2;
    memcpy(reversed + at, digit_pairs + 2 * value, 2);
  } else {
    reversed[--at] = (char)('0' + value);
  }
  memcpy(out, reversed + at, sizeof reversed - at);
  return sizeof reversed - at;
}
