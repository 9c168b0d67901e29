/* SPDX-License-Identifier: Apache-2.0 */
/* The run: order, threads and failures, with a reader of the test's own in place of files. */
#include "corpus/pipeline.h"

#include <math.h>
#include <poll.h>

#include "base/memory.h"
#include "corpus/temporary.h"

enum { MOST_ROWS = 37, NONE = -1 };

/* Chunks of changing sizes that take a changing time, and fail where they are told to. */
typedef struct fake_reader {
  mien_reader base;
  size_t dim;
  uint64_t state;
  int n_chunks, next, failing_claim, failing_fill, later_failing_fill;
  uint64_t next_row;
} fake_reader;

static mien_status claim(mien_reader *base, mien_chunk *chunk, mien_error *error) {
  fake_reader *reader = (fake_reader *)base;
  chunk->n_rows = 0;
  if (reader->next == reader->n_chunks) return MIEN_OK;
  if (reader->next == reader->failing_claim) return mien_fail(error, MIEN_INPUT, "claim %d", reader->next);
  chunk->n_rows = 1 + random_bits(&reader->state) % MOST_ROWS;
  chunk->dtype = MIEN_F32;
  chunk->input = 0;
  chunk->first_row = chunk->first_row_in_input = reader->next_row;
  chunk->place = (uint64_t)reader->next++;
  reader->next_row += chunk->n_rows;
  return MIEN_OK;
}

/* Row r is r at column r mod D and 0 elsewhere; every 100th is bad. */
static mien_status fill(mien_reader *base, mien_chunk *chunk, mien_error *error) {
  const fake_reader *reader = (const fake_reader *)base;
  float *rows = chunk->data;
  memset(rows, 0, chunk->n_rows * reader->dim * sizeof *rows);
  for (size_t i = 0; i < chunk->n_rows; i++) {
    uint64_t row = chunk->first_row + i;
    rows[i * reader->dim + row % reader->dim] = row % 100 == 99 ? NAN : (float)(row % 7) - 3;
  }
  if (chunk->place % 5 == 0) poll(NULL, 0, (int)(chunk->place % 3));
  if ((int)chunk->place == reader->failing_fill || (int)chunk->place == reader->later_failing_fill)
    return mien_fail(error, MIEN_INPUT, "fill %d", (int)chunk->place);
  return MIEN_OK;
}

static mien_model *model;
static mien_error error;
static mien_run_summary summary;

static void setup(void) {
  make_temporary();
  ck_assert_msg(mien_model_open(MIEN_TEST_MODELS "/heads/all-MiniLM-L6-v2", NULL, &model, &error) == MIEN_OK, "%s",
                error.message);
}

static void teardown(void) {
  mien_model_release(model);
  remove_temporary();
}

static mien_input input = {"fake", MIEN_INPUT_NPY};
static mien_inputs inputs = {&input, 1, 1};

static fake_reader make_reader(int n_chunks) {
  size_t dim = mien_model_dim(model);
  return (fake_reader){.base = {.claim = claim,
                                .fill = fill,
                                .inputs = &inputs,
                                .chunk_rows = MOST_ROWS,
                                .chunk_bytes = MOST_ROWS * dim * sizeof(float),
                                .n_rows = MIEN_ROWS_UNKNOWN},
                       .dim = dim,
                       .state = 6,
                       .n_chunks = n_chunks,
                       .failing_claim = NONE,
                       .failing_fill = NONE,
                       .later_failing_fill = NONE};
}

static mien_status run(fake_reader *reader, mien_output_format format, const mien_run_options *options) {
  mien_row_options rows = {.format = format, .inputs = &inputs};
  mien_writer *writer = NULL;
  mien_status status = mien_writer_create(model, &rows, in_temporary("out"), NULL, &writer, &error);
  if (status == MIEN_OK) status = mien_run(model, &reader->base, writer, options, &summary, &error);
  mien_writer_destroy(writer);
  return status;
}

static size_t run_with_threads(unsigned threads, mien_output_format format, char *bytes, size_t capacity) {
  fake_reader reader = make_reader(200);
  mien_run_options options = {.threads = threads, .max_bad = UINT64_MAX};
  ck_assert_msg(run(&reader, format, &options) == MIEN_OK, "%s", error.message);
  ck_assert_uint_eq(summary.n_rows, reader.next_row);
  ck_assert_uint_eq(summary.n_bad, reader.next_row / 100);
  return read_temporary("out", bytes, capacity);
}

START_TEST(every_row_is_written_once_and_in_order_by_any_number_of_threads) {
  enum { CAPACITY = 1 << 24 };
  static const mien_output_format formats[] = {MIEN_OUTPUT_JSONL, MIEN_OUTPUT_CSV, MIEN_OUTPUT_NPY, MIEN_OUTPUT_BITS};
  static const unsigned threads[] = {2, 3, 8, 40, 300};
  setup();
  char *expected = malloc(CAPACITY), *found = malloc(CAPACITY);
  for (size_t f = 0; f < sizeof formats / sizeof *formats; f++) {
    size_t size = run_with_threads(1, formats[f], expected, CAPACITY);
    ck_assert_uint_lt(size, CAPACITY);
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
      ck_assert_uint_eq(run_with_threads(threads[t], formats[f], found, CAPACITY), size);
      ck_assert_msg(memcmp(found, expected, size) == 0, "format %zu differs with %u threads", f, threads[t]);
    }
  }
  free(expected);
  free(found);
  teardown();
}
END_TEST

static void check_failure(fake_reader reader, unsigned threads, const char *message) {
  mien_run_options options = {.threads = threads, .max_bad = UINT64_MAX};
  ck_assert_int_eq(run(&reader, MIEN_OUTPUT_NPY, &options), MIEN_INPUT);
  ck_assert_str_eq(error.message, message);
  ck_assert_int_eq(count_temporary(), 0);
}

START_TEST(the_first_failure_in_row_order_is_told_and_nothing_is_left) {
  setup();
  for (unsigned threads = 1; threads <= 16; threads *= 2) {
    fake_reader reader = make_reader(100);
    reader.failing_claim = 50;
    check_failure(reader, threads, "claim 50");
    reader.failing_fill = 30;
    reader.later_failing_fill = 31;
    check_failure(reader, threads, "fill 30");
    reader.failing_fill = 0;
    check_failure(reader, threads, "fill 0");
    reader.failing_claim = 0;
    check_failure(reader, threads, "claim 0");
  }
  teardown();
}
END_TEST

START_TEST(bad_rows_stop_the_run_when_they_are_too_many) {
  setup();
  for (unsigned threads = 1; threads <= 16; threads *= 4) {
    fake_reader reader = make_reader(100);
    mien_run_options options = {.threads = threads, .max_bad = 3};
    ck_assert_int_eq(run(&reader, MIEN_OUTPUT_BITS, &options), MIEN_INPUT);
    ck_assert_str_eq(error.message,
                     "fake: row 399: not finite: column 15 is NaN: expected at most 3 bad rows, found 4");
    reader = make_reader(100);
    options.fail_on_bad = true;
    ck_assert_int_eq(run(&reader, MIEN_OUTPUT_BITS, &options), MIEN_INPUT);
    ck_assert_str_eq(error.message, "fake: row 99: not finite: column 99 is NaN");
    ck_assert_int_eq(count_temporary(), 0);
  }
  teardown();
}
END_TEST

static atomic_bool cancel;

static void cancel_after_some(void *user, const mien_run_summary *so_far) {
  (void)user;
  if (so_far->n_rows > 500) atomic_store(&cancel, true);
}

START_TEST(a_cancelled_run_leaves_nothing) {
  setup();
  for (unsigned threads = 1; threads <= 8; threads *= 2) {
    atomic_store(&cancel, false);
    fake_reader reader = make_reader(1000);
    mien_run_options options = {
        .threads = threads, .max_bad = UINT64_MAX, .cancel = &cancel, .progress = cancel_after_some};
    ck_assert_int_eq(run(&reader, MIEN_OUTPUT_JSONL, &options), MIEN_CANCELLED);
    ck_assert_int_lt(reader.next, 1000);
    ck_assert_int_eq(count_temporary(), 0);
  }
  teardown();
}
END_TEST

START_TEST(a_run_without_rows_is_whole) {
  setup();
  fake_reader reader = make_reader(0);
  mien_run_options options = {.threads = 4, .max_bad = 0};
  ck_assert_int_eq(run(&reader, MIEN_OUTPUT_JSONL, &options), MIEN_OK);
  char byte;
  ck_assert_uint_eq(read_temporary("out", &byte, 1), 0);
  teardown();
}
END_TEST

MIEN_SUITE("pipeline", every_row_is_written_once_and_in_order_by_any_number_of_threads,
           the_first_failure_in_row_order_is_told_and_nothing_is_left, bad_rows_stop_the_run_when_they_are_too_many,
           a_cancelled_run_leaves_nothing, a_run_without_rows_is_whole)
