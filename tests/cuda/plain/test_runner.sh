#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What the runner in Check's place makes of tests that pass, fail, are skipped, crash and hang: test_runner.sh PROGRAM
set -euo pipefail
program="$1"
# An expected code, then how it is called; fails unless every line of stdin is in the output.
expect() {
  local code=0 output line expected="$1"
  shift
  output="$(env "$@" "$program" 2>&1)" || code=$?
  [ $code = "$expected" ] || { echo "$*: expected the exit code $expected, found $code: $output"; exit 1; }
  while read -r line; do
    grep -qF -- "$line" <<<"$output" || { echo "$*: expected \"$line\", found: $output"; exit 1; }
  done
}
everything='passed passes: 0.
failed prints_both_values: code 1
2 + 2 == 5: 4, 5
failed prints_strings: code 1
"found" == "expected": "found", "expected"
skipped is_skipped: it needs what is not here'
# A sanitizer would take the signal for itself.
expect 1 LC_ALL=C ASAN_OPTIONS=handle_segv=0 <<<"$everything
failed crashes: signal 11 (Segmentation fault)
failed hangs: it took more than 300 s"
expect 1 CK_FORK=no PLAIN_TESTS='passes prints_both_values prints_strings is_skipped' <<<"$everything"
expect 0 PLAIN_TESTS='passes is_skipped' <<<'passed passes: 0.'
echo "a runner's lines and exit codes are as expected"
