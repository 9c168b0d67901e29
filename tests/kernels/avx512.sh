#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Compiles the encoder's AVX-512 kernels against SIMDe, which carries them out with AVX2, and runs their tests on a
# processor without AVX-512. (SIMDe lacks intrinsics that the head's kernels use.)
set -euo pipefail
cd "$(dirname "$0")/../.."
out="$(mktemp -d)"
trap 'rm -rf "$out"' EXIT
flags=(-O2 -fno-trapping-math -ffp-contract=off -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -Iinclude -Isrc -Itests/plain
  -Itests)
gcc -std=gnu17 "${flags[@]}" -w -Wno-psabi -mavx2 -mfma -DSIMDE_ENABLE_NATIVE_ALIASES -include simde/x86/avx512.h \
  -include simde/x86/fma.h -c src/kernels/encoder_f32_avx512.c -o "$out/avx512.o"
gcc -std=c17 "${flags[@]}" -mavx2 -mfma -c src/kernels/encoder_f32_avx2.c -o "$out/avx2.o"
# The other dtypes' tables are not linked: they are not there, NULL.
gcc -std=c17 "${flags[@]}" -no-pie -Wl,--unresolved-symbols=ignore-all tests/kernels/test_encoder_kernels.c \
  tests/kernels/emulated_isa.c src/base/memory.c src/base/status.c src/base/utf8.c src/kernels/encoder_kernels.c \
  src/kernels/encoder_f32_portable.c "$out/avx512.o" "$out/avx2.o" -lm -o "$out/test"
"$out/test"
