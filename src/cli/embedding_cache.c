/* SPDX-License-Identifier: Apache-2.0 */
/* Embeddings as .npy files that are called by a hash of what they were made of. */
#include "cli/embedding_cache.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cpu.h"
#include "cli/content_hash.h"
#include "cli/encoder_path.h"

/* Goes up with what the files hold or are found by. */
static const char format[] = "mien embeddings 1";

static mien_status find_key(const mien_model *model, const char *encoder_path, const mien_examples *examples,
                            char key[CLI_HASH_CHARS], mien_error *error) {
  mien_isa isa;
  mien_status status = mien_isa_choose(&isa, error);
  cli_hash *hash = status == MIEN_OK ? cli_hash_create() : NULL;
  if (status == MIEN_OK && !hash) status = mien_fail_memory(error, "embeddings", 1);
  if (status == MIEN_OK) {
    char tokens[32];
    snprintf(tokens, sizeof tokens, "%zu", mien_model_max_tokens(model));
    const char *const words[] = {format, mien_version(), mien_isa_name(isa), mien_model_dtype(model), tokens};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) cli_hash_add(hash, words[i], strlen(words[i]));
    status = cli_hash_add_encoder(hash, encoder_path, error);
  }
  for (size_t i = 0; status == MIEN_OK && i < examples->n_rows; i++)
    cli_hash_add(hash, examples->texts[i].bytes, examples->texts[i].size);
  if (status == MIEN_OK) cli_hash_show(hash, key);
  cli_hash_destroy(hash);
  return status;
}

/* Makes "a", "a/b" and so on of "a/b/c.npy"; whether it worked is seen when the file is written. */
static void make_folders(char *path) {
  for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
    *slash = '\0';
    (void)mkdir(path, 0777);
    *slash = '/';
  }
}

static void keep(const cli_data *data, char *path, const mien_floats *rows) {
  mien_error error;
  make_folders(path);
  if (mien_floats_write(rows, path, &error) != MIEN_OK && !data->quiet)
    fprintf(stderr, "mien: note: embeddings are not kept: %s\n", error.message);
}

int cli_embed_cached(const cli_data *data, const char *command, mien_model *model, const char *encoder_path,
                     const mien_examples *examples, mien_floats *rows) {
  char folder[CLI_PATH_CHARS], key[CLI_HASH_CHARS], path[CLI_PATH_CHARS + CLI_HASH_CHARS + 32];
  mien_error error;
  if (!cli_cache_folder(folder)) return cli_data_embed(data, command, model, NULL, examples, rows);
  if (find_key(model, encoder_path, examples, key, &error) != MIEN_OK) return cli_report(command, &error);
  snprintf(path, sizeof path, "%s/mien/embeddings/%s.npy", folder, key);
  if (cli_exists(path)) {
    const mien_status status =
        mien_floats_read(path, examples->n_rows, mien_model_dim(model), &cli_cancelled, rows, &error);
    if (status == MIEN_OK) return MIEN_OK;
    if (status != MIEN_INPUT) return cli_report(command, &error);
    /* What is there is broken, and made anew. */
  }
  const int code = cli_data_embed(data, command, model, NULL, examples, rows);
  if (code == MIEN_OK) keep(data, path, rows);
  return code;
}
