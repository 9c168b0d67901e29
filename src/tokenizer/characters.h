/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of each character: BertNormalizer and BertPreTokenizer as one table, made once for a tokenizer's options
 * so that a text's characters need one look-up each.
 */
#ifndef MIEN_TOKENIZER_CHARACTERS_H
#define MIEN_TOKENIZER_CHARACTERS_H

#include <stdbool.h>

#include "base/status.h"
#include "tokenizer/unicode_tables.h"

typedef enum mien_character_kind {
  MIEN_CHARACTER_WORD,            /* part of a word; a starter, so that marks before it are in their places */
  MIEN_CHARACTER_ISOLATED,        /* a word of its own: punctuation, an ideograph */
  MIEN_CHARACTER_DROPPED,         /* nothing: cleaned away, or an accent */
  MIEN_CHARACTER_HANGUL,          /* a syllable, part of a word: its two or three jamo */
  MIEN_CHARACTER_DROPPED_STARTER, /* nothing, but marks before it are in their places */
  MIEN_CHARACTER_SPACE,           /* between words */
  MIEN_CHARACTER_MARK,            /* part of a word, to be sorted among the marks around it */
  MIEN_CHARACTER_SEQUENCE,        /* several characters, those of mien_character_sequence */
} mien_character_kind;

/* BertNormalizer's options. */
typedef struct mien_character_options {
  bool clean, chinese, strip_accents, lowercase;
} mien_character_options;

enum {
  MIEN_CHARACTER_BLOCK_BITS = 8, /* of 256: with 64 or 1024 the table is larger */
  MIEN_CHARACTER_BLOCK = 1 << MIEN_CHARACTER_BLOCK_BITS,
  MIEN_CHARACTER_TARGET_BITS = 21, /* an entry's kind is above its target; target 0: the character itself */
};

typedef struct mien_characters {
  uint32_t *entries; /* [blocks × MIEN_CHARACTER_BLOCK] */
  uint16_t blocks[MIEN_CODE_POINTS >> MIEN_CHARACTER_BLOCK_BITS];
} mien_characters;

/* `where` names the file in messages. */
MIEN_MUST_USE mien_status mien_characters_make(const mien_character_options *options, const char *where,
                                               mien_characters *characters, mien_error *error);
void mien_characters_clear(mien_characters *characters);

static inline uint32_t mien_characters_entry(const mien_characters *characters, uint32_t code_point) {
  const size_t block = characters->blocks[code_point >> MIEN_CHARACTER_BLOCK_BITS];
  return characters->entries[block * MIEN_CHARACTER_BLOCK + code_point % MIEN_CHARACTER_BLOCK];
}

static inline mien_character_kind mien_character_kind_of(uint32_t entry) {
  return (mien_character_kind)(entry >> MIEN_CHARACTER_TARGET_BITS);
}

/* What the character becomes; `code_point` is the one whose entry it is. */
static inline uint32_t mien_character_target(uint32_t entry, uint32_t code_point) {
  const uint32_t target = entry & ((1u << MIEN_CHARACTER_TARGET_BITS) - 1);
  return target ? target : code_point;
}

/* Of a sequence's entry: its characters, whose own entries say what they are. *count tells how many. */
const uint32_t *mien_character_sequence(uint32_t entry, size_t *count);

/* The jamo of a Hangul syllable; returns how many. */
enum { MIEN_MAX_JAMO = 3 };
size_t mien_character_jamo(uint32_t syllable, uint32_t jamo[MIEN_MAX_JAMO]);

/* White_Space, whatever the options. */
bool mien_character_is_space(uint32_t code_point);

/* The combining class of a character whose kind is MARK. */
uint8_t mien_character_combining_class(uint32_t code_point);

#endif
