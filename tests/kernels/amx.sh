#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Compiles the encoder's AMX kernels against plain C that does what the instructions do, and runs their tests on a
# processor with AVX-512 and without AMX. The address sanitizer sees what tiles read and write beyond memory.
set -euo pipefail
cd "$(dirname "$0")/../.."
out="$(mktemp -d)"
trap 'rm -rf "$out"' EXIT
flags=(-O2 -fno-trapping-math -ffp-contract=off "-fsanitize=address,undefined" -fno-sanitize-recover=all
  -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -Iinclude -Isrc -Itests/plain -Itests)
avx512=(-mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512dq -mavx512vl)
if grep -qw avx512_bf16 /proc/cpuinfo; then avx512+=(-mavx512bf16); fi
for kernel in bf16 bf16x3 int8; do
  gcc -std=c17 "${flags[@]}" "${avx512[@]}" -include tests/kernels/amx_emulation.h \
    -c "src/kernels/encoder_${kernel}_amx.c" -o "$out/$kernel.o"
done
gcc -std=c17 "${flags[@]}" -c src/kernels/encoder_int8_portable.c -o "$out/portable.o"
# Tables of other instruction sets are not linked: they are not there, NULL.
for test in encoder_bf16 encoder_int8; do
  gcc -std=c17 "${flags[@]}" -DEMULATED=MIEN_ISA_AMX -no-pie -Wl,--unresolved-symbols=ignore-all \
    "tests/kernels/test_$test.c" tests/kernels/emulated_isa.c src/base/memory.c src/base/status.c src/base/utf8.c \
    src/encoder/panel.c src/kernels/encoder_kernels.c "$out"/*.o -lm -o "$out/test"
  "$out/test"
done
