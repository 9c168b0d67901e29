/* SPDX-License-Identifier: Apache-2.0 */
/* A run's output files: the rows, and beside arrays a sidecar that lists their columns and bad rows. */
#include "corpus/writer.h"

#include <stdio.h>

#include "base/memory.h"
#include "base/number.h"
#include "corpus/output.h"
#include "formats/npy.h"

/* Beside arrays of labels, and of embeddings. */
static const char labels_ending[] = ".labels.json", rows_ending[] = ".rows.json";

struct mien_writer {
  mien_row_format rows;
  mien_output *output;
  mien_output *sidecar; /* NULL when there is none */
  size_t n_columns;     /* npy and bits: numbers a row */
  uint64_t n_rows, n_bad;
};

static bool is_array(const mien_writer *writer) { return mien_output_is_array(writer->rows.options.format); }

/* Whether the array begins with a header, which holds the number of rows. */
static bool has_header(const mien_writer *writer) { return writer->rows.options.format != MIEN_OUTPUT_F32; }

static void make_header(const mien_writer *writer, char header[MIEN_NPY_HEADER]) {
  const char *descr = writer->rows.options.format == MIEN_OUTPUT_NPY ? "<f4" : "<u4";
  mien_npy_write_header(header, descr, writer->n_rows, writer->n_columns);
}

char *mien_writer_sidecar(const char *path, mien_row_content content) {
  const char *ending = content == MIEN_ROWS_EMBEDDINGS ? rows_ending : labels_ending;
  size_t bytes = strlen(path) + strlen(ending) + 1;
  char *sidecar = mien_alloc(bytes, 1);
  if (sidecar) snprintf(sidecar, bytes, "%s%s", path, ending);
  return sidecar;
}

/* {"labels":[…],"bad_rows":[ and, row by row, what follows: the list is never in memory. */
static mien_status begin_sidecar(mien_writer *writer, const mien_model *model, const char *path,
                                 const atomic_bool *cancel, mien_error *error) {
  const mien_row_content content = writer->rows.options.content;
  char *sidecar_path = mien_writer_sidecar(path, content);
  if (!sidecar_path) return mien_fail_memory(error, path, strlen(path));
  mien_status status = mien_output_open(sidecar_path, cancel, &writer->sidecar, error);
  mien_free(sidecar_path);
  if (status != MIEN_OK) return status;
  mien_buffer text = {0};
  bool done = mien_buffer_append(&text, "{", 1);
  if (content == MIEN_ROWS_LABELS) {
    done = done && mien_buffer_append(&text, "\"labels\":[", 10);
    for (size_t i = 0; done && i < mien_model_label_count(model); i++) {
      const char *name = mien_model_label_name(model, i);
      done = (i == 0 || mien_buffer_append(&text, ",", 1)) && mien_buffer_append_json(&text, name, strlen(name));
    }
    done = done && mien_buffer_append(&text, "],", 2);
  }
  done = done && mien_buffer_append(&text, "\"bad_rows\":[", 12);
  status = done ? mien_output_write(writer->sidecar, text.bytes, text.size, error)
                : mien_fail_memory(error, "labels", text.size);
  mien_buffer_free(&text);
  return status;
}

static mien_status begin_array(mien_writer *writer, const mien_model *model, const char *path,
                               const atomic_bool *cancel, mien_error *error) {
  const mien_row_options *options = &writer->rows.options;
  const char *format = options->format == MIEN_OUTPUT_NPY ? "npy" : "bits";
  if (has_header(writer) && !path)
    return mien_fail(error, MIEN_ARGUMENT, "%s output needs a file that can be written over: use -o", format);
  if (has_header(writer) && !mien_output_is_seekable(writer->output))
    return mien_fail(error, MIEN_ARGUMENT, "%s: %s output needs a file that can be written over", path, format);
  writer->n_columns = options->content == MIEN_ROWS_EMBEDDINGS ? mien_model_dim(model)
                      : options->format == MIEN_OUTPUT_NPY     ? mien_model_label_count(model)
                                                               : mien_model_words(model);
  mien_status status = MIEN_OK;
  if (has_header(writer)) {
    char header[MIEN_NPY_HEADER];
    make_header(writer, header);
    status = mien_output_write(writer->output, header, sizeof header, error);
  }
  if (status != MIEN_OK || !mien_output_is_file(writer->output)) return status;
  return begin_sidecar(writer, model, path, cancel, error);
}

/* ,NAME of each kept field. */
static bool append_kept_names(const mien_writer *writer, mien_buffer *text) {
  const mien_row_options *options = &writer->rows.options;
  bool done = true;
  for (size_t i = 0; done && i < options->n_keep; i++) {
    mien_buffer name = {0};
    const mien_span kept = {options->keep[i], strlen(options->keep[i])};
    done = mien_row_append_name(&writer->rows, kept, &name) && mien_buffer_append(text, ",", 1) &&
           mien_buffer_append_csv(text, name.bytes, name.size);
    mien_buffer_free(&name);
  }
  return done;
}

static mien_status begin_csv(mien_writer *writer, const mien_model *model, mien_error *error) {
  const mien_row_options *options = &writer->rows.options;
  mien_buffer text = {0};
  bool done = mien_buffer_append(&text, "row,id,labels,error", 19);
  if (done && options->inputs && options->inputs->count > 1) done = mien_buffer_append(&text, ",file", 5);
  done = done && append_kept_names(writer, &text);
  for (size_t i = 0; options->all_scores && done && i < mien_model_label_count(model); i++) {
    const char *name = mien_model_label_name(model, i);
    done = mien_buffer_append(&text, ",", 1) && mien_buffer_append_csv(&text, name, strlen(name));
  }
  done = done && mien_buffer_append(&text, "\n", 1);
  mien_status status = done ? mien_output_write(writer->output, text.bytes, text.size, error)
                            : mien_fail_memory(error, "labels", text.size);
  mien_buffer_free(&text);
  return status;
}

mien_status mien_writer_create(const mien_model *model, const mien_row_options *options, const char *path,
                               const atomic_bool *cancel, mien_writer **out, mien_error *error) {
  mien_writer *writer = mien_alloc(1, sizeof *writer);
  if (!writer) return mien_fail_memory(error, "writer", sizeof *writer);
  mien_status status = mien_row_format_init(&writer->rows, model, options, error);
  if (status == MIEN_OK) status = mien_output_open(path, cancel, &writer->output, error);
  if (status == MIEN_OK && is_array(writer)) status = begin_array(writer, model, path, cancel, error);
  if (status == MIEN_OK && options->format == MIEN_OUTPUT_CSV) status = begin_csv(writer, model, error);
  if (status == MIEN_OK) {
    *out = writer;
  } else {
    mien_writer_destroy(writer);
  }
  return status;
}

const mien_row_format *mien_writer_rows(const mien_writer *writer) { return &writer->rows; }

static mien_status write_bad_rows(mien_writer *writer, const mien_block *block, mien_error *error) {
  mien_status status = MIEN_OK;
  for (size_t i = 0; status == MIEN_OK && i < block->chunk.n_rows; i++) {
    if (!mien_block_is_bad(block, i)) continue;
    char number[1 + MIEN_NUMBER_CHARS] = ",";
    size_t bytes = 1 + mien_format_uint(number + 1, block->chunk.first_row + i);
    bool first = writer->n_bad++ == 0;
    status = mien_output_write(writer->sidecar, number + first, bytes - first, error);
  }
  return status;
}

static mien_status write_array(mien_writer *writer, const mien_block *block, mien_error *error) {
  const mien_results *results = &block->results;
  const void *data = writer->rows.options.content == MIEN_ROWS_EMBEDDINGS ? (const void *)results->embeddings
                     : writer->rows.options.format == MIEN_OUTPUT_NPY     ? (const void *)results->scores
                                                                          : (const void *)results->words;
  mien_status status = mien_output_write(writer->output, data, block->chunk.n_rows * writer->n_columns * 4, error);
  if (status == MIEN_OK && writer->sidecar && results->n_bad > 0) status = write_bad_rows(writer, block, error);
  return status;
}

mien_status mien_writer_write(mien_writer *writer, const mien_block *block, mien_error *error) {
  writer->n_rows += block->chunk.n_rows;
  mien_status status = is_array(writer) ? write_array(writer, block, error)
                                        : mien_output_write(writer->output, block->text.bytes, block->text.size, error);
  /* A program that writes a line and waits for its labels gets them. */
  if (status == MIEN_OK && block->chunk.is_dry && !mien_output_is_file(writer->output))
    status = mien_output_flush(writer->output, error);
  return status;
}

mien_status mien_writer_finish(mien_writer *writer, mien_error *error) {
  mien_status status = MIEN_OK;
  if (is_array(writer) && has_header(writer)) {
    char header[MIEN_NPY_HEADER];
    make_header(writer, header);
    status = mien_output_patch(writer->output, 0, header, sizeof header, error);
  }
  if (status == MIEN_OK && writer->sidecar) status = mien_output_write(writer->sidecar, "]}\n", 3, error);
  if (status == MIEN_OK) status = mien_output_close(writer->output, error);
  if (status == MIEN_OK && writer->sidecar) status = mien_output_close(writer->sidecar, error);
  /* All that can fail for want of space has not: the columns' names come first, then what they are names of. */
  if (status == MIEN_OK && writer->sidecar) status = mien_output_publish(writer->sidecar, error);
  if (status == MIEN_OK) status = mien_output_publish(writer->output, error);
  return status;
}

void mien_writer_destroy(mien_writer *writer) {
  if (!writer) return;
  mien_output_destroy(writer->sidecar);
  mien_output_destroy(writer->output);
  mien_row_format_free(&writer->rows);
  mien_free(writer);
}
