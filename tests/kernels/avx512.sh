#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Compiles the encoder's AVX-512 kernels of float32 and int8 against SIMDe, which carries them out with AVX2, and runs
# their tests on a processor without AVX-512. (SIMDe lacks intrinsics that the head's kernels use.)
set -euo pipefail
cd "$(dirname "$0")/../.."
out="$(mktemp -d)"
trap 'rm -rf "$out"' EXIT
flags=(-O2 -fno-trapping-math -ffp-contract=off -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -Iinclude -Isrc -Itests/plain
  -Itests)
for table in f32_avx512 int8_avx512vnni; do
  gcc -std=gnu17 "${flags[@]}" -w -Wno-psabi -mavx2 -mfma -DMIEN_EMULATED -DSIMDE_ENABLE_NATIVE_ALIASES \
    -include simde/x86/avx512.h -include simde/x86/fma.h -c "src/kernels/encoder_$table.c" -o "$out/$table.o"
done
run() { # test, the instruction set that is there
  # Tables of other instruction sets are not linked: they are not there, NULL.
  gcc -std=c17 "${flags[@]}" "-DEMULATED=MIEN_ISA_$2" -no-pie -Wl,--unresolved-symbols=ignore-all \
    "tests/kernels/test_$1.c" tests/kernels/emulated_isa.c src/base/memory.c src/base/status.c src/base/utf8.c \
    src/encoder/panel.c src/kernels/encoder_kernels.c src/kernels/encoder_{f32,int8}_portable.c "$out"/*.o -lm \
    -o "$out/$1"
  "$out/$1"
}
run encoder_kernels AVX512
run encoder_int8 AVX512VNNI
