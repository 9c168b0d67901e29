#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Compiles the kernels and their tests for AArch64 and runs them under qemu-user, as a processor that has all of its
# instruction sets. The tests need no library there: a plain check.h stands in for Check's.
set -euo pipefail
cd "$(dirname "$0")/../.."
out="$(mktemp -d)"
trap 'rm -rf "$out"' EXIT
flags=(-std=c17 -O3 -fno-trapping-math -ffp-contract=off -Wall -Wextra -Wshadow -Werror -D_POSIX_C_SOURCE=200809L
  -D_DEFAULT_SOURCE -Iinclude -Isrc -Itests/plain -Itests)
compile() { aarch64-linux-gnu-gcc "${flags[@]}" "$@"; }
base=(src/base/cpu.c src/base/memory.c src/base/status.c src/base/utf8.c src/encoder/panel.c)
head=(src/kernels/head_plan.c src/kernels/head_portable.c src/kernels/head_run.c src/kernels/head_neon.c)
encoder=(src/kernels/encoder_kernels.c src/kernels/encoder_{f32,bf16,int8}_{portable,neon}.c "$out/neondot.o")
compile -march=armv8.2-a+dotprod -c src/kernels/encoder_int8_neondot.c -o "$out/neondot.o"
run() { # test, then its sources
  local test="$1"
  shift
  compile -static "tests/kernels/test_$test.c" "${base[@]}" "$@" -lm -o "$out/$test"
  qemu-aarch64 -cpu max "$out/$test"
}
run sigmoid "${head[@]}"
run head_kernels "${head[@]}"
run encoder_kernels "${encoder[@]}"
run encoder_int8 "${encoder[@]}"
run encoder_bf16 "${encoder[@]}"
