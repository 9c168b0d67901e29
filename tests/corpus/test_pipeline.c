/* SPDX-License-Identifier: Apache-2.0 */
/* The run: order, threads and failures, with a reader of the test's own in place of files. */
#include "corpus/pipeline.h"

#include <math.h>
#include <poll.h>

#include "base/memory.h"
#include "corpus/temporary.h"
#include "formats/npy.h"

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

enum { WORKERS = 2, AHEAD = 2 * WORKERS };

static atomic_int n_claimed;

static mien_status claim_and_count(mien_reader *base, mien_chunk *chunk, mien_error *error_) {
  mien_status status = claim(base, chunk, error_);
  if (chunk->n_rows > 0) atomic_fetch_add(&n_claimed, 1);
  return status;
}

/* The first chunk takes until the other worker has claimed as many as it may, and a while longer. */
static mien_status fill_first_last(mien_reader *base, mien_chunk *chunk, mien_error *error_) {
  enum { PATIENCE = 20000, LONGER = 50 };
  for (int i = 0; chunk->place == 0 && atomic_load(&n_claimed) < AHEAD && i < PATIENCE; i++) poll(NULL, 0, 1);
  if (chunk->place == 0) {
    poll(NULL, 0, LONGER);
    ck_assert_int_eq(atomic_load(&n_claimed), AHEAD);
  }
  return fill(base, chunk, error_);
}

START_TEST(workers_go_on_behind_a_slow_chunk_and_not_without_end) {
  setup();
  atomic_store(&n_claimed, 0);
  fake_reader reader = make_reader(100);
  reader.base.claim = claim_and_count;
  reader.base.fill = fill_first_last;
  mien_run_options options = {.threads = WORKERS, .max_bad = UINT64_MAX};
  ck_assert_msg(run(&reader, MIEN_OUTPUT_BITS, &options) == MIEN_OK, "%s", error.message);
  ck_assert_int_eq(atomic_load(&n_claimed), 100);
  ck_assert_uint_eq(summary.n_rows, reader.next_row);
  teardown();
}
END_TEST

/* Reading takes longest where one worker after the other waits in a claim. */
static mien_status claim_slowly(mien_reader *base, mien_chunk *chunk, mien_error *error_) {
  poll(NULL, 0, 2);
  return claim(base, chunk, error_);
}

START_TEST(the_time_of_all_workers_is_that_of_the_stages) {
  setup();
  for (unsigned threads = 1; threads <= 8; threads *= 2) {
    fake_reader reader = make_reader(50);
    reader.base.claim = claim_slowly;
    mien_run_options options = {.threads = threads, .max_bad = UINT64_MAX};
    ck_assert_msg(run(&reader, MIEN_OUTPUT_JSONL, &options) == MIEN_OK, "%s", error.message);
    double all = 0;
    for (int i = 0; i < MIEN_STAGES; i++) {
      ck_assert_double_ge(summary.times.seconds[i], 0);
      all += summary.times.seconds[i];
    }
    ck_assert_double_ge_tol(all, summary.seconds * threads, 1e-6);
    ck_assert_double_ge(summary.times.reader_seconds, 51 * 0.002);
    ck_assert_double_le(summary.times.reader_seconds, summary.seconds);
    ck_assert_double_gt(summary.times.seconds[MIEN_STAGE_FORWARD], 0);
    ck_assert_int_eq(mien_stage_bottleneck(&summary.times, threads, summary.seconds), MIEN_STAGE_READ);
  }
  teardown();
}
END_TEST

START_TEST(the_bottleneck_is_what_was_busy_for_the_greatest_share) {
  mien_stage_times times = {.seconds[MIEN_STAGE_READ] = 4, .seconds[MIEN_STAGE_FORWARD] = 30, .reader_seconds = 4};
  ck_assert_int_eq(mien_stage_bottleneck(&times, 4, 10), MIEN_STAGE_FORWARD);
  times.seconds[MIEN_STAGE_TOKENIZE] = 31;
  ck_assert_int_eq(mien_stage_bottleneck(&times, 8, 10), MIEN_STAGE_TOKENIZE);
  /* 9 of 10 seconds of the one that writes are more than 65 of the 80 of all. */
  times.seconds[MIEN_STAGE_WRITE] = 9;
  ck_assert_int_eq(mien_stage_bottleneck(&times, 8, 10), MIEN_STAGE_WRITE);
  times.reader_seconds = times.seconds[MIEN_STAGE_READ] = 9.5;
  ck_assert_int_eq(mien_stage_bottleneck(&times, 8, 10), MIEN_STAGE_READ);
  /* Read side by side, it is one stage of many. */
  times.reader_seconds = times.seconds[MIEN_STAGE_WRITE] = 0;
  ck_assert_int_eq(mien_stage_bottleneck(&times, 8, 10), MIEN_STAGE_TOKENIZE);
  times.seconds[MIEN_STAGE_WAIT] = 1000;
  ck_assert_int_eq(mien_stage_bottleneck(&times, 8, 10), MIEN_STAGE_TOKENIZE);
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

/* ---- Parts ------------------------------------------------------------------------------------------------------- */

enum { PART_ROWS = 150, FILE_ROWS = 1000, MOST_BYTES = 1 << 20 };

/* Rows of zeros; every 100th is bad. */
static void write_rows(const char *name) {
  const size_t dim = mien_model_dim(model), size = MIEN_NPY_HEADER + FILE_ROWS * dim * sizeof(float);
  char *bytes = calloc(1, size);
  mien_npy_write_header(bytes, "<f4", FILE_ROWS, dim);
  for (size_t i = 99; i < FILE_ROWS; i += 100) {
    const float nan = NAN;
    memcpy(bytes + MIEN_NPY_HEADER + i * dim * sizeof nan, &nan, sizeof nan);
  }
  write_temporary(name, bytes, size);
  free(bytes);
}

typedef struct seen_parts {
  const mien_row_range *range;
  uint64_t next_row;
  int n_parts;
  char path[512];
} seen_parts;

static mien_status begin_part(void *user, uint64_t first_row, const char **path, mien_error *told) {
  (void)told;
  seen_parts *seen = user;
  ck_assert_uint_eq(first_row, seen->next_row);
  snprintf(seen->path, sizeof seen->path, "%s%d", in_temporary("part"), seen->n_parts);
  *path = seen->path;
  return MIEN_OK;
}

static mien_status end_part(void *user, const mien_part *part, mien_error *told) {
  (void)told;
  seen_parts *seen = user;
  const uint64_t left = seen->range->end - seen->next_row, end = part->first_row + part->n_rows;
  ck_assert_uint_eq(part->first_row, seen->next_row);
  ck_assert_uint_eq(part->n_rows,
                    seen->range->part_rows && seen->range->part_rows < left ? seen->range->part_rows : left);
  ck_assert_uint_eq(part->n_bad, end / 100 - part->first_row / 100);
  seen->next_row = end;
  seen->n_parts++;
  return MIEN_OK;
}

/* Runs the file's rows of the range in parts; returns how many. */
static int run_in_parts(const mien_row_range *range, mien_output_format format, mien_run_options options) {
  mien_input file = {(char *)in_temporary("rows.npy"), MIEN_INPUT_NPY};
  const mien_inputs files = {&file, 1, 1};
  const mien_row_options rows = {.format = format, .inputs = &files};
  seen_parts seen = {.range = range, .next_row = range->first};
  const mien_parts parts = {.range = range, .begin = begin_part, .end = end_part, .user = &seen};
  mien_reader *reader = NULL;
  mien_writer *writer = NULL;
  options.max_bad = UINT64_MAX;
  ck_assert_msg(mien_embedding_reader_create(&files, mien_model_dim(model), 4, 1 << 16, range, NULL, &reader, &error) ==
                    MIEN_OK,
                "%s", error.message);
  ck_assert_int_eq(mien_writer_create_in_parts(model, &rows, &parts, NULL, &writer, &error), MIEN_OK);
  ck_assert_msg(mien_run(model, reader, writer, &options, &summary, &error) == MIEN_OK, "%s", error.message);
  mien_writer_destroy(writer);
  reader->destroy(reader);
  ck_assert_uint_eq(summary.n_rows, seen.next_row - range->first);
  return seen.n_parts;
}

/* Reads parts behind each other. */
static size_t read_parts(int n, char bytes[MOST_BYTES]) {
  size_t size = 0;
  for (int i = 0; i < n; i++) {
    char name[16];
    snprintf(name, sizeof name, "part%d", i);
    size += read_temporary(name, bytes + size, MOST_BYTES - size);
  }
  return size;
}

START_TEST(parts_behind_each_other_are_the_whole) {
  setup();
  write_rows("rows.npy");
  char *whole = malloc(MOST_BYTES), *found = malloc(MOST_BYTES);
  const mien_row_range once = {.end = FILE_ROWS}, in_parts = {.end = FILE_ROWS, .part_rows = PART_ROWS};
  ck_assert_int_eq(run_in_parts(&once, MIEN_OUTPUT_JSONL, (mien_run_options){.threads = 1}), 1);
  const size_t size = read_parts(1, whole);
  for (unsigned threads = 1; threads <= 8; threads *= 2) {
    const int n = run_in_parts(&in_parts, MIEN_OUTPUT_JSONL, (mien_run_options){.threads = threads});
    ck_assert_int_eq(n, (FILE_ROWS + PART_ROWS - 1) / PART_ROWS);
    ck_assert_uint_eq(read_parts(n, found), size);
    ck_assert(memcmp(whole, found, size) == 0);
  }
  free(whole);
  free(found);
  teardown();
}
END_TEST

START_TEST(a_part_of_an_array_has_a_header_and_bad_rows_of_its_own) {
  setup();
  write_rows("rows.npy");
  const mien_row_range range = {.first = 180, .end = 420, .part_rows = PART_ROWS};
  ck_assert_int_eq(run_in_parts(&range, MIEN_OUTPUT_BITS, (mien_run_options){.threads = 2}), 2);
  char bytes[4096], *sidecar = bytes;
  const size_t size = read_temporary("part1", bytes, sizeof bytes);
  ck_assert_uint_eq(size, MIEN_NPY_HEADER + 90 * sizeof(uint32_t));
  bytes[MIEN_NPY_HEADER - 1] = '\0';
  ck_assert_ptr_nonnull(strstr(bytes + MIEN_NPY_PREFIX, "'shape': (90, 1)"));
  sidecar[read_temporary("part0.labels.json", bytes, sizeof bytes - 1)] = '\0';
  ck_assert_ptr_nonnull(strstr(sidecar, "],\"first_row\":180,\"bad_rows\":[199,299]}\n"));
  sidecar[read_temporary("part1.labels.json", bytes, sizeof bytes - 1)] = '\0';
  ck_assert_ptr_nonnull(strstr(sidecar, "],\"first_row\":330,\"bad_rows\":[399]}\n"));
  teardown();
}
END_TEST

START_TEST(a_range_without_rows_is_one_part) {
  setup();
  write_rows("rows.npy");
  const mien_row_range range = {.first = 180, .end = 180, .part_rows = PART_ROWS};
  ck_assert_int_eq(run_in_parts(&range, MIEN_OUTPUT_CSV, (mien_run_options){.threads = 2}), 1);
  char bytes[64];
  ck_assert_uint_eq(read_temporary("part0", bytes, sizeof bytes), 20);
  ck_assert(memcmp(bytes, "row,id,labels,error\n", 20) == 0);
  teardown();
}
END_TEST

static atomic_bool finish;

static void finish_after_some(void *user, const mien_run_summary *so_far) {
  (void)user;
  if (so_far->n_rows > 200) atomic_store(&finish, true);
}

START_TEST(a_run_that_is_to_finish_ends_whole_parts) {
  setup();
  write_rows("rows.npy");
  enum { ROWS = 20, FEWEST = 200 / ROWS }; /* of a part; of parts, where it ends after 200 rows */
  const mien_row_range range = {.first = 10, .end = FILE_ROWS, .part_rows = ROWS};
  for (unsigned threads = 1; threads <= 4; threads *= 2) {
    atomic_store(&finish, false);
    const mien_run_options options = {.threads = threads, .finish = &finish, .progress = finish_after_some};
    const int n = run_in_parts(&range, MIEN_OUTPUT_JSONL, options);
    ck_assert_uint_eq(summary.n_rows, (uint64_t)n * ROWS);
    ck_assert(summary.is_finished_early);
    ck_assert_int_ge(n, FEWEST);
    ck_assert_int_lt(n, 2 * FEWEST);
  }
  /* Nothing is begun. */
  ck_assert_int_eq(run_in_parts(&range, MIEN_OUTPUT_JSONL, (mien_run_options){.threads = 2, .finish = &finish}), 0);
  teardown();
}
END_TEST

MIEN_SUITE("pipeline", every_row_is_written_once_and_in_order_by_any_number_of_threads,
           the_first_failure_in_row_order_is_told_and_nothing_is_left, bad_rows_stop_the_run_when_they_are_too_many,
           the_time_of_all_workers_is_that_of_the_stages, the_bottleneck_is_what_was_busy_for_the_greatest_share,
           workers_go_on_behind_a_slow_chunk_and_not_without_end, a_cancelled_run_leaves_nothing,
           a_run_without_rows_is_whole, parts_behind_each_other_are_the_whole,
           a_part_of_an_array_has_a_header_and_bad_rows_of_its_own, a_range_without_rows_is_one_part,
           a_run_that_is_to_finish_ends_whole_parts)
