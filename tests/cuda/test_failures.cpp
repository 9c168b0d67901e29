/* SPDX-License-Identifier: Apache-2.0 */
/* What the CUDA device does when CUDA fails: at every call in turn, without memory, without devices, after a fork. */
#include <sys/wait.h>
#include <unistd.h>

#include "cuda_runtime.h"
#include "encoders.h"
#include "runtime.h"

static const mien_cuda_module *module;
static const test_shape shape = {1, 128, 4, 32, 64, 20, 16};

/* ---- Without devices --------------------------------------------------------------------------------------------- */

static void expect_message(mien_status status, const mien_error &error, mien_status expected, const char *part) {
  ck_assert_int_eq(status, expected);
  ck_assert_msg(strstr(error.message, part) != NULL, "expected \"%s\", found \"%s\"", part, error.message);
}

START_TEST(what_is_missing_is_said) {
  int count = 0;
  mien_error error = {};
  shim.devices = -1;
  expect_message(module->device_count(&count, &error), error, MIEN_RESOURCE, "no NVIDIA driver: libcuda.so.1");
  shim.devices = 1, shim.driver = 12040;
  expect_message(module->device_count(&count, &error), error, MIEN_RESOURCE,
                 "the NVIDIA driver is too old: expected one for CUDA 13.0 (580 or later), found one for CUDA 12.4");
  shim.devices = 0, shim.driver = 0;
  expect_message(module->device_count(&count, &error), error, MIEN_RESOURCE, "no NVIDIA device");
  shim.devices = 2;
  mien_cuda_device_info info;
  expect_message(module->device_info(2, &info, &error), error, MIEN_RESOURCE, "cuda:2: expected a device from 0 to 1");
  ck_assert_int_eq(module->device_info(1, &info, &error), MIEN_OK);
  ck_assert_str_eq(info.isa, "sm_90");
  ck_assert_str_eq(info.name, "Emulated GPU");
}
END_TEST

START_TEST(a_busy_device_is_said_to_be_busy) {
  const test_head head(28, 24, 1, 3);
  mien_cuda_open_options options = {};
  mien_cuda_engine *engine = NULL;
  mien_error error = {};
  options.ordinal = 1; /* not the thread's own: it is changed to */
  shim.devices = 2;
  mien_cuda_calls = 0, mien_cuda_fault_at = 2, mien_cuda_fault_code = cudaErrorDevicesUnavailable;
  expect_message(module->open(&options, &head.head, NULL, &engine, &error), error, MIEN_RESOURCE,
                 "the device is busy: another process has it to itself");
}
END_TEST

/* ---- Without memory ---------------------------------------------------------------------------------------------- */

START_TEST(a_device_without_room_is_refused) {
  const test_encoder encoder(shape, MIEN_BF16, 5);
  mien_cuda_open_options options = {};
  mien_cuda_engine *engine = NULL;
  mien_error error = {};
  shim.memory = (size_t)1 << 20;
  expect_message(module->open(&options, NULL, &encoder.encoder, &engine, &error), error, MIEN_RESOURCE,
                 "cuda:0: loading the encoder: take_piece: cudaMalloc: out of memory");
  shim.memory = ((size_t)4 << 20) + 50000;
  expect_message(module->open(&options, NULL, &encoder.encoder, &engine, &error), error, MIEN_RESOURCE,
                 "cuda:0: device memory: expected");
  ck_assert_uint_eq(shim_device_bytes(), 0);
}
END_TEST

/* ---- At every call ----------------------------------------------------------------------------------------------- */

struct run_of_all {
  const test_encoder &encoder;
  const test_head &head;
  const test_texts &texts;
  const test_rows &rows;
  std::vector<float> embeddings, text_scores, row_scores;
  mien_error error;
};

/* Everything that an engine is used for. */
static mien_status run_all(run_of_all *run) {
  mien_cuda_open_options options = {};
  mien_cuda_engine *engine = NULL;
  mien_cuda_lane *lane = NULL;
  mien_results texts = {}, rows = {};
  size_t n_bad;
  run->embeddings.assign(run->texts.lengths.size() * shape.hidden, 0);
  run->text_scores.assign(run->texts.lengths.size() * run->head.n_labels, 0);
  run->row_scores.assign(run->rows.n * run->head.n_labels, 0);
  run->error = {};
  texts.size = rows.size = sizeof rows;
  texts.embeddings = run->embeddings.data();
  texts.scores = run->text_scores.data();
  rows.scores = run->row_scores.data();
  options.lanes = 1;
  options.head = MIEN_CUDA_CUBLAS; /* more that can fail */
  mien_status status = module->open(&options, &run->head.head, &run->encoder.encoder, &engine, &run->error);
  if (status != MIEN_OK) return status;
  status = module->label_rows(engine, &run->rows.rows, run->rows.n, &rows, &n_bad, &run->error);
  if (status == MIEN_OK) status = module->acquire(engine, &lane, &run->error);
  if (status == MIEN_OK)
    status = module->submit(lane, run->texts.ids.data(), run->texts.lengths.data(), run->texts.lengths.size(), &texts,
                            &run->error);
  if (status == MIEN_OK) status = module->drain(lane, &run->error);
  if (lane) module->release(lane);
  if (status != MIEN_OK && mien_cuda_fault_code != cudaErrorMemoryAllocation) {
    /* What is broken says so, and why. */
    mien_error again = {};
    const mien_status after = module->label_rows(engine, &run->rows.rows, run->rows.n, &rows, &n_bad, &again);
    require(after == MIEN_RESOURCE && strstr(again.message, "failed before") &&
                strstr(again.message, run->error.message),
            "call %ld: \"%s\", then \"%s\"", mien_cuda_fault_at, run->error.message, again.message);
  }
  module->close(engine);
  return status;
}

static void fail_everywhere(cudaError_t code) {
  const test_encoder encoder(shape, MIEN_BF16, 7);
  const test_head head(28, shape.hidden, 2, 8);
  const test_texts texts(encoder, 3, 16, 9);
  const test_rows rows(MIEN_F64, 3, shape.hidden, shape.hidden, 10);
  run_of_all run = {encoder, head, texts, rows, {}, {}, {}, {}};
  mien_cuda_fault_at = 0;
  ck_assert_msg(run_all(&run) == MIEN_OK, "%s", run.error.message);
  const run_of_all good = run;
  mien_cuda_fault_code = code;
  size_t failures = 0, recoveries = 0;
  for (mien_cuda_fault_at = 1;; mien_cuda_fault_at++) {
    mien_cuda_calls = 0;
    const mien_status status = run_all(&run);
    const bool was_reached = mien_cuda_calls >= mien_cuda_fault_at;
    if (status == MIEN_OK) {
      require(run.embeddings == good.embeddings && run.text_scores == good.text_scores &&
                  run.row_scores == good.row_scores,
              "call %ld failed, and the results are others", mien_cuda_fault_at);
      recoveries += was_reached;
    } else {
      require(status == MIEN_RESOURCE && run.error.message[0] && run.error.code == status,
              "call %ld: status %d, \"%s\"", mien_cuda_fault_at, status, run.error.message);
      failures++;
    }
    require(shim_device_bytes() == 0 && shim_objects() == 0, "call %ld (\"%s\"): %zu bytes and %zu objects are left",
            mien_cuda_fault_at, run.error.message, shim_device_bytes(), shim_objects());
    if (!was_reached) break;
  }
  require(failures > 50, "expected a failure at many calls, found %zu", failures);
  if (code == cudaErrorMemoryAllocation) require(recoveries > 3, "expected some retries, found %zu", recoveries);
}

START_TEST(every_call_may_fail) { fail_everywhere(cudaErrorIllegalAddress); }
END_TEST

START_TEST(memory_may_run_out_at_every_call) { fail_everywhere(cudaErrorMemoryAllocation); }
END_TEST

/* ---- Processes --------------------------------------------------------------------------------------------------- */

START_TEST(a_child_after_fork_is_refused_and_can_close) {
  const test_head head(28, 24, 1, 3);
  const test_rows rows(MIEN_F32, 5, 24, 24, 4);
  mien_cuda_open_options options = {};
  mien_cuda_engine *engine = NULL;
  mien_error error = {};
  ck_assert_int_eq(module->open(&options, &head.head, NULL, &engine, &error), MIEN_OK);
  const pid_t child = fork();
  if (child == 0) {
    mien_results results = {};
    size_t n_bad;
    int count;
    results.size = sizeof results;
    const bool refused = module->label_rows(engine, &rows.rows, 5, &results, &n_bad, &error) == MIEN_ARGUMENT &&
                         strstr(error.message, "before fork") && module->device_count(&count, &error) == MIEN_ARGUMENT;
    module->close(engine);
    _exit(refused ? 0 : 1);
  }
  int status;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  module->close(engine);
  ck_assert_uint_eq(shim_device_bytes(), 0);
}
END_TEST

START_TEST(texts_that_are_no_texts_are_refused) {
  const test_encoder encoder(shape, MIEN_BF16, 5);
  mien_cuda_open_options options = {};
  mien_cuda_engine *engine = NULL;
  mien_cuda_lane *lane;
  mien_error error = {};
  const int32_t ids[64] = {};
  mien_results results = {};
  results.size = sizeof results;
  ck_assert_int_eq(module->open(&options, NULL, &encoder.encoder, &engine, &error), MIEN_OK);
  ck_assert_int_eq(module->acquire(engine, &lane, &error), MIEN_OK);
  for (size_t length : {(size_t)0, (size_t)17})
    ck_assert_int_eq(module->submit(lane, ids, &length, 1, &results, &error), MIEN_ARGUMENT);
  module->release(lane);
  module->close(engine);
}
END_TEST

static void set_up(void) { module = mien_cuda_module_get(); }

int main(void) {
  const TTest *const tests[] = {what_is_missing_is_said,
                                a_busy_device_is_said_to_be_busy,
                                a_device_without_room_is_refused,
                                every_call_may_fail,
                                memory_may_run_out_at_every_call,
                                a_child_after_fork_is_refused_and_can_close,
                                texts_that_are_no_texts_are_refused};
  return run_suite("cuda_failures", tests, sizeof tests / sizeof *tests, set_up, NULL);
}
