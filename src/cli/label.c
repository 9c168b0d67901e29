/* SPDX-License-Identifier: Apache-2.0 */
/* mien label: texts or embeddings in, labels out. */
#include <stdio.h>
#include <unistd.h>

#include "base/status.h"
#include "cli/bars.h"
#include "cli/label_options.h"
#include "corpus/chunk.h"

static const char command[] = "label";

static int check_top_k(const cli_run *run, const mien_model *model) {
  const size_t n_labels = mien_model_label_count(model);
  if (run->rows.top_k <= n_labels) return MIEN_OK;
  return cli_usage(command, "option '--top-k': expected at most %zu, the head's labels, found %zu", n_labels,
                   run->rows.top_k);
}

static int open_model(cli_run *run, bool has_texts, mien_model **model) {
  if (!has_texts && !cli_model_is_named(&run->model))
    return cli_usage(command, "embeddings don't say which encoder made them: name its head by --head or --model");
  int code = cli_model_open(&run->model, command, has_texts ? CLI_USE_BOTH : CLI_USE_HEAD, model);
  return code == MIEN_OK ? check_top_k(run, *model) : code;
}

/* ---- INPUTs ------------------------------------------------------------------------------------------------------ */

static int label_inputs(cli_run *run) {
  mien_inputs inputs = {0};
  mien_model *model = NULL;
  mien_error error;
  const unsigned kinds = MIEN_INPUT_EMBEDDINGS | (cli_model_has_encoder(&run->model) ? MIEN_INPUT_TEXTS : 0);
  int code = cli_model_check(&run->model, command);
  if (code == MIEN_OK &&
      mien_inputs_add(&inputs, run->inputs, run->n_inputs, run->input_format, kinds, &error) != MIEN_OK)
    code = cli_report(command, &error);
  const bool has_texts = code == MIEN_OK && mien_input_kind(inputs.items[0].format) == MIEN_INPUT_TEXTS;
  if (code == MIEN_OK && !has_texts && run->text_option)
    code = cli_usage(command, "option '%s' is for inputs of text, found embeddings", cli_run_name(run->text_option));
  if (code == MIEN_OK && has_texts) code = cli_run_check_formats(run, &inputs);
  if (code == MIEN_OK) code = open_model(run, has_texts, &model);
  if (code == MIEN_OK) code = cli_run_check_output(run, &inputs);
  if (code == MIEN_OK) code = cli_run_all(run, model, &inputs, NULL);
  mien_inputs_free(&inputs);
  mien_model_release(model);
  return code;
}

/* ---- --text and the prompt --------------------------------------------------------------------------------------- */

/* A reader of the texts of the command line. */
typedef struct argument_reader {
  mien_reader base;
  const mien_text *texts;
  size_t n_texts, next;
} argument_reader;

static mien_status claim(mien_reader *base, mien_chunk *chunk, mien_error *error) {
  argument_reader *reader = (argument_reader *)base;
  size_t left = reader->n_texts - reader->next;
  (void)error;
  chunk->input = 0;
  chunk->first_row = chunk->first_row_in_input = chunk->place = reader->next;
  chunk->n_rows = left < base->chunk_rows ? left : base->chunk_rows;
  reader->next += chunk->n_rows;
  return MIEN_OK;
}

static mien_status fill(mien_reader *base, mien_chunk *chunk, mien_error *error) {
  const argument_reader *reader = (const argument_reader *)base;
  if (!mien_chunk_reserve_records(chunk, base->chunk_rows)) return mien_fail_memory(error, "texts", base->chunk_rows);
  for (size_t i = 0; i < chunk->n_rows; i++) {
    const mien_text *text = &reader->texts[chunk->place + i];
    chunk->records[i] = (mien_record){.text = {text->bytes, text->size}, .line = chunk->place + i + 1};
  }
  return MIEN_OK;
}

static void destroy(mien_reader *base) { (void)base; }

static int label_arguments(cli_label_options *options, mien_model *model) {
  mien_input input = {(char *)"--text", MIEN_INPUT_TEXT};
  const mien_inputs inputs = {&input, 1, 1};
  const mien_chunk_limits *limits = mien_chunk_limits_of(options->run.run.device);
  argument_reader reader = {.base = {.claim = claim,
                                     .fill = fill,
                                     .destroy = destroy,
                                     .inputs = &inputs,
                                     .has_texts = true,
                                     .chunk_rows = limits->text_rows,
                                     .n_rows = options->n_texts},
                            .texts = options->texts,
                            .n_texts = options->n_texts};
  int code = cli_run_check_output(&options->run, &inputs);
  return code == MIEN_OK ? cli_run_all(&options->run, model, &inputs, &reader.base) : code;
}

static int label_texts(cli_label_options *options) {
  cli_run *run = &options->run;
  mien_model *model = NULL;
  int code = open_model(run, true, &model);
  if (code == MIEN_OK && run->stats && (options->is_prompt || run->rows.format == MIEN_OUTPUT_TEXT))
    code = cli_usage(command, "option '--stats' is for INPUTs");
  if (code == MIEN_OK && options->is_prompt)
    code = cli_prompt(run, model);
  else if (code == MIEN_OK && run->rows.format == MIEN_OUTPUT_TEXT)
    code = cli_show_texts(run, model, options->texts, options->n_texts);
  else if (code == MIEN_OK)
    code = label_arguments(options, model);
  mien_model_release(model);
  return code;
}

int cli_label(int argc, char **argv) {
  cli_label_options options = {0};
  int code = cli_label_parse(&options, argc, argv);
  if (code == MIEN_OK) {
    cli_catch_signals();
    code = options.run.help       ? cli_label_help()
           : options.run.n_inputs ? label_inputs(&options.run)
                                  : label_texts(&options);
  }
  cli_label_free(&options);
  return code;
}
