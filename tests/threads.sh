#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs what works side by side under the thread sanitizer: the pipeline, sessions, and the command on texts and
# embeddings. Any report is a failure.
#   tests/threads.sh BUILD_FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."
build="${1:?usage: tests/threads.sh BUILD_FOLDER}"
export TSAN_OPTIONS="halt_on_error=1 exitcode=66 second_deadlock_stack=1"
cmake -S . -B "$build" -G Ninja -DMIEN_TESTS=ON -DMIEN_WERROR=ON -DMIEN_CUDA=OFF -DCMAKE_BUILD_TYPE=RelWithDebInfo \
  -DCMAKE_C_FLAGS="-fsanitize=thread -fno-omit-frame-pointer" >/dev/null
cmake --build "$build" --target mien_command test_pipeline test_threads test_texts \
  test_embedding_reader >"$build/threads.log" || { tail -60 "$build/threads.log"; exit 1; }
ctest --test-dir "$build" -R '^(pipeline|threads|texts|embedding_reader)$' --output-on-failure
# Not what waits for signals: the sanitizer keeps a signal back while its thread waits for a lock.
rows=(texts_keep_their_order_ids_and_count embeddings_keep_their_order_and_count a_stream_in_pieces_is_the_file)
told=(statistics_are_those_of_the_output statistics_of_a_run_that_fails_are_those_of_the_rows_before)
python3 tests/cli/flow.py "$build/mien" --rounds 3 "${rows[@]/#/Flow.test_}" "${told[@]/#/Flow.test_}"
