/* SPDX-License-Identifier: Apache-2.0 */
/* The first line of a manifest, and how two of them differ. */
#include "cli/parts_header.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "cli/json_build.h"
#include "model/session.h"

/* What the headers of one run's shards differ in. */
static const char *const shard_fields[] = {"shard.index", "first_row", "end_row"};

static json_t *count_or_null(uint64_t count) {
  return count == MIEN_ROWS_UNKNOWN ? json_null() : json_integer((json_int_t)count);
}

/* ---- The inputs -------------------------------------------------------------------------------------------------- */

static json_t *list_inputs(cli_json *to, const mien_inputs *inputs, const cli_survey *survey) {
  json_t *list = json_array();
  for (size_t i = 0; i < inputs->count; i++) {
    const mien_input *input = &inputs->items[i];
    json_t *one = json_object();
    cli_json_set(to, one, "path", cli_json_text_or_null(input->path));
    cli_json_set(to, one, "format", json_string(mien_input_format_name(input->format)));
    cli_json_set(to, one, "bytes", survey ? json_integer((json_int_t)survey->files[i].stamp.bytes) : json_null());
    cli_json_set(to, one, "rows", survey ? json_integer((json_int_t)survey->n_rows[i]) : json_null());
    cli_json_set(to, one, "xxh3", survey ? json_string(survey->files[i].hash) : json_null());
    cli_json_append(to, list, one);
  }
  return list;
}

/* ---- The model --------------------------------------------------------------------------------------------------- */

mien_status cli_parts_hash_head(const mien_model *model, char text[CLI_HASH_CHARS], mien_error *error) {
  const mien_head_plan *head = model->plan;
  cli_hash *hash = cli_hash_create();
  if (!hash) return mien_fail_memory(error, "head", sizeof *head);
  for (size_t i = 0; i < head->n_labels; i++) {
    const char *label = mien_model_label_name(model, i);
    cli_hash_add(hash, label, strlen(label));
    cli_hash_add(hash, head->weights + i * head->padded_dim, head->dim * sizeof *head->weights);
  }
  cli_hash_add(hash, head->bias, head->n_labels * sizeof *head->bias);
  cli_hash_show(hash, text);
  cli_hash_destroy(hash);
  return MIEN_OK;
}

static mien_status hash_encoder(const char *path, char text[CLI_HASH_CHARS], mien_error *error) {
  cli_hash *hash = cli_hash_create();
  if (!hash) return mien_fail_memory(error, path, CLI_HASH_CHARS);
  const mien_status status = cli_hash_add_encoder(hash, path, error);
  if (status == MIEN_OK) cli_hash_show(hash, text);
  cli_hash_destroy(hash);
  return status;
}

static mien_status add_model(cli_json *to, json_t *header, cli_run *run, const mien_model *model, bool has_texts,
                             mien_error *error) {
  char head[CLI_HASH_CHARS] = "", encoder[CLI_HASH_CHARS] = "";
  mien_status status = MIEN_OK;
  const char *path = cli_model_encoder_path(&run->model);
  if (!path) path = cli_model_path(&run->model); /* a pack has both */
  const bool has_head = run->rows.content == MIEN_ROWS_LABELS;
  if (has_texts) status = hash_encoder(path, encoder, error);
  if (status == MIEN_OK && has_head) status = cli_parts_hash_head(model, head, error);
  json_t *hashes = json_object(), *thresholds = json_object();
  cli_json_set(to, hashes, "encoder", cli_json_text_or_null(has_texts ? encoder : NULL));
  cli_json_set(to, hashes, "head", cli_json_text_or_null(has_head ? head : NULL));
  cli_json_set(to, header, "model", hashes);
  for (size_t i = 0; has_head && i < mien_model_label_count(model); i++)
    cli_json_set(to, thresholds, mien_model_label_name(model, i), cli_json_float(mien_model_threshold(model, i)));
  cli_json_set(to, header, "thresholds", thresholds);
  return status;
}

/* Numbers of a row of an array. */
static json_t *count_columns(const cli_run *run, const mien_model *model) {
  if (!mien_output_is_array(run->rows.format)) return json_null();
  const size_t n = run->rows.content == MIEN_ROWS_EMBEDDINGS ? mien_model_dim(model)
                   : run->rows.format == MIEN_OUTPUT_NPY     ? mien_model_label_count(model)
                                                             : mien_model_words(model);
  return json_integer((json_int_t)n);
}

/* ---- Settings ---------------------------------------------------------------------------------------------------- */

/* What the results depend on of the machine. */
/* Instruction sets are one where they give the same bits: in float32 all but portable C do. */
static const char *bits_of(const char *dtype, const char *isa) {
  const bool is_float = strcmp(dtype, "f32") == 0 || strcmp(dtype, "f16") == 0;
  return is_float && strcmp(isa, "portable") != 0 ? "avx2, avx512 or neon" : isa;
}

static mien_status add_machine(cli_json *to, json_t *settings, const cli_run *run, mien_model *model, bool has_texts,
                               mien_error *error) {
  const bool is_cpu = run->run.device == MIEN_DEVICE_CPU, makes_tokens = run->rows.content == MIEN_ROWS_TOKENS;
  const char *dtype = has_texts ? mien_model_dtype(model) : "f32";
  cli_json_set(to, settings, "dtype", cli_json_text_or_null(makes_tokens ? NULL : dtype));
  cli_json_set(to, settings, "device", cli_json_text_or_null(makes_tokens ? NULL : is_cpu ? "cpu" : "cuda"));
  if (makes_tokens || (is_cpu && strcmp(dtype, "int8") == 0)) {
    cli_json_set(to, settings, "isa", json_null());
    return MIEN_OK;
  }
  const mien_session_options options = {.size = sizeof options,
                                        .device = run->run.device,
                                        .threads = 1,
                                        .ordinal = run->run.ordinal == MIEN_ALL_DEVICES ? 0 : run->run.ordinal};
  mien_session *session = NULL;
  mien_status status = mien_session_create(model, &options, &session, error);
  if (status == MIEN_OK) {
    const char *isa = has_texts ? mien_session_isa(session) : mien_session_head_isa(session);
    cli_json_set(to, settings, "isa", json_string(is_cpu ? bits_of(dtype, isa) : isa));
  }
  mien_session_destroy(session);
  return status;
}

static json_t *list_kept(cli_json *to, const cli_run *run) {
  if (run->texts.keep_all) return json_string("all");
  json_t *list = json_array();
  for (size_t i = 0; i < run->rows.n_keep; i++) cli_json_append(to, list, cli_json_text_or_null(run->rows.keep[i]));
  return list;
}

static mien_status add_settings(cli_json *to, json_t *header, const cli_run *run, mien_model *model, bool has_texts,
                                const char *ending, mien_error *error) {
  const mien_row_options *rows = &run->rows;
  const mien_text_options *texts = &run->texts;
  json_t *settings = json_object();
  const size_t max_tokens = rows->content == MIEN_ROWS_TOKENS ? rows->max_tokens
                            : has_texts                       ? mien_model_max_tokens(model)
                                                              : 0;
  cli_json_set(to, settings, "output_format", json_string(ending + 1));
  cli_json_set(to, settings, "columns", count_columns(run, model));
  cli_json_set(to, settings, "scores", json_string(rows->all_scores ? "all" : "labels"));
  cli_json_set(to, settings, "top_k", json_integer((json_int_t)rows->top_k));
  cli_json_set(to, settings, "min_labels", json_integer(rows->min_one_label));
  cli_json_set(to, settings, "text_field", cli_json_text_or_null(texts->text_field));
  cli_json_set(to, settings, "id_field", cli_json_text_or_null(texts->id_field));
  cli_json_set(to, settings, "text_column", cli_json_text_or_null(texts->text_column));
  cli_json_set(to, settings, "id_column", cli_json_text_or_null(texts->id_column));
  cli_json_set(to, settings, "header", json_boolean(!texts->no_header));
  cli_json_set(to, settings, "keep", list_kept(to, run));
  cli_json_set(to, settings, "max_tokens", json_integer((json_int_t)max_tokens));
  const bool splits = rows->splits;
  cli_json_set(to, settings, "long", json_string(splits ? "split" : "truncate"));
  cli_json_set(to, settings, "pool",
               cli_json_text_or_null(!splits                            ? NULL
                                     : rows->pooling == MIEN_SPANS_MEAN ? "mean"
                                                                        : "max"));
  cli_json_set(to, settings, "offsets",
               cli_json_text_or_null(!splits                   ? NULL
                                     : rows->counts_characters ? "chars"
                                                               : "bytes"));
  mien_status status = add_machine(to, settings, run, model, has_texts, error);
  cli_json_set(to, header, "settings", settings);
  return status;
}

/* ---- The header -------------------------------------------------------------------------------------------------- */

static json_t *show_shard(cli_json *to, const cli_parts *parts) {
  if (parts->shard.count == 0) return json_null();
  json_t *shard = json_object();
  cli_json_set(to, shard, "index", json_integer(parts->shard.index));
  cli_json_set(to, shard, "of", json_integer(parts->shard.count));
  cli_json_set(to, shard, "by", json_string(parts->by_files ? "files" : "rows"));
  return shard;
}

mien_status cli_parts_header(cli_run *run, mien_model *model, const mien_inputs *inputs, const cli_survey *survey,
                             const mien_row_range *range, const char *ending, char **text, mien_error *error) {
  const bool has_texts = mien_input_kind(inputs->items[0].format) == MIEN_INPUT_TEXTS;
  cli_json to = {0};
  json_t *header = json_object();
  cli_json_set(&to, header, "manifest", json_integer(CLI_MANIFEST_VERSION));
  cli_json_set(&to, header, "mien", json_string(mien_version()));
  cli_json_set(&to, header, "command", json_string(run->command));
  cli_json_set(&to, header, "shard", show_shard(&to, &run->parts));
  cli_json_set(&to, header, "first_row", count_or_null(range->first));
  cli_json_set(&to, header, "end_row", count_or_null(range->end));
  cli_json_set(&to, header, "part_rows", json_integer((json_int_t)run->parts.rows));
  cli_json_set(&to, header, "rows", count_or_null(survey ? survey->total_rows : MIEN_ROWS_UNKNOWN));
  mien_status status = add_model(&to, header, run, model, has_texts, error);
  if (status == MIEN_OK) status = add_settings(&to, header, run, model, has_texts, ending, error);
  cli_json_set(&to, header, "inputs", list_inputs(&to, inputs, survey));
  *text = status == MIEN_OK && !to.failed ? json_dumps(header, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
  json_decref(header);
  if (status == MIEN_OK && !*text) return mien_fail_memory(error, "manifest", inputs->count * CLI_HASH_CHARS);
  return status;
}

/* ---- Differences ------------------------------------------------------------------------------------------------- */

enum { WHERE_CHARS = 512 };

/* Takes a difference: `where` is "settings.dtype". Returns whether more are wanted. */
typedef bool (*take_difference)(void *user, const char *where, const json_t *expected, const json_t *found);

/* A value for a message, cut short: what is long is told by its kind. */
static const char *show_value(const json_t *value, char out[WHERE_CHARS]) {
  if (!value) return "nothing";
  if (json_is_object(value) || json_is_array(value)) return mien_json_kind(value);
  char real[MIEN_JSON_NUMBER_CHARS];
  if (json_is_real(value)) {
    snprintf(out, WHERE_CHARS, "%s", mien_json_show_number(json_real_value(value), real));
    return out;
  }
  const size_t length = json_dumpb(value, out, WHERE_CHARS - 1, JSON_ENCODE_ANY);
  out[length < WHERE_CHARS ? length : WHERE_CHARS - 1] = '\0';
  return out;
}

static bool compare(const char *where, const json_t *expected, const json_t *found, take_difference take, void *user);

static bool compare_objects(const char *where, const json_t *expected, const json_t *found, take_difference take,
                            void *user) {
  const json_t *const both[] = {expected, found};
  bool goes_on = true;
  for (int side = 0; side < 2; side++) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)both[side], key, value) {
      char inner[WHERE_CHARS];
      if (side == 1 && json_object_get(expected, key)) continue; /* was compared */
      snprintf(inner, sizeof inner, "%s%s%s", where, where[0] ? "." : "", key);
      goes_on = compare(inner, json_object_get(expected, key), json_object_get(found, key), take, user);
      if (!goes_on) return false;
    }
  }
  return true;
}

static bool compare_arrays(const char *where, const json_t *expected, const json_t *found, take_difference take,
                           void *user) {
  const size_t n = json_array_size(expected), m = json_array_size(found);
  for (size_t i = 0; i < (n > m ? n : m); i++) {
    char inner[WHERE_CHARS];
    snprintf(inner, sizeof inner, "%s[%zu]", where, i);
    if (!compare(inner, json_array_get(expected, i), json_array_get(found, i), take, user)) return false;
  }
  return true;
}

static bool compare(const char *where, const json_t *expected, const json_t *found, take_difference take, void *user) {
  if (json_is_object(expected) && json_is_object(found)) return compare_objects(where, expected, found, take, user);
  if (json_is_array(expected) && json_is_array(found)) return compare_arrays(where, expected, found, take, user);
  return (expected && found && json_equal(expected, found)) || take(user, where, expected, found);
}

typedef struct shown_differences {
  const char *path;
  int count;
} shown_differences;

static bool show_difference(void *user, const char *where, const json_t *expected, const json_t *found) {
  enum { MOST = 16 };
  shown_differences *shown = user;
  char a[WHERE_CHARS], b[WHERE_CHARS];
  mien_error error;
  if (shown->count++ < MOST)
    (void)mien_fail(&error, MIEN_INPUT, "%s: %s: expected %s, found %s", shown->path, where, show_value(expected, a),
                    show_value(found, b));
  else
    (void)mien_fail(&error, MIEN_INPUT, "%s: and more", shown->path);
  fprintf(stderr, "mien: %s\n", error.message);
  return shown->count <= MOST;
}

void cli_parts_show_differences(const char *path, const char *expected, const char *found) {
  json_t *a = json_loads(expected, JSON_ALLOW_NUL, NULL), *b = json_loads(found, JSON_ALLOW_NUL, NULL);
  shown_differences shown = {.path = path};
  if (a && b) compare("", a, b, show_difference, &shown);
  json_decref(a);
  json_decref(b);
}

typedef struct first_difference {
  const char *path;
  mien_error *error;
  bool is_found;
} first_difference;

static bool keep_difference(void *user, const char *where, const json_t *expected, const json_t *found) {
  first_difference *first = user;
  char a[WHERE_CHARS], b[WHERE_CHARS];
  for (size_t i = 0; i < sizeof shard_fields / sizeof *shard_fields; i++)
    if (strcmp(where, shard_fields[i]) == 0) return true;
  first->is_found = true;
  (void)mien_fail(first->error, MIEN_INPUT, "%s: not of the same run: %s: expected %s, found %s", first->path, where,
                  show_value(expected, a), show_value(found, b));
  return false;
}

mien_status cli_parts_same_run(const char *path, const json_t *expected, const json_t *found, mien_error *error) {
  first_difference first = {.path = path, .error = error};
  compare("", expected, found, keep_difference, &first);
  return first.is_found ? MIEN_INPUT : MIEN_OK;
}
