#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the build into a folder and builds a user's program against it: by CMake's package, by pkg-config with the
# shared library, and with the static one. test_package.sh BUILD_DIR HEAD.onnx
set -euo pipefail
build="$1" head="$2"
here="$(cd "$(dirname "$0")" && pwd)"
work="$(realpath "$(mktemp -d)")"
trap 'rm -rf "$work"' EXIT
# Programs built with sanitizers must be linked with them.
flags="$(sed -n 's/^CMAKE_C_FLAGS:STRING=//p' "$build/CMakeCache.txt")"
compiler="$(sed -n 's/^CMAKE_C_COMPILER:[A-Z]*=//p' "$build/CMakeCache.txt")"

cmake --install "$build" --prefix "$work/installed" >/dev/null
lib="$(dirname "$(find "$work/installed" -name 'libmien.a')")"
headers="$(cd "$work/installed/include" && find . -type f | sort | tr '\n' ' ')"
[ "$headers" = './mien/mien.h ./mien/mien_cuda.h ' ] || { echo "headers installed: $headers"; exit 1; }

cmake -S "$here" -B "$work/cmake" -G Ninja -DCMAKE_PREFIX_PATH="$work/installed" -DCMAKE_C_FLAGS="$flags" \
  -DCMAKE_C_COMPILER="$compiler" >/dev/null
cmake --build "$work/cmake" >/dev/null
export PKG_CONFIG_PATH="$lib/pkgconfig"
# shellcheck disable=SC2046,SC2086
"$compiler" -std=c17 -Wall -Wextra -Werror -pedantic $flags "$here/label_rows.c" -o "$work/shared" \
  $(pkg-config --cflags --libs mien) -Wl,-rpath,"$lib"
# shellcheck disable=SC2046,SC2086
"$compiler" -std=c17 $flags "$here/label_rows.c" -o "$work/static" \
  $(pkg-config --cflags mien) "$lib/libmien.a" $(pkg-config --static --libs libprotobuf-c jansson) -pthread -lm

"$work/cmake/label_rows" "$head" >"$work/expected"
[ -s "$work/expected" ] || { echo "label_rows printed no label"; exit 1; }
"$work/shared" "$head" | diff "$work/expected" -
"$work/static" "$head" | diff "$work/expected" -
"$work/installed/bin/mien" --version | grep -qx 'mien [0-9]*\.[0-9]*\.[0-9]*'
# What the command looks for beside itself: models and heads, and what pull runs and knows.
for name in goemotions-small goemotions-tiny; do
  for file in model.safetensors thresholds.json metrics.json README.md; do
    [ -s "$work/installed/share/mien/models/$name/$file" ] || { echo "not installed: $name/$file"; exit 1; }
  done
done
"$work/installed/bin/mien" inspect >"$work/inspect"
grep -q "^model  *$work/installed/share/mien/models/goemotions-small/model.safetensors" "$work/inspect"
"$work/installed/bin/mien" label --quiet --text 'thank you so much!' >"$work/labels"
grep -q gratitude "$work/labels"
"$work/installed/bin/mien" inspect bge-small-en-v1.5 >"$work/inspect"
grep -q heads/bge-small-en-v1.5 "$work/inspect"
status=0
"$work/installed/bin/mien" pull no/such >"$work/pull" 2>&1 || status=$?
if [ $status != 2 ] || ! grep -q BAAI/bge-small-en-v1.5 "$work/pull"; then
  echo "pull of no known encoder: exit $status"
  cat "$work/pull"
  exit 1
fi
echo "the installed package builds and runs"
