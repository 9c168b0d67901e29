/* SPDX-License-Identifier: Apache-2.0 */
/* Embeddings that were made once, kept in the user's cache by what they were made of. */
#ifndef MIEN_CLI_EMBEDDING_CACHE_H
#define MIEN_CLI_EMBEDDING_CACHE_H

#include "cli/data_options.h"

/*
 * The embeddings of the examples' texts: those that are kept, or by the model's encoder and then kept, in
 * mien/embeddings of the user's cache. What they are found by is of the encoder's files (`encoder_path`), the dtype and
 * the instruction set that run, max_tokens, mien's version, and every text. A cache that can't be written is told, and
 * does without. Returns the exit code.
 */
int cli_embed_cached(const cli_data *data, const char *command, mien_model *model, const char *encoder_path,
                     const mien_examples *examples, mien_floats *rows);

#endif
