#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the libFuzzer targets with clang and runs each for some seconds, starting from its seeds: run.sh [SECONDS]
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds="${1:-60}"
build=build/fuzz
log="$(mktemp)"
if ! { cmake -S . -B $build -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_COMPILER=clang -DMIEN_TESTS=ON -DMIEN_FUZZ=ON &&
  cmake --build $build; } >"$log" 2>&1; then
  tail -60 "$log"
  exit 1
fi
rm -f "$log"
fuzz() { # target
  local name seeds
  name="$(basename "$1")"
  mkdir -p "$build/corpus/$name" "$build/crashes"
  mapfile -t seeds <"$build/tests/seeds_${name#fuzz_}.txt"
  # What is found new goes to the first folder; memory and time are bounded as the loaders promise to be.
  if "$1" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -max_len=262144 \
    -artifact_prefix="$build/crashes/$name-" "$build/corpus/$name" "${seeds[@]}" >"$build/$name.log" 2>&1; then
    echo "$name: $(tail -1 "$build/$name.log")"
  else
    tail -40 "$build/$name.log"
    return 1
  fi
}
export build seconds
export -f fuzz
# A target keeps one processor busy.
# shellcheck disable=SC2016 # the shell that is started has the argument
printf '%s\0' "$build"/tests/fuzz_* | xargs -0 -n 1 -P "$(nproc)" bash -c 'fuzz "$1"' bash
