/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: the small files of an encoder's folder. The first byte picks the file, the rest is what is in it; the
 * others are good ones.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "encoder/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition) {
  if (!condition) abort();
}

static const struct small_file {
  const char *name, *text;
} files[] = {
    {"config.json", "{\"model_type\":\"bert\",\"hidden_size\":8,\"num_hidden_layers\":2,\"num_attention_heads\":2,"
                    "\"intermediate_size\":16,\"vocab_size\":12,\"max_position_embeddings\":10,\"type_vocab_size\":2}"},
    {"modules.json", "[{\"path\":\"\",\"type\":\"Transformer\"},{\"path\":\"1_Pooling\",\"type\":\"Pooling\"},"
                     "{\"path\":\"2_Normalize\",\"type\":\"Normalize\"}]"},
    {"1_Pooling/config.json", "{\"word_embedding_dimension\":8,\"pooling_mode_mean_tokens\":true}"},
    {"2_Normalize/config.json", "{}"},
    {"sentence_bert_config.json", "{\"max_seq_length\":6,\"do_lower_case\":true}"},
    {"tokenizer_config.json", "{\"do_lower_case\":true,\"model_max_length\":512}"},
    {"config_sentence_transformers.json", "{\"prompts\":{},\"default_prompt_name\":null}"},
};

enum { N_FILES = sizeof files / sizeof *files };

static char folder[64];

static void write_file(const char *name, const void *bytes, size_t size) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "wb");
  require(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
}

static void remove_folder(void) {
  static const char *const folders[] = {"1_Pooling", "2_Normalize", ""};
  char path[256];
  for (size_t i = 0; i < N_FILES; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, files[i].name);
    unlink(path);
  }
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, folders[i]);
    rmdir(path);
  }
}

static void make_folder(void) {
  char path[256];
  strcpy(folder, "/tmp/mien-fuzz-XXXXXX");
  require(mkdtemp(folder) != NULL);
  atexit(remove_folder);
  snprintf(path, sizeof path, "%s/1_Pooling", folder);
  require(mkdir(path, 0700) == 0);
  snprintf(path, sizeof path, "%s/2_Normalize", folder);
  require(mkdir(path, 0700) == 0);
  for (size_t i = 0; i < N_FILES; i++) write_file(files[i].name, files[i].text, strlen(files[i].text));
}

static void check_config(const mien_encoder_config *config) {
  require(config->layers >= 1 && config->layers <= MIEN_ENCODER_MAX_LAYERS);
  require(config->heads >= 1 && config->hidden % config->heads == 0 && config->hidden <= MIEN_ENCODER_MAX_HIDDEN);
  require(config->intermediate >= 1 && config->vocabulary >= 1 && config->token_types >= 1);
  require(config->layer_norm_eps >= 0 && config->layer_norm_eps <= 1);
  require(config->max_tokens > MIEN_TOKENIZER_SPECIALS && config->max_tokens <= config->positions);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!folder[0]) make_folder();
  if (size == 0) return 0;
  const struct small_file *picked = &files[data[0] % N_FILES];
  mien_error error = {0};
  mien_encoder_modules modules = {0};
  mien_encoder_config config = {0};
  bool is_there = false, lower_case = false;
  write_file(picked->name, data + 1, size - 1);
  mien_status status = mien_encoder_read_modules(folder, &modules, &error);
  if (status == MIEN_OK) status = mien_encoder_read_config(folder, true, &config, &is_there, &error);
  if (status == MIEN_OK) status = mien_encoder_read_max_tokens(folder, modules.is_listed, &config, &lower_case, &error);
  if (status == MIEN_OK)
    check_config(&config);
  else
    require(status == MIEN_INPUT && error.message[0] != '\0');
  mien_free(modules.transformer);
  write_file(picked->name, picked->text, strlen(picked->text));
  return 0;
}
