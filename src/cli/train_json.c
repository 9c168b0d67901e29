/* SPDX-License-Identifier: Apache-2.0 */
/* train.json: every setting of a training, and what came of it, label by label. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/cpu.h"
#include "base/json.h"
#include "cli/train.h"

/* Room enough for a shortest decimal of a double's 15 digits. */
enum { DIGITS = 15 };

/* null where there is no number. */
static json_t *number(double value) { return isfinite(value) ? json_real(value) : json_null(); }

static json_t *text(const char *value) { return value ? json_string(value) : json_null(); }

static json_t *text_if(const char *value) { return text(value && value[0] ? value : NULL); }

static json_t *numbers(const double *values, size_t n) {
  json_t *list = json_array();
  for (size_t i = 0; i < n; i++) json_array_append_new(list, json_real(values[i]));
  return list;
}

static json_t *data_of(const train *t) {
  static const char *const names[TRAIN_SPLITS] = {"train", "dev", "test"};
  json_t *all = json_object();
  for (int i = 0; i < TRAIN_SPLITS; i++) {
    const train_part *part = &t->parts[i];
    if (!part->path) continue;
    json_object_set_new(all, names[i],
                        json_pack("{s:o, s:o, s:I, s:o, s:o}", "file", text(part->path), "xxh3_128",
                                  text_if(part->hash), "rows", (json_int_t)part->examples.n_rows, "embeddings",
                                  text(part->embeddings), "embeddings_xxh3_128", text_if(part->embeddings_hash)));
  }
  return all;
}

static json_t *encoder_of(const train *t) {
  if (!t->encoder) return json_null();
  return json_pack("{s:o, s:s, s:I, s:I}", "path", text(t->options->data.model.encoder), "dtype",
                   mien_model_dtype(t->encoder), "max_tokens", (json_int_t)mien_model_max_tokens(t->encoder), "dim",
                   (json_int_t)mien_model_dim(t->encoder));
}

static json_t *settings_of(const train *t) {
  const train_options *options = t->options;
  const mien_tune_options *tune = &options->tune.options;
  const bool has_target = tune->objective != MIEN_OBJECTIVE_FBETA;
  json_t *thresholds =
      json_pack("{s:s, s:s, s:o, s:o, s:o}", "tuned_on", t->parts[DEV_ROWS].path ? "dev" : "out_of_fold", "objective",
                cli_tune_objective(&options->tune), "beta", has_target ? json_null() : json_real(tune->beta), "at",
                has_target ? json_real(tune->target) : json_null(), "grid",
                tune->grid > 0 ? json_real(tune->grid) : json_string("exact"));
  return json_pack("{s:o, s:o, s:s, s:s, s:b, s:o, s:o, s:o, s:o, s:I}", "C", numbers(options->costs, options->n_costs),
                   "class_weight_powers", numbers(options->powers, options->n_powers), "selected_on",
                   t->n_settings == 1 ? "nothing"
                   : options->folds   ? "out_of_fold"
                                      : "dev",
                   "selected_by", train_measure_names[options->measure], "same_for_all", options->same_for_all, "folds",
                   options->folds ? json_integer(options->folds) : json_null(), "soft", text(options->soft.scores),
                   "soft_weight", options->soft.scores ? json_real(options->soft_weight) : json_null(), "thresholds",
                   thresholds, "seed", (json_int_t)options->data.seed);
}

static json_t *tried_of(const train *t) {
  json_t *list = json_array();
  for (size_t i = 0; i < t->n_settings; i++)
    json_array_append_new(list, json_pack("{s:f, s:f, s:o}", "C", t->settings[i].cost, "class_weight_power",
                                          t->settings[i].power, "mean", number(t->means[i])));
  return list;
}

static json_t *label_of(const train *t, size_t label) {
  const train_setting *setting = &t->settings[t->chosen[label]];
  const mien_logistic_fitted *fitted = &t->fitted[label];
  const bool is_constant = train_is_constant(t, label);
  return json_pack("{s:s, s:f, s:b, s:o, s:o, s:o, s:o, s:I, s:b, s:f}", "label", t->labels.names[label], "mass",
                   t->masses[label], "constant", is_constant, "C", is_constant ? json_null() : json_real(setting->cost),
                   "class_weight_power", is_constant ? json_null() : json_real(setting->power), "selected_at",
                   number(t->figures[t->chosen[label] * t->labels.n + label]), "objective",
                   is_constant ? json_null() : json_real(fitted->objective), "iterations",
                   (json_int_t)fitted->iterations, "converged", fitted->has_converged, "threshold",
                   (double)t->thresholds[label]);
}

char *train_json(const train *t) {
  mien_isa isa = MIEN_ISA_PORTABLE;
  mien_error error;
  if (mien_isa_choose(&isa, &error) != MIEN_OK) {
    (void)cli_report(TRAIN_COMMAND, &error);
    return NULL;
  }
  json_t *labels = json_array();
  for (size_t l = 0; l < t->labels.n; l++) json_array_append_new(labels, label_of(t, l));
  char *command = train_command(t->options);
  json_t *all = json_pack("{s:s, s:s, s:s*, s:o, s:o, s:I, s:o, s:o, s:o}", "mien", mien_version(), "isa",
                          mien_isa_name(isa), "command", command, "data", data_of(t), "encoder", encoder_of(t), "dim",
                          (json_int_t)t->dim, "settings", settings_of(t), "tried", tried_of(t), "labels", labels);
  char *out = all && command ? json_dumps(all, JSON_INDENT(2) | JSON_REAL_PRECISION(DIGITS)) : NULL;
  char *line = out ? realloc(out, strlen(out) + 2) : NULL;
  if (line)
    strcat(line, "\n");
  else
    free(out);
  json_decref(all);
  free(command);
  if (!line) (void)train_out_of_memory();
  return line;
}
