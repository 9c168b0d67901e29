/* SPDX-License-Identifier: Apache-2.0 */
/* An encoder's configuration from the small files of a sentence-transformers folder. */
#ifndef MIEN_ENCODER_SETTINGS_H
#define MIEN_ENCODER_SETTINGS_H

#include "encoder/source.h"

/* Sizes beyond which a configuration is a mistake: BERT-large has 24 layers of 1,024 numbers. */
enum {
  MIEN_ENCODER_MAX_LAYERS = 256,
  MIEN_ENCODER_MAX_HIDDEN = 1 << 14,
  MIEN_ENCODER_MAX_INTERMEDIATE = 1 << 16,
  MIEN_ENCODER_MAX_VOCABULARY = 1 << 24, /* ids of 24 bits */
  MIEN_ENCODER_MAX_POSITIONS = 1 << 20,
  MIEN_ENCODER_MAX_TOKEN_TYPES = 1 << 16,
};

/* What stands outside the folder of the weights and of config.json. */
typedef struct mien_encoder_modules {
  bool is_listed;    /* modules.json is there; otherwise sentence-transformers' defaults: mean, not normalised */
  char *transformer; /* the folder of config.json, weights and tokenizer, to be freed with mien_free */
  mien_pooling pooling;
  size_t pooled_dim; /* 0: the pooling does not say */
  bool normalize;
} mien_encoder_modules;

/* modules.json and the pooling's config.json; also refuses a prompt that would be put before each text. */
MIEN_MUST_USE mien_status mien_encoder_read_modules(const char *folder, mien_encoder_modules *modules,
                                                    mien_error *error);

/*
 * config.json: everything of `config` but pooling, normalize and max_tokens. A file that is not there leaves *is_there
 * false and `config` as it is, unless `is_required`.
 */
MIEN_MUST_USE mien_status mien_encoder_read_config(const char *folder, bool is_required, mien_encoder_config *config,
                                                   bool *is_there, mien_error *error);

/*
 * The cut of texts, from sentence_bert_config.json or tokenizer_config.json: config->max_tokens. *lower_case: texts are
 * to be in small letters before the tokenizer sees them.
 */
MIEN_MUST_USE mien_status mien_encoder_read_max_tokens(const char *folder, bool is_listed, mien_encoder_config *config,
                                                       bool *lower_case, mien_error *error);

/* tokenizer.json, else vocab.txt with tokenizer_config.json. */
MIEN_MUST_USE mien_status mien_encoder_read_tokenizer(const char *folder, size_t vocabulary, mien_tokenizer **tokenizer,
                                                      mien_error *error);

/* Refuses a tokenizer that keeps capitals, where sentence_bert_config.json asks for texts in small letters. */
MIEN_MUST_USE mien_status mien_encoder_require_uncased(const char *folder, const mien_tokenizer *tokenizer,
                                                       mien_error *error);

#endif
