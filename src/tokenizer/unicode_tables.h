/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Unicode's tables say in the reference, Hugging Face tokenizers 0.23: several versions of Unicode mixed, those of
 * the Rust crates that it is built from. unicode_tables.c is written by unicode_tables.py. Code points ascend.
 */
#ifndef MIEN_TOKENIZER_UNICODE_TABLES_H
#define MIEN_TOKENIZER_UNICODE_TABLES_H

#include <stddef.h>
#include <stdint.h>

enum { MIEN_CODE_POINTS = 0x110000, MIEN_REPLACEMENT_CHARACTER = 0xFFFD };

typedef struct mien_code_range {
  uint32_t first, count;
} mien_code_range;

/* Marks that NFD reorders by their combining class and that stay when accents are stripped. */
typedef struct mien_mark_range {
  uint32_t first, count;
  uint8_t combining_class;
} mien_mark_range;

/* The lowercase of first + i × step is its code point + delta, i < count. */
typedef struct mien_lowercase_range {
  uint32_t first;
  uint16_t count, step;
  int32_t delta;
} mien_lowercase_range;

extern const size_t mien_unicode_n_controls, mien_unicode_n_spaces, mien_unicode_n_punctuation, mien_unicode_n_accents,
    mien_unicode_n_starter_accents, mien_unicode_n_marks, mien_unicode_n_lowercase, mien_unicode_n_decompositions;

/* Category C without the unassigned, U+0000 and U+FFFD, but not tab, newline and return: what cleaning removes. */
extern const mien_code_range mien_unicode_controls[];
/* White_Space. Three of them are controls as well. */
extern const mien_code_range mien_unicode_spaces[];
/* Category P, and ASCII's symbols. */
extern const mien_code_range mien_unicode_punctuation[];
/* What stripping accents leaves nothing of: category Mn. Those of combining class 0, starters, end a run of marks. */
extern const mien_code_range mien_unicode_accents[];
extern const mien_code_range mien_unicode_starter_accents[];
extern const mien_mark_range mien_unicode_marks[];
/* U+0130 is not here: it is the only character whose lowercase has two, i and U+0307. */
extern const mien_lowercase_range mien_unicode_lowercase[];

/*
 * Canonical decompositions (NFD) without accents, where something other than the character itself is left; Hangul
 * syllables are decomposed by arithmetic. A target for each code point of the ranges, one behind the other: a code
 * point, or MIEN_CODE_POINTS + where its characters begin in mien_unicode_sequences, their count before them.
 */
extern const mien_code_range mien_unicode_decompositions[];
extern const uint32_t mien_unicode_targets[];
extern const uint32_t mien_unicode_sequences[];

#endif
