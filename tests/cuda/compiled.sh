#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Compiles the CUDA device's library for every processor, without a GPU, and says what its kernels take of each:
# compiled.sh TOOLKIT [FILE...]. FILEs are libmien and the command, which must not need CUDA.
set -euo pipefail
toolkit="$(realpath "$1")"
cd "$(dirname "$0")/../.."
shift
folder=build/test-cuda
log="$folder.log"
show_and_fail() { tail -60 "$log"; exit 1; }
cmake -S . -B "$folder" -G Ninja --fresh -DCMAKE_BUILD_TYPE=Release -DMIEN_TESTS=OFF -DMIEN_WERROR=ON -DMIEN_CUDA=ON \
  -DCMAKE_CUDA_COMPILER="$toolkit/bin/nvcc" -DCMAKE_CUDA_FLAGS=-Xptxas=-v >"$log" 2>&1 || show_and_fail
grep 'The CUDA device is built for' "$log"
# All of it, since what is not compiled is not in the log.
cmake --build "$folder" --clean-first --target mien_cuda >"$log" 2>&1 || show_and_fail
# On an A100, a few bytes of a row group, not of a row.
python3 tests/cuda/registers.py "$log" "label<mien_rows_16<mien_bf16, 3>, true>"
library="$(echo "$folder"/libmien_cuda.so.*)"
tests/cuda/test_library.sh "$library" "$@"
echo "$(stat -L -c %s "$library") bytes"
