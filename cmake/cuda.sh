#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Prints the folder of a CUDA toolkit, as the last line of its output: cuda.sh FOLDER [--present]
# Of the one that is installed, where it is 12.4 or later; else of one made in FOLDER of PyPI's packages, at the first
# call; with --present, of none but those that are there, and the exit is 4 where none is. It compiles where there is no
# GPU and no driver.
set -euo pipefail
if [ $# = 0 ] || [ $# -gt 2 ] || [ "${2:---present}" != --present ]; then
  echo "usage: cuda.sh FOLDER [--present]" >&2
  exit 2
fi

# Whether a compiler is recent enough and has what mien includes.
usable() {
  local version
  version="$("$1" --version 2>/dev/null | sed -n 's/.*release \([0-9.]*\),.*/\1/p')"
  [ -n "$version" ] && [ "$(printf '%s\n' 12.4 "$version" | sort -V | head -1)" = 12.4 ] &&
    printf '#include <cublasLt.h>\n' | "$1" -E -x cu - >/dev/null 2>&1
}
for nvcc in "$(command -v nvcc || true)" /usr/local/cuda/bin/nvcc; do
  if [ -x "$nvcc" ] && usable "$nvcc"; then
    dirname "$(dirname "$(realpath "$nvcc")")"
    exit 0
  fi
done

if [ $# = 2 ] && [ ! -e "$1/.done" ]; then
  echo "cuda.sh: no CUDA toolkit of 12.4 or later is here" >&2
  exit 4
fi
mkdir -p "$1"
folder="$(cd "$1" && pwd)"
packages=(nvidia-cuda-nvcc nvidia-cuda-runtime nvidia-cuda-cccl nvidia-cuda-crt nvidia-nvvm nvidia-cublas)
if [ ! -e "$folder/.done" ]; then
  rm -rf "$folder/venv"
  python3 -m venv "$folder/venv" >&2
  "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "${packages[@]/%/==13.0.*}" >&2
  toolkit="$(echo "$folder"/venv/lib/python3*/site-packages/nvidia/cu13)"
  # Where CMake, nvcc and the linker look, and by which names.
  ln -sfn lib "$toolkit/lib64"
  for name in cudart cublas cublasLt; do ln -sf "lib$name.so.13" "$toolkit/lib/lib$name.so"; done
  ln -sfn "${toolkit#"$folder/"}" "$folder/toolkit"
  usable "$folder/toolkit/bin/nvcc" || { echo "cuda.sh: $folder/toolkit/bin/nvcc does not work" >&2; exit 1; }
  touch "$folder/.done"
fi
echo "$folder/toolkit"
