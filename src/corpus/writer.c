/* SPDX-License-Identifier: Apache-2.0 */
/* A run's output files: the rows, and beside arrays a sidecar that lists their columns and bad rows. */
#include "corpus/writer.h"

#include "base/memory.h"
#include "corpus/sidecar.h"
#include "formats/npy.h"

struct mien_writer {
  mien_row_format rows;
  const mien_model *model;
  const atomic_bool *cancel;
  const char **labels;        /* [L] of arrays of labels */
  size_t n_labels, n_columns; /* npy and bits: numbers a row */
  mien_parts parts;
  bool is_in_parts, has_begun;
  mien_output *output;  /* NULL between parts */
  mien_sidecar sidecar; /* closed where there is none */
  mien_part part;       /* what is open; without parts, all rows */
};

static bool is_array(const mien_writer *writer) { return mien_output_is_array(writer->rows.options.format); }

static bool has_header(const mien_writer *writer) { return mien_output_has_header(writer->rows.options.format); }

/* ---- Beginning a file -------------------------------------------------------------------------------------------- */

static void make_header(const mien_writer *writer, char header[MIEN_NPY_HEADER]) {
  mien_output_make_header(writer->rows.options.format, writer->part.n_rows, writer->n_columns, header);
}

static mien_status begin_array(mien_writer *writer, const char *path, mien_error *error) {
  const mien_row_options *options = &writer->rows.options;
  const char *format = options->format == MIEN_OUTPUT_NPY ? "npy" : "bits";
  if (has_header(writer) && !path)
    return mien_fail(error, MIEN_ARGUMENT, "%s output needs a file that can be written over: use -o", format);
  if (has_header(writer) && !mien_output_is_seekable(writer->output))
    return mien_fail(error, MIEN_ARGUMENT, "%s: %s output needs a file that can be written over", path, format);
  mien_status status = MIEN_OK;
  if (has_header(writer)) {
    char header[MIEN_NPY_HEADER];
    make_header(writer, header);
    status = mien_output_write_header(writer->output, header, sizeof header, error);
  }
  if (status != MIEN_OK || !mien_output_is_file(writer->output)) return status;
  return mien_sidecar_open(&writer->sidecar, path, options->content, writer->labels, writer->n_labels,
                           writer->is_in_parts ? writer->part.first_row : MIEN_ROWS_UNKNOWN, writer->cancel, error);
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

static mien_status begin_csv(mien_writer *writer, mien_error *error) {
  const mien_row_options *options = &writer->rows.options;
  const mien_model *model = writer->model;
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

static mien_status begin_file(mien_writer *writer, const char *path, uint64_t first_row, mien_error *error) {
  writer->part = (mien_part){.first_row = first_row};
  writer->has_begun = true;
  mien_status status = mien_output_open(path, writer->cancel, &writer->output, error);
  if (status == MIEN_OK) status = mien_output_compress(writer->output, writer->rows.options.compression, error);
  if (status == MIEN_OK && is_array(writer)) status = begin_array(writer, path, error);
  if (status == MIEN_OK && writer->rows.options.format == MIEN_OUTPUT_CSV) status = begin_csv(writer, error);
  return status;
}

static mien_status begin_part(mien_writer *writer, uint64_t first_row, mien_error *error) {
  const char *path = NULL;
  mien_status status = writer->parts.begin(writer->parts.user, first_row, &path, error);
  return status == MIEN_OK ? begin_file(writer, path, first_row, error) : status;
}

/* ---- Ending a file ----------------------------------------------------------------------------------------------- */

static mien_status end_file(mien_writer *writer, mien_error *error) {
  mien_status status = MIEN_OK;
  mien_output *sidecar = writer->sidecar.output;
  if (is_array(writer) && has_header(writer)) {
    char header[MIEN_NPY_HEADER];
    make_header(writer, header);
    status = mien_output_patch_header(writer->output, header, sizeof header, error);
  }
  if (status == MIEN_OK) status = mien_output_close(writer->output, error);
  if (status == MIEN_OK && sidecar) status = mien_sidecar_close(&writer->sidecar, error);
  /* All that can fail for want of space has not: the columns' names come first, then what they are names of. */
  if (status == MIEN_OK && sidecar) status = mien_output_publish(sidecar, error);
  if (status == MIEN_OK) status = mien_output_publish(writer->output, error);
  return status;
}

static void destroy_file(mien_writer *writer) {
  mien_sidecar_destroy(&writer->sidecar);
  mien_output_destroy(writer->output);
  writer->output = NULL;
}

static mien_status end_part(mien_writer *writer, mien_error *error) {
  mien_status status = end_file(writer, error);
  destroy_file(writer);
  return status == MIEN_OK ? writer->parts.end(writer->parts.user, &writer->part, error) : status;
}

/* ---- The writer -------------------------------------------------------------------------------------------------- */

static mien_status find_columns(mien_writer *writer, mien_error *error) {
  const mien_row_options *options = &writer->rows.options;
  if (options->content == MIEN_ROWS_EMBEDDINGS) {
    writer->n_columns = mien_model_dim(writer->model);
    return MIEN_OK;
  }
  writer->n_labels = mien_model_label_count(writer->model);
  writer->n_columns = options->format == MIEN_OUTPUT_NPY ? writer->n_labels : mien_model_words(writer->model);
  writer->labels = mien_alloc(writer->n_labels, sizeof *writer->labels);
  if (!writer->labels) return mien_fail_memory(error, "labels", writer->n_labels * sizeof *writer->labels);
  for (size_t i = 0; i < writer->n_labels; i++) writer->labels[i] = mien_model_label_name(writer->model, i);
  return MIEN_OK;
}

static mien_status create(const mien_model *model, const mien_row_options *options, const atomic_bool *cancel,
                          mien_writer **out, mien_error *error) {
  mien_writer *writer = mien_alloc(1, sizeof *writer);
  if (!writer) return mien_fail_memory(error, "writer", sizeof *writer);
  *out = writer;
  writer->model = model;
  writer->cancel = cancel;
  mien_status status = mien_row_format_init(&writer->rows, model, options, error);
  return status == MIEN_OK && is_array(writer) ? find_columns(writer, error) : status;
}

mien_status mien_writer_create(const mien_model *model, const mien_row_options *options, const char *path,
                               const atomic_bool *cancel, mien_writer **out, mien_error *error) {
  mien_writer *writer = NULL;
  mien_status status = create(model, options, cancel, &writer, error);
  if (status == MIEN_OK) status = begin_file(writer, path, 0, error);
  if (status == MIEN_OK) {
    *out = writer;
  } else {
    mien_writer_destroy(writer);
  }
  return status;
}

mien_status mien_writer_create_in_parts(const mien_model *model, const mien_row_options *options,
                                        const mien_parts *parts, const atomic_bool *cancel, mien_writer **out,
                                        mien_error *error) {
  mien_writer *writer = NULL;
  mien_status status = create(model, options, cancel, &writer, error);
  if (status == MIEN_OK) {
    writer->parts = *parts;
    writer->is_in_parts = true;
    *out = writer;
  } else {
    mien_writer_destroy(writer);
  }
  return status;
}

const mien_row_format *mien_writer_rows(const mien_writer *writer) { return &writer->rows; }

static mien_status write_bad_rows(mien_writer *writer, const mien_block *block, mien_error *error) {
  mien_status status = MIEN_OK;
  for (size_t i = 0; status == MIEN_OK && i < block->chunk.n_rows; i++)
    if (mien_block_is_bad(block, i)) status = mien_sidecar_add(&writer->sidecar, block->chunk.first_row + i, error);
  return status;
}

static mien_status write_array(mien_writer *writer, const mien_block *block, mien_error *error) {
  const mien_results *results = &block->results;
  const void *data = writer->rows.options.content == MIEN_ROWS_EMBEDDINGS ? (const void *)results->embeddings
                     : writer->rows.options.format == MIEN_OUTPUT_NPY     ? (const void *)results->scores
                                                                          : (const void *)results->words;
  mien_status status = mien_output_write(writer->output, data, block->chunk.n_rows * writer->n_columns * 4, error);
  if (status == MIEN_OK && writer->sidecar.output && results->n_bad > 0) status = write_bad_rows(writer, block, error);
  return status;
}

static void count(mien_part *part, const mien_block *block) {
  part->n_rows += block->chunk.n_rows;
  part->n_bad += block->results.n_bad;
  part->n_labels += block->n_labels;
  part->n_tokens += block->n_tokens;
  part->n_truncated += block->results.n_truncated;
}

/* Whether the rows before `next` end a part. */
static bool ends_part(const mien_writer *writer, uint64_t next) {
  const mien_row_range *range = writer->parts.range;
  if (next == range->end) return true;
  return range->part_rows > 0 && (next - range->first) % range->part_rows == 0;
}

mien_status mien_writer_write(mien_writer *writer, const mien_block *block, mien_error *error) {
  const mien_chunk *chunk = &block->chunk;
  mien_status status = writer->output ? MIEN_OK : begin_part(writer, chunk->first_row, error);
  count(&writer->part, block);
  if (status == MIEN_OK)
    status = is_array(writer) ? write_array(writer, block, error)
                              : mien_output_write(writer->output, block->text.bytes, block->text.size, error);
  /* A program that writes a line and waits for its labels gets them. */
  if (status == MIEN_OK && chunk->is_dry && !mien_output_is_file(writer->output))
    status = mien_output_flush(writer->output, error);
  if (status == MIEN_OK && writer->is_in_parts && ends_part(writer, chunk->first_row + chunk->n_rows))
    status = end_part(writer, error);
  return status;
}

mien_status mien_writer_finish(mien_writer *writer, mien_error *error) {
  if (!writer->is_in_parts) return end_file(writer, error);
  mien_status status = writer->has_begun ? MIEN_OK : begin_part(writer, writer->parts.range->first, error);
  return status == MIEN_OK && writer->output ? end_part(writer, error) : status;
}

void mien_writer_destroy(mien_writer *writer) {
  if (!writer) return;
  destroy_file(writer);
  mien_row_format_free(&writer->rows);
  mien_free(writer->labels);
  mien_free(writer);
}
