#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Compiles the encoder's int8 kernels of WebAssembly's SIMD for this processor, carried out by SIMDe, and runs their tests:
# the baseline one, and the relaxed one as every kind of engine carries its dot product out. The address sanitizer sees
# what they read and write beyond memory, which in a module would go unseen.
set -euo pipefail
cd "$(dirname "$0")/../.."
out="$(mktemp -d)"
trap 'rm -rf "$out"' EXIT
flags=(-O2 -fno-trapping-math -ffp-contract=off -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -Iinclude -Isrc
  -Itests/plain -Itests -fsanitize=address -Wno-psabi)
gcc -std=c17 "${flags[@]}" -c src/kernels/encoder_int8_portable.c -o "$out/portable.o"
# Tables stand in the place of another instruction set's; those of others are not linked: they are not there, NULL.
run() { # kernel, its name in capitals, more flags
  local kernel="$1" isa="$2"
  shift 2
  gcc -std=gnu17 "${flags[@]}" "$@" -w -Itests/kernels/simd128 "-DMIEN_ISA_$isa=MIEN_ISA_AVXVNNI" \
    "-Dmien_encoder_int8_$kernel=mien_encoder_int8_avxvnni" -c "src/kernels/encoder_int8_$kernel.c" -o "$out/kernel.o"
  gcc -std=c17 "${flags[@]}" -DEMULATED=MIEN_ISA_AVXVNNI -no-pie -Wl,--unresolved-symbols=ignore-all \
    tests/kernels/test_encoder_int8.c tests/kernels/emulated_isa.c src/base/memory.c src/base/status.c src/base/utf8.c \
    src/encoder/panel.c src/kernels/encoder_kernels.c "$out/kernel.o" "$out/portable.o" -lm -o "$out/test"
  "$out/test"
}
run simd128 SIMD128
for engine in UNSIGNED:128 SIGNED:0; do
  echo "relaxed, $engine"
  run relaxed RELAXED "-DRELAXED_${engine%:*}" "-DMIEN_RELAXED_OFFSET=${engine#*:}"
done
