/* SPDX-License-Identifier: Apache-2.0 */
/* Small encoders in folders, as sentence-transformers writes them, for tests that change one thing about them. */
#ifndef MIEN_TESTS_ENCODER_FILES_H
#define MIEN_TESTS_ENCODER_FILES_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suite.h"

enum { LAYERS = 2, HIDDEN = 16, HEADS = 2, WIDE = 24, VOCABULARY = 12, POSITIONS = 10, TYPES = 2 };

/* ---- Folders --------------------------------------------------------------------------------------------------- */

typedef struct folder {
  char path[256];
} folder;

static inline folder make_folder(void) {
  folder f;
  const char *base = getenv("TMPDIR");
  snprintf(f.path, sizeof f.path, "%s/mien-encoder-XXXXXX", base ? base : "/tmp");
  ck_assert_msg(mkdtemp(f.path) != NULL, "%s", f.path);
  return f;
}

/* The path of a file in it, until the second next call. */
static inline const char *in_folder(const folder *f, const char *name) {
  static char paths[2][512];
  static unsigned turn;
  char *path = paths[turn++ % 2];
  snprintf(path, sizeof paths[0], "%s/%s", f->path, name);
  return path;
}

/* Writes a file, and the folder that it is in. */
static inline void put_file(const folder *f, const char *name, const void *bytes, size_t size) {
  const char *slash = strchr(name, '/');
  if (slash) {
    char sub[128];
    snprintf(sub, sizeof sub, "%.*s", (int)(slash - name), name);
    mkdir(in_folder(f, sub), 0777);
  }
  FILE *file = fopen(in_folder(f, name), "wb");
  ck_assert_msg(file != NULL, "%s", name);
  ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
  ck_assert_int_eq(fclose(file), 0);
}

static inline void put_string(const folder *f, const char *name, const char *text) {
  put_file(f, name, text, strlen(text));
}

static inline void remove_tree(const char *path) {
  DIR *directory = opendir(path);
  for (struct dirent *entry; directory && (entry = readdir(directory));) {
    char inner[1024];
    struct stat info;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if ((size_t)snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name) >= sizeof inner) continue;
    if (lstat(inner, &info) == 0 && S_ISDIR(info.st_mode))
      remove_tree(inner);
    else
      unlink(inner);
  }
  if (directory) closedir(directory);
  rmdir(path);
}

static inline void remove_folder(const folder *f) { remove_tree(f->path); }

/* ---- Parameters ------------------------------------------------------------------------------------------------ */

typedef struct tensor {
  char name[96];
  size_t rank, dims[2];
} tensor;

enum { N_TENSORS = 5 + 16 * LAYERS };

/* The names and shapes that transformers' BertModel saves, in an order of our own. */
static inline void list_tensors(tensor tensors[N_TENSORS]) {
  static const struct {
    const char *name;
    size_t rank, dims[2];
  } first[] = {{"embeddings.word_embeddings.weight", 2, {VOCABULARY, HIDDEN}},
               {"embeddings.position_embeddings.weight", 2, {POSITIONS, HIDDEN}},
               {"embeddings.token_type_embeddings.weight", 2, {TYPES, HIDDEN}},
               {"embeddings.LayerNorm.weight", 1, {HIDDEN}},
               {"embeddings.LayerNorm.bias", 1, {HIDDEN}}},
    each[] = {{"attention.self.query.weight", 2, {HIDDEN, HIDDEN}},
              {"attention.self.query.bias", 1, {HIDDEN}},
              {"attention.self.key.weight", 2, {HIDDEN, HIDDEN}},
              {"attention.self.key.bias", 1, {HIDDEN}},
              {"attention.self.value.weight", 2, {HIDDEN, HIDDEN}},
              {"attention.self.value.bias", 1, {HIDDEN}},
              {"attention.output.dense.weight", 2, {HIDDEN, HIDDEN}},
              {"attention.output.dense.bias", 1, {HIDDEN}},
              {"attention.output.LayerNorm.weight", 1, {HIDDEN}},
              {"attention.output.LayerNorm.bias", 1, {HIDDEN}},
              {"intermediate.dense.weight", 2, {WIDE, HIDDEN}},
              {"intermediate.dense.bias", 1, {WIDE}},
              {"output.dense.weight", 2, {HIDDEN, WIDE}},
              {"output.dense.bias", 1, {HIDDEN}},
              {"output.LayerNorm.weight", 1, {HIDDEN}},
              {"output.LayerNorm.bias", 1, {HIDDEN}}};
  size_t n = 0;
  for (size_t i = 0; i < sizeof first / sizeof *first; i++, n++) {
    snprintf(tensors[n].name, sizeof tensors[n].name, "%s", first[i].name);
    tensors[n].rank = first[i].rank;
    memcpy(tensors[n].dims, first[i].dims, sizeof first[i].dims);
  }
  for (size_t layer = 0; layer < LAYERS; layer++) {
    for (size_t i = 0; i < sizeof each / sizeof *each; i++, n++) {
      snprintf(tensors[n].name, sizeof tensors[n].name, "encoder.layer.%zu.%s", layer, each[i].name);
      tensors[n].rank = each[i].rank;
      memcpy(tensors[n].dims, each[i].dims, sizeof each[i].dims);
    }
  }
  ck_assert_uint_eq(n, N_TENSORS);
}

static inline size_t elements_of(const tensor *t) { return t->dims[0] * (t->rank > 1 ? t->dims[1] : 1); }

/* Element `i` of a tensor: a number of few bits, other for other names, that f16 and bf16 hold too. */
static inline float element_of(const char *name, size_t i) {
  unsigned hash = 17;
  for (const char *c = name; *c; c++) hash = hash * 31 + (unsigned char)*c;
  return (float)((int)((hash + i * 7) % 255) - 127) / 128;
}

/* ---- A safetensors file ---------------------------------------------------------------------------------------- */

typedef enum number_type { TYPE_F32, TYPE_F16, TYPE_BF16 } number_type;

static inline size_t put_number(unsigned char *out, number_type type, float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  if (type == TYPE_F32) {
    for (int i = 0; i < 4; i++) out[i] = (unsigned char)(bits >> (8 * i));
    return 4;
  }
  uint32_t half = bits >> 16; /* exact for these numbers */
  if (type == TYPE_F16)
    half = value == 0 ? 0 : ((bits >> 16) & 0x8000) | ((((bits >> 23) & 0xFF) - 112) << 10) | ((bits >> 13) & 0x3FF);
  out[0] = (unsigned char)half;
  out[1] = (unsigned char)(half >> 8);
  return 2;
}

typedef struct weights_style {
  number_type type;
  const char *prefix;             /* NULL: "" */
  const char *left_out;           /* a tensor's name without prefix */
  const char *renamed, *new_name; /* one without prefix gets another name */
  const char *misshapen;          /* gets a row more */
  const char *extra;              /* one more, with an I64 in it */
} weights_style;

static inline void put_safetensors(const folder *f, const char *name, const weights_style *style) {
  tensor tensors[N_TENSORS];
  list_tensors(tensors);
  static unsigned char data[1 << 18];
  static char header[1 << 16];
  const char *prefix = style->prefix ? style->prefix : "";
  size_t at = 0, length = (size_t)sprintf(header, "{\"__metadata__\":{\"format\":\"pt\"}");
  for (size_t t = 0; t < N_TENSORS; t++) {
    const char *title = tensors[t].name;
    const size_t begin = at;
    if (style->left_out && strcmp(style->left_out, title) == 0) continue;
    if (style->misshapen && strcmp(style->misshapen, title) == 0) tensors[t].dims[0]++;
    for (size_t i = 0; i < elements_of(&tensors[t]); i++)
      at += put_number(data + at, style->type, element_of(title, i));
    if (style->renamed && strcmp(style->renamed, title) == 0) title = style->new_name;
    length += (size_t)sprintf(header + length, ",\"%s%s\":{\"dtype\":\"%s\",\"shape\":[%zu", prefix, title,
                              (const char *[]){"F32", "F16", "BF16"}[style->type], tensors[t].dims[0]);
    if (tensors[t].rank > 1) length += (size_t)sprintf(header + length, ",%zu", tensors[t].dims[1]);
    length += (size_t)sprintf(header + length, "],\"data_offsets\":[%zu,%zu]}", begin, at);
  }
  if (style->extra) {
    length += (size_t)sprintf(header + length, ",\"%s\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[%zu,%zu]}",
                              style->extra, at, at + 8);
    memset(data + at, 0, 8);
    at += 8;
  }
  length += (size_t)sprintf(header + length, "}");
  unsigned char *file = malloc(8 + length + at);
  for (int i = 0; i < 8; i++) file[i] = (unsigned char)((uint64_t)length >> (8 * i));
  memcpy(file + 8, header, length);
  memcpy(file + 8 + length, data, at);
  put_file(f, name, file, 8 + length + at);
  free(file);
}

/* ---- The small files ------------------------------------------------------------------------------------------- */

#define CONFIG_FIELDS                                                                                                  \
  "\"hidden_size\":16,\"num_hidden_layers\":2,\"num_attention_heads\":2,\"intermediate_size\":24,\"vocab_size\":12,"   \
  "\"max_position_embeddings\":10,\"type_vocab_size\":2,\"layer_norm_eps\":1e-12"
#define CONFIG "{\"model_type\":\"bert\"," CONFIG_FIELDS "}"

#define MODULE(index, path, type)                                                                                      \
  "{\"idx\":" #index ",\"name\":\"" #index "\",\"path\":\"" path "\",\"type\":\"sentence_transformers.models." type    \
  "\"}"
#define TWO_MODULES MODULE(0, "", "Transformer") "," MODULE(1, "1_Pooling", "Pooling")
#define THREE_MODULES "[" TWO_MODULES "," MODULE(2, "2_Normalize", "Normalize") "]"

#define POOLING(cls, mean, max)                                                                                        \
  "{\"word_embedding_dimension\":16,\"pooling_mode_cls_token\":" #cls ",\"pooling_mode_mean_tokens\":" #mean           \
  ",\"pooling_mode_max_tokens\":" #max ",\"pooling_mode_mean_sqrt_len_tokens\":false}"

/* clang-format off */
#define SPECIAL(id, name)                                                                                             \
  "{\"id\":" #id ",\"content\":\"" name "\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"                 \
  "\"normalized\":false,\"special\":true}"
#define SPECIALS                                                                                                      \
  SPECIAL(0, "[PAD]") "," SPECIAL(1, "[UNK]") "," SPECIAL(2, "[CLS]") "," SPECIAL(3, "[SEP]") "," SPECIAL(4, "[MASK]")
#define TOKENIZER(lowercase, last_token)                                                                              \
  "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[" SPECIALS "],"                        \
  "\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,"                    \
  "\"strip_accents\":null,\"lowercase\":" #lowercase "},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"           \
  "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"[CLS]\","              \
  "\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},{\"SpecialToken\":{\"id\":\"[SEP]\",\"type_id\":0}}]," \
  "\"pair\":[{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},{\"Sequence\":{\"id\":\"B\",\"type_id\":1}}],"               \
  "\"special_tokens\":{\"[CLS]\":{\"id\":\"[CLS]\",\"ids\":[2],\"tokens\":[\"[CLS]\"]},"                              \
  "\"[SEP]\":{\"id\":\"[SEP]\",\"ids\":[3],\"tokens\":[\"[SEP]\"]}}},"                                                \
  "\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true},"                                          \
  "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\","                   \
  "\"max_input_chars_per_word\":100,\"vocab\":{\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,\"[MASK]\":4,"         \
  "\"a\":5,\"b\":6,\"c\":7,\"##a\":8,\"##b\":9,\"##c\":" #last_token "}}}"
/* clang-format on */
#define VOCABULARY_FILE "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\n##a\n##b\n##c\n"

/* A whole sentence-transformers folder: mean, normalised, cut at 6 tokens. */
static inline void put_small_files(const folder *f) {
  put_string(f, "config.json", CONFIG);
  put_string(f, "modules.json", THREE_MODULES);
  put_string(f, "1_Pooling/config.json", POOLING(false, true, false));
  put_string(f, "sentence_bert_config.json", "{\"max_seq_length\":6,\"do_lower_case\":false}");
  put_string(f, "tokenizer_config.json", "{\"do_lower_case\":true,\"model_max_length\":512}");
  put_string(f, "tokenizer.json", TOKENIZER(true, 10));
}

static inline folder make_encoder(void) {
  folder f = make_folder();
  put_small_files(&f);
  put_safetensors(&f, "model.safetensors", &(weights_style){0});
  return f;
}

#endif
