/* SPDX-License-Identifier: Apache-2.0 */
/* modules.json: what becomes of the token embeddings, as sentence-transformers reads it. */
#include <string.h>

#include "base/memory.h"
#include "encoder/settings.h"
#include "encoder/small_file.h"

/* The last word of a Python class's name. */
static const char *class_name(const char *type) {
  const char *dot = strrchr(type, '.');
  return dot ? dot + 1 : type;
}

/* A folder's name out of a file leads down from it, nowhere else. */
static bool is_inside(const char *path) {
  if (path[0] == '/' || strchr(path, '\\')) return false;
  for (const char *part = path; *part;) {
    const size_t length = strcspn(part, "/");
    if (length == 2 && memcmp(part, "..", 2) == 0) return false;
    part += length + (part[length] == '/');
  }
  return true;
}

/* Module `index`, whose class must be `expected`; *folder is its own, to be freed. */
static mien_status read_module(const mien_small_file *file, size_t index, const char *expected, const char *parent,
                               char **folder, mien_error *error) {
  const json_t *module = json_array_get(file->value, index);
  const char *type = NULL, *path = "";
  if (!json_is_object(module))
    return mien_fail(error, MIEN_INPUT, "%s: module %zu: expected a %s, found %s", file->path, index, expected,
                     module ? mien_json_kind(module) : "nothing");
  mien_status status = mien_small_text(file, module, "type", &type, error);
  if (status == MIEN_OK) status = mien_small_text(file, module, "path", &path, error);
  if (status != MIEN_OK) return status;
  if (!type || strcmp(class_name(type), expected) != 0)
    return mien_fail(error, MIEN_INPUT, "%s: module %zu: expected a %s, found '%s'", file->path, index, expected,
                     type ? type : "nothing");
  if (!is_inside(path))
    return mien_fail(error, MIEN_INPUT, "%s: module %zu: path: expected a folder beside it, found '%s'", file->path,
                     index, path);
  *folder = mien_path_join(parent, path);
  return *folder ? MIEN_OK : mien_fail_memory(error, parent, strlen(path));
}

/* ---- Pooling --------------------------------------------------------------------------------------------------- */

/* sentence-transformers' modes, by their old flags and their new names. */
static const struct mode {
  const char *flag, *name;
  bool is_supported;
  mien_pooling pooling;
} modes[] = {
    {"pooling_mode_cls_token", "cls", true, MIEN_POOLING_CLS},
    {"pooling_mode_max_tokens", "max", true, MIEN_POOLING_MAX},
    {"pooling_mode_mean_tokens", "mean", true, MIEN_POOLING_MEAN},
    {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", false, MIEN_POOLING_MEAN},
    {"pooling_mode_weightedmean_tokens", "weightedmean", false, MIEN_POOLING_MEAN},
    {"pooling_mode_lasttoken", "lasttoken", false, MIEN_POOLING_MEAN},
};

enum { N_MODES = sizeof modes / sizeof *modes };

static mien_status refuse_mode(const mien_small_file *file, const char *found, mien_error *error) {
  return mien_fail(error, MIEN_INPUT, "%s: pooling mode: expected one of cls, mean and max, found %s", file->path,
                   found);
}

/* pooling_mode, a name or a list of one; *mode stays where the field is absent. */
static mien_status read_mode_name(const mien_small_file *file, const struct mode **mode, mien_error *error) {
  const json_t *value = json_object_get(file->value, "pooling_mode");
  if (!value || json_is_null(value)) return MIEN_OK;
  if (json_is_array(value)) {
    if (json_array_size(value) != 1) return refuse_mode(file, "a concatenation", error);
    value = json_array_get(value, 0);
  }
  if (!json_is_string(value)) return refuse_mode(file, mien_json_kind(value), error);
  for (size_t i = 0; i < N_MODES; i++)
    if (strcmp(modes[i].name, json_string_value(value)) == 0) *mode = &modes[i];
  return *mode ? MIEN_OK : refuse_mode(file, json_string_value(value), error);
}

static mien_status read_mode_flags(const mien_small_file *file, const struct mode **mode, mien_error *error) {
  for (size_t i = 0; i < N_MODES; i++) {
    bool is_on = false;
    mien_status status = mien_small_flag(file, file->value, modes[i].flag, &is_on, error);
    if (status != MIEN_OK) return status;
    if (is_on && *mode) return refuse_mode(file, "a concatenation", error);
    if (is_on) *mode = &modes[i];
  }
  return MIEN_OK;
}

static mien_status read_pooling_fields(const mien_small_file *file, mien_encoder_modules *modules, mien_error *error) {
  const struct mode *mode = NULL;
  mien_status status = read_mode_name(file, &mode, error);
  if (status == MIEN_OK && !mode) status = read_mode_flags(file, &mode, error);
  if (status != MIEN_OK) return status;
  if (!mode) return refuse_mode(file, "none", error);
  if (!mode->is_supported) return refuse_mode(file, mode->name, error);
  modules->pooling = mode->pooling;
  static const char *const sizes[] = {"word_embedding_dimension", "embedding_dimension"};
  for (size_t i = 0; i < 2 && status == MIEN_OK; i++)
    status = mien_small_size(file, file->value, sizes[i], 1, MIEN_SMALL_MAX_SIZE, &modules->pooled_dim, error);
  return status;
}

static mien_status read_pooling(const char *folder, mien_encoder_modules *modules, mien_error *error) {
  mien_small_file file;
  mien_status status = mien_small_file_read(folder, "config.json", JSON_OBJECT, true, &file, error);
  if (status == MIEN_OK) status = read_pooling_fields(&file, modules, error);
  mien_small_file_free(&file);
  return status;
}

/* ---- Normalisation --------------------------------------------------------------------------------------------- */

/* Newer versions can normalise other things than the embedding. */
static mien_status check_normalize(const char *folder, mien_error *error) {
  static const char *const keys[] = {"module_input_name", "module_output_name"};
  static const char expected[] = "sentence_embedding";
  mien_small_file file;
  mien_status status = mien_small_file_read(folder, "config.json", JSON_OBJECT, false, &file, error);
  for (size_t i = 0; i < 2 && status == MIEN_OK && file.value; i++) {
    const char *found = expected;
    status = mien_small_text(&file, file.value, keys[i], &found, error);
    if (status == MIEN_OK && strcmp(found, expected) != 0)
      status =
          mien_fail(error, MIEN_INPUT, "%s: %s: expected \"%s\", found \"%s\"", file.path, keys[i], expected, found);
  }
  mien_small_file_free(&file);
  return status;
}

/* ---- Prompts --------------------------------------------------------------------------------------------------- */

/* A default prompt is put before every text. */
static mien_status refuse_prompt(const char *folder, mien_error *error) {
  mien_small_file file;
  const char *name = NULL;
  mien_status status =
      mien_small_file_read(folder, "config_sentence_transformers.json", JSON_OBJECT, false, &file, error);
  if (status == MIEN_OK && file.value) status = mien_small_text(&file, file.value, "default_prompt_name", &name, error);
  if (status == MIEN_OK && name) {
    const char *prompt = json_string_value(json_object_get(json_object_get(file.value, "prompts"), name));
    if (!prompt || prompt[0])
      status = mien_fail(error, MIEN_INPUT, "%s: default_prompt_name: expected none, found '%s'", file.path, name);
  }
  mien_small_file_free(&file);
  return status;
}

/* ---- The list -------------------------------------------------------------------------------------------------- */

static mien_status read_list(const mien_small_file *file, const char *folder, mien_encoder_modules *modules,
                             mien_error *error) {
  char *pooling = NULL, *normalize = NULL;
  const size_t count = json_array_size(file->value);
  mien_status status = read_module(file, 0, "Transformer", folder, &modules->transformer, error);
  if (status == MIEN_OK) status = read_module(file, 1, "Pooling", folder, &pooling, error);
  if (status == MIEN_OK) status = read_pooling(pooling, modules, error);
  if (status == MIEN_OK && count > 2) status = read_module(file, 2, "Normalize", folder, &normalize, error);
  if (status == MIEN_OK && normalize) status = check_normalize(normalize, error);
  if (status == MIEN_OK && count > 3)
    status = mien_fail(error, MIEN_INPUT, "%s: expected Transformer, Pooling and at most Normalize, found %zu modules",
                       file->path, count);
  if (status == MIEN_OK) status = refuse_prompt(folder, error);
  modules->normalize = count > 2;
  mien_free(pooling);
  mien_free(normalize);
  return status;
}

/* Without modules.json sentence-transformers takes the mean and does not normalise; but not where it seems lost. */
static mien_status use_defaults(const char *folder, mien_encoder_modules *modules, mien_error *error) {
  static const char *const signs[] = {"1_Pooling", "sentence_bert_config.json", "config_sentence_transformers.json"};
  for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
    if (mien_path_exists(folder, signs[i]))
      return mien_fail(error, MIEN_INPUT, "%s: expected a modules.json beside %s, found none", folder, signs[i]);
  modules->transformer = mien_path_join(folder, "");
  return modules->transformer ? MIEN_OK : mien_fail_memory(error, folder, strlen(folder));
}

mien_status mien_encoder_read_modules(const char *folder, mien_encoder_modules *modules, mien_error *error) {
  mien_small_file file;
  *modules = (mien_encoder_modules){.pooling = MIEN_POOLING_MEAN};
  mien_status status = mien_small_file_read(folder, "modules.json", JSON_ARRAY, false, &file, error);
  modules->is_listed = file.value != NULL;
  if (status == MIEN_OK)
    status = file.value ? read_list(&file, folder, modules, error) : use_defaults(folder, modules, error);
  mien_small_file_free(&file);
  return status;
}
