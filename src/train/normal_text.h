/* SPDX-License-Identifier: Apache-2.0 */
/* Texts as they are compared: what BERT's uncased tokenizer makes of them before it cuts them. */
#ifndef MIEN_TRAIN_NORMAL_TEXT_H
#define MIEN_TRAIN_NORMAL_TEXT_H

#include "corpus/buffer.h"
#include "corpus/reader.h"
#include "train/examples.h"

typedef struct mien_normal_texts {
  size_t n;
  size_t *starts; /* [n + 1] in bytes */
  mien_buffer bytes;
} mien_normal_texts;

static inline mien_span mien_normal_text(const mien_normal_texts *texts, size_t row) {
  return (mien_span){texts->bytes.bytes + texts->starts[row], texts->starts[row + 1] - texts->starts[row]};
}

/*
 * Lower case, accents stripped, control characters left out (BertNormalizer), and white space one space between words,
 * none around them. Bytes that are not UTF-8 are U+FFFD, which is left out too. *texts starts as zeros and is freed by
 * the caller, after a failure too.
 */
MIEN_MUST_USE mien_status mien_normal_texts_make(const mien_text *from, size_t n, mien_normal_texts *texts,
                                                 mien_error *error);
/* The texts as they are, to be compared byte by byte; with_labels: and with their labels behind them. */
MIEN_MUST_USE mien_status mien_plain_texts_make(const mien_examples *examples, bool with_labels,
                                                mien_normal_texts *texts, mien_error *error);
void mien_normal_texts_free(mien_normal_texts *texts);

#endif
