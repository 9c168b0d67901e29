#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds mien.wasm with Emscripten: build.sh BUILD, where BUILD is the folder of a native build (of its generated files).
# The module goes to BUILD/wasm/mien.wasm. It needs emcc and, for the sources of protobuf-c and jansson, apt.
set -euo pipefail
[ $# = 1 ] || { echo "usage: build.sh BUILD" >&2; exit 2; }
cd "$(dirname "$0")/.."
generated="$1/src/generated" out="$1/wasm"
sources="$out/sources" config="$out/config" objects="$out/objects"
mkdir -p "$config" "$objects"
cmake/sources.sh "$sources"
: >"$config/jansson_private_config.h"
sed -e 's/@json_inline@/inline/;s/@json_have_long_long@/1/;s/@json_have_[a-z_]*@/0/' \
  "$sources/jansson/src/jansson_config.h.in" >"$config/jansson_config.h"
flags=(-flto -msimd128 -std=gnu17 -ffp-contract=off -fno-trapping-math -fvisibility=hidden
  -DNDEBUG -D_DEFAULT_SOURCE -D_POSIX_C_SOURCE=200809L -Iinclude -Isrc "-I$generated" "-I$config" "-I$sources/jansson/src" "-I$sources/protobuf-c")
# The library's own list, with this machine's kernels.
mapfile -t files < <(sed -n '/^add_library(mien_objects/,/generated/s#^ *\([a-z]*/[a-z_0-9]*\.c\)$#src/\1#p' src/CMakeLists.txt)
files+=(src/kernels/{encoder_bf16_portable,encoder_f32_simd128,encoder_int8_simd128,head_portable}.c
  wasm/exports.c wasm/system.c)
foreign=("$generated/onnx.pb-c.c" "$sources/protobuf-c/protobuf-c/protobuf-c.c" "$sources"/jansson/src/*.c)
list=()
compile() { # file, options
  local object
  object="$objects/$(basename "$(dirname "$1")")_$(basename "$1" .c).o"
  emcc "${flags[@]}" "${@:2}" -c "$1" -o "$object"
  list+=("$object")
}
# Speed where a text's time goes, size elsewhere.
for file in "${files[@]}"; do
  case "$file" in
  src/kernels/* | src/tokenizer/run.c | src/tokenizer/characters.c | src/encoder/forward.c) level=-O3 ;;
  *) level=-Oz ;;
  esac
  compile "$file" $level -Wall -Wextra
done
for file in "${foreign[@]}"; do compile "$file" -Oz -w -DHAVE_STDINT_H; done
emcc -O3 -flto -msimd128 "${list[@]}" -o "$out/mien.wasm" -sSTANDALONE_WASM --no-entry -sFILESYSTEM=0 \
  -sALLOW_MEMORY_GROWTH -sMAXIMUM_MEMORY=4GB
