/* SPDX-License-Identifier: Apache-2.0 */
/* Normal forms of texts, by the tokenizer's table of characters. */
#include "train/normal_text.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "tokenizer/characters.h"

/* One that is no space and not dropped: behind the space that is due, if there is text before it. */
static bool put(mien_normal_texts *texts, size_t start, bool *space_is_due, uint32_t code_point) {
  char bytes[4];
  if (*space_is_due && texts->bytes.size > start && !mien_buffer_append(&texts->bytes, " ", 1)) return false;
  *space_is_due = false;
  return mien_buffer_append(&texts->bytes, bytes, mien_utf8_encode(code_point, bytes));
}

/* A character by its entry in the table; those of a sequence have entries of their own and are no sequences. */
static bool put_character(mien_normal_texts *texts, const mien_characters *table, size_t start, bool *space_is_due,
                          uint32_t code_point) {
  const uint32_t entry = mien_characters_entry(table, code_point);
  bool done = true;
  switch (mien_character_kind_of(entry)) {
  case MIEN_CHARACTER_DROPPED:
  case MIEN_CHARACTER_DROPPED_STARTER: break;
  case MIEN_CHARACTER_SPACE: *space_is_due = true; break;
  case MIEN_CHARACTER_SEQUENCE: {
    size_t n;
    const uint32_t *sequence = mien_character_sequence(entry, &n);
    for (size_t i = 0; done && i < n; i++) done = put_character(texts, table, start, space_is_due, sequence[i]);
    break;
  }
  default: done = put(texts, start, space_is_due, mien_character_target(entry, code_point)); break;
  }
  return done;
}

mien_status mien_normal_texts_make(const mien_text *from, size_t n, mien_normal_texts *texts, mien_error *error) {
  /* Ideographs are no words here: spaces around them would make texts equal that are not. */
  static const mien_character_options uncased = {.clean = true, .strip_accents = true, .lowercase = true};
  mien_characters table;
  mien_status status = mien_characters_make(&uncased, "texts", &table, error);
  if (status != MIEN_OK) return status;
  texts->starts = mien_alloc(n + 1, sizeof *texts->starts);
  bool done = texts->starts != NULL && mien_buffer_reserve(&texts->bytes, 1);
  for (size_t row = 0; done && row < n; row++) {
    const size_t start = texts->bytes.size;
    bool space_is_due = false;
    for (size_t at = 0; done && at < from[row].size;) {
      uint32_t code_point;
      at += mien_utf8_decode(from[row].bytes + at, from[row].size - at, &code_point);
      done = put_character(texts, &table, start, &space_is_due, code_point);
    }
    texts->starts[row + 1] = texts->bytes.size;
  }
  texts->n = n;
  mien_characters_clear(&table);
  return done ? MIEN_OK : mien_fail_memory(error, "texts", texts->bytes.size + n * sizeof *texts->starts);
}

mien_status mien_plain_texts_make(const mien_examples *examples, bool with_labels, mien_normal_texts *texts,
                                  mien_error *error) {
  const size_t n = examples->n_rows, label_bytes = with_labels ? examples->n_words * sizeof *examples->truth : 0;
  texts->starts = mien_alloc(n + 1, sizeof *texts->starts);
  bool done = texts->starts != NULL && mien_buffer_reserve(&texts->bytes, 1);
  for (size_t row = 0; done && row < n; row++) {
    const mien_text text = examples->texts[row];
    done = mien_buffer_reserve(&texts->bytes, text.size + label_bytes);
    if (done && text.size) mien_buffer_put(&texts->bytes, text.bytes, text.size);
    if (done) mien_buffer_put(&texts->bytes, examples->truth + row * examples->n_words, label_bytes);
    texts->starts[row + 1] = texts->bytes.size;
  }
  texts->n = n;
  return done ? MIEN_OK : mien_fail_memory(error, "texts", texts->bytes.size + n * sizeof *texts->starts);
}

void mien_normal_texts_free(mien_normal_texts *texts) {
  mien_free(texts->starts);
  mien_buffer_free(&texts->bytes);
  *texts = (mien_normal_texts){0};
}
