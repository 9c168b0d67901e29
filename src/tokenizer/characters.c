/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of each character: the ranges of unicode_tables.c laid over each other in the reference's order. */
#include "tokenizer/characters.h"

#include <string.h>

#include "base/memory.h"

/* Blocks that are all alike: the first four, by kind, in every table. */
enum { ALIKE_BLOCKS = MIEN_CHARACTER_HANGUL + 1, FIRST_BLOCKS = 256 };

typedef struct builder {
  mien_characters *characters;
  size_t n_blocks, capacity;
  bool failed; /* without memory: what is written then goes to `nowhere` */
  uint32_t nowhere;
} builder;

static uint32_t entry_for(mien_character_kind kind, uint32_t target) {
  return (uint32_t)kind << MIEN_CHARACTER_TARGET_BITS | target;
}

static bool reserve_block(builder *build) {
  enum { BLOCK_BYTES = MIEN_CHARACTER_BLOCK * sizeof(uint32_t) };
  if (build->n_blocks < build->capacity) return true;
  const size_t capacity = build->capacity ? 2 * build->capacity : FIRST_BLOCKS;
  uint32_t *entries = mien_alloc_raw(capacity * BLOCK_BYTES);
  if (!entries) return false;
  if (build->n_blocks) memcpy(entries, build->characters->entries, build->n_blocks * BLOCK_BYTES);
  mien_free(build->characters->entries);
  build->characters->entries = entries;
  build->capacity = capacity;
  return true;
}

static void add_block(builder *build, uint32_t entry) {
  if (!reserve_block(build)) {
    build->failed = true;
    return;
  }
  uint32_t *block = build->characters->entries + build->n_blocks++ * MIEN_CHARACTER_BLOCK;
  for (size_t i = 0; i < MIEN_CHARACTER_BLOCK; i++) block[i] = entry;
}

/* Where the entry may be written: in a block of its own from now on. */
static uint32_t *entry_at(builder *build, uint32_t code_point) {
  uint16_t *block = &build->characters->blocks[code_point >> MIEN_CHARACTER_BLOCK_BITS];
  if (*block < ALIKE_BLOCKS && !build->failed) {
    add_block(build, entry_for((mien_character_kind)*block, 0));
    if (!build->failed) *block = (uint16_t)(build->n_blocks - 1);
  }
  if (build->failed) return &build->nowhere;
  return &build->characters->entries[(size_t)*block * MIEN_CHARACTER_BLOCK + code_point % MIEN_CHARACTER_BLOCK];
}

static void set_range(builder *build, uint32_t first, uint32_t count, mien_character_kind kind) {
  for (uint32_t c = first; c < first + count;) {
    const bool is_whole = c % MIEN_CHARACTER_BLOCK == 0 && first + count - c >= MIEN_CHARACTER_BLOCK;
    uint16_t *block = &build->characters->blocks[c >> MIEN_CHARACTER_BLOCK_BITS];
    if (is_whole && *block < ALIKE_BLOCKS && (int)kind < ALIKE_BLOCKS) {
      *block = (uint16_t)kind;
      c += MIEN_CHARACTER_BLOCK;
    } else {
      *entry_at(build, c++) = entry_for(kind, 0);
    }
  }
}

static void set_ranges(builder *build, const mien_code_range *ranges, size_t n, mien_character_kind kind) {
  for (size_t i = 0; i < n; i++) set_range(build, ranges[i].first, ranges[i].count, kind);
}

/* A sequence's target is 1 + its place in the table; that of U+0130, which is not in it, lies behind all others. */
enum { DOTTED_CAPITAL_I = 0x130, DOTTED_SEQUENCE = 0xFFFF };
static const uint32_t dotted_small_i[] = {'i', 0x307};

static void set_lowercase(builder *build) {
  for (size_t i = 0; i < mien_unicode_n_lowercase; i++) {
    const mien_lowercase_range *range = &mien_unicode_lowercase[i];
    for (uint32_t k = 0; k < range->count; k++) {
      const uint32_t code_point = range->first + k * range->step;
      *entry_at(build, code_point) = entry_for(MIEN_CHARACTER_WORD, (uint32_t)((int64_t)code_point + range->delta));
    }
  }
  *entry_at(build, DOTTED_CAPITAL_I) = entry_for(MIEN_CHARACTER_SEQUENCE, DOTTED_SEQUENCE);
}

static void set_accents(builder *build) {
  set_ranges(build, mien_unicode_accents, mien_unicode_n_accents, MIEN_CHARACTER_DROPPED);
  set_ranges(build, mien_unicode_starter_accents, mien_unicode_n_starter_accents, MIEN_CHARACTER_DROPPED_STARTER);
  for (size_t i = 0; i < mien_unicode_n_marks; i++)
    set_range(build, mien_unicode_marks[i].first, mien_unicode_marks[i].count, MIEN_CHARACTER_MARK);
}

/* A character becomes what its decomposition becomes, so this comes after everything that follows NFD. */
static void set_decompositions(builder *build) {
  enum { HANGUL_FIRST = 0xAC00, HANGUL_COUNT = 11172 };
  const uint32_t *target = mien_unicode_targets;
  for (size_t i = 0; i < mien_unicode_n_decompositions; i++) {
    const mien_code_range *range = &mien_unicode_decompositions[i];
    for (uint32_t c = range->first; c < range->first + range->count; c++, target++) {
      /* + 1: a target of 0 would be the character itself. */
      uint32_t entry = entry_for(MIEN_CHARACTER_SEQUENCE, *target - MIEN_CODE_POINTS + 1);
      if (*target < MIEN_CODE_POINTS && !build->failed) {
        const uint32_t became = mien_characters_entry(build->characters, *target);
        entry = entry_for(mien_character_kind_of(became), mien_character_target(became, *target));
      }
      *entry_at(build, c) = entry;
    }
  }
  set_range(build, HANGUL_FIRST, HANGUL_COUNT, MIEN_CHARACTER_HANGUL);
}

/* BERT's list of CJK ideographs. What they decompose to is kept. */
static void isolate_ideographs(builder *build) {
  static const mien_code_range ideographs[] = {
      {0x3400, 0x19C0},  {0x4E00, 0x5200},  {0xF900, 0x200},  {0x20000, 0xA6E0},
      {0x2A700, 0x1120}, {0x2B920, 0x1590}, {0x2F800, 0x220},
  };
  for (size_t i = 0; i < sizeof ideographs / sizeof *ideographs; i++) {
    const uint32_t end = ideographs[i].first + ideographs[i].count;
    for (uint32_t c = ideographs[i].first; c < end && !build->failed; c++) {
      if (c % MIEN_CHARACTER_BLOCK == 0 && end - c >= MIEN_CHARACTER_BLOCK &&
          build->characters->blocks[c >> MIEN_CHARACTER_BLOCK_BITS] == MIEN_CHARACTER_WORD) {
        set_range(build, c, MIEN_CHARACTER_BLOCK, MIEN_CHARACTER_ISOLATED);
        c += MIEN_CHARACTER_BLOCK - 1;
        continue;
      }
      uint32_t *entry = entry_at(build, c);
      *entry = entry_for(MIEN_CHARACTER_ISOLATED, mien_character_target(*entry, 0));
    }
  }
}

mien_status mien_characters_make(const mien_character_options *options, const char *where, mien_characters *characters,
                                 mien_error *error) {
  builder build = {.characters = characters};
  memset(characters, 0, sizeof *characters);
  for (int kind = 0; kind < ALIKE_BLOCKS; kind++) add_block(&build, entry_for((mien_character_kind)kind, 0));
  if (options->lowercase) set_lowercase(&build);
  if (options->strip_accents) set_accents(&build);
  set_ranges(&build, mien_unicode_punctuation, mien_unicode_n_punctuation, MIEN_CHARACTER_ISOLATED);
  set_ranges(&build, mien_unicode_spaces, mien_unicode_n_spaces, MIEN_CHARACTER_SPACE);
  if (options->strip_accents) set_decompositions(&build);
  if (options->chinese) isolate_ideographs(&build);
  /* Last, as what is cleaned away first never gets to the other steps. */
  if (options->clean) set_ranges(&build, mien_unicode_controls, mien_unicode_n_controls, MIEN_CHARACTER_DROPPED);
  if (!build.failed) return MIEN_OK;
  mien_characters_clear(characters);
  return mien_fail_memory(error, where, 2 * build.capacity * MIEN_CHARACTER_BLOCK * sizeof(uint32_t));
}

void mien_characters_clear(mien_characters *characters) {
  mien_free(characters->entries);
  characters->entries = NULL;
}

const uint32_t *mien_character_sequence(uint32_t entry, size_t *count) {
  const uint32_t target = mien_character_target(entry, 0);
  if (target == DOTTED_SEQUENCE) {
    *count = sizeof dotted_small_i / sizeof *dotted_small_i;
    return dotted_small_i;
  }
  const uint32_t *sequence = mien_unicode_sequences + target - 1;
  *count = sequence[0];
  return sequence + 1;
}

/* The Unicode standard, 3.12: syllables lie in the order of their leading consonants, vowels, trailing consonants. */
size_t mien_character_jamo(uint32_t syllable, uint32_t jamo[MIEN_MAX_JAMO]) {
  enum { S = 0xAC00, L = 0x1100, V = 0x1161, T = 0x11A7, V_COUNT = 21, T_COUNT = 28 };
  const uint32_t index = syllable - S;
  jamo[0] = L + index / (V_COUNT * T_COUNT);
  jamo[1] = V + index / T_COUNT % V_COUNT;
  jamo[2] = T + index % T_COUNT;
  return index % T_COUNT ? 3 : 2;
}

bool mien_character_is_space(uint32_t code_point) {
  for (size_t i = 0; i < mien_unicode_n_spaces; i++)
    if (code_point - mien_unicode_spaces[i].first < mien_unicode_spaces[i].count) return true;
  return false;
}

uint8_t mien_character_combining_class(uint32_t code_point) {
  size_t i = 0;
  while (i + 1 < mien_unicode_n_marks && code_point >= mien_unicode_marks[i + 1].first) i++;
  return mien_unicode_marks[i].combining_class;
}
