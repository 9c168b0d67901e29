#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Tests and measures the CUDA device on a machine with an NVIDIA GPU, in less than eight minutes, and writes what came
# of it as JSON:
#   on_device.sh --prepare FOLDER                  builds here what can travel there: needs no GPU
#   on_device.sh [--build FOLDER] [--out FOLDER]   runs there, with what was built or else with what can be built there
# There is needed: a driver, CUDA 13's cuBLASLt, Python 3; without --build also nvcc, CMake and a C++ compiler, and then
# what needs the command is skipped. The results are FOLDER/on_device.json with a log a step; FOLDER is $OUT, or
# build/on-device/out. The exit code is 0, or 1 where a step failed.
set -euo pipefail
usage() { echo "usage: on_device.sh --prepare FOLDER | [--build FOLDER] [--out FOLDER]" >&2; exit 2; }
source="$(cd "$(dirname "$0")/../.." && pwd)"
programs=(head encoder failures bench large)
prepare='' build='' native='' out="${OUT:-}"
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || usage
  case "$1" in
  --prepare) prepare="$2" ;;
  --build) build="$2" ;;
  --out) out="$2" ;;
  --native) native="$2" ;; # of this script itself: builds there, into a folder
  *) usage ;;
  esac
  shift 2
done
[ -z "$prepare" ] || [ -z "$build" ] || usage

say() { echo "on_device.sh: $*" >&2; }
# Prints a command's output only when it fails.
quietly() { # log, command
  local log="$1"
  shift
  "$@" >"$log" 2>&1 || { tail -30 "$log" >&2; return 1; }
}
generator=()
if command -v ninja >/dev/null; then generator=(-G Ninja); fi
# The device's library and the test programs: folder, nvcc, CMake's further arguments.
build_alone() {
  local folder="$1" nvcc="$2"
  shift 2
  mkdir -p "$folder"
  quietly "$folder/configure.log" cmake -S "$source" -B "$folder" "${generator[@]}" -DCMAKE_BUILD_TYPE=Release \
    -DMIEN_CUDA=ALONE -DCMAKE_CUDA_COMPILER="$nvcc" "$@" &&
    quietly "$folder/build.log" cmake --build "$folder" --parallel "$(nproc)"
}
# What is run, in one folder: of a build of those, to a folder.
collect() {
  mkdir -p "$2"
  for name in "${programs[@]}"; do cp "$1/device_tests/test_cuda_$name" "$2"; done
  # By the name that libmien opens.
  for library in "$1"/libmien_cuda.so.*.*; do
    case "$library" in *.so.*.*.*) ;; *) cp -L "$library" "$2" ;; esac
  done
}

if [ -n "$prepare" ]; then
  "$source/cmake/packages.sh" build
  work="$source/build/on-device"
  toolkit="$("$source/cmake/cuda.sh" "$source/build/cuda-toolkit")"
  build_alone "$work/alone" "$toolkit/bin/nvcc" -DCMAKE_CUDA_FLAGS=--compress-mode=size
  # The libraries that are not there, as archives: pkg-config's CMake module finds what is named here.
  archives=()
  for module in PROTOBUF_C:libprotobuf-c:protobuf-c JANSSON:jansson:jansson; do
    IFS=: read -r prefix package library <<<"$module"
    archive="$(pkg-config --variable=libdir "$package")/lib$library.a"
    [ -e "$archive" ] || { say "$archive is missing: the command cannot travel without it"; exit 4; }
    archives+=("-Dpkgcfg_lib_${prefix}_$library=$archive")
  done
  mkdir -p "$work/command"
  quietly "$work/command/configure.log" cmake -S "$source" -B "$work/command" "${generator[@]}" \
    -DCMAKE_BUILD_TYPE=Release -DMIEN_CUDA=OFF -DMIEN_TESTS=OFF "${archives[@]}"
  quietly "$work/command/build.log" cmake --build "$work/command" --target mien_command mien_static
  rm -f "$prepare"/{mien,lib*.so*,test_cuda_*}
  collect "$work/alone" "$prepare"
  cp "$work/command/mien" "$prepare"
  # The library too, for rows in device memory. Debian's archives are not for shared libraries: theirs travel with it.
  cc -shared -o "$prepare/libmien.so" -Wl,--whole-archive "$work/command/src/libmien.a" -Wl,--no-whole-archive \
    -Wl,--no-undefined -Wl,-rpath,"\$ORIGIN" -lprotobuf-c -ljansson -lpthread -ldl -lm
  ldd "$prepare/libmien.so" | awk '/libprotobuf-c|libjansson/ {print $3}' | xargs -I{} cp -L {} "$prepare"
  strip "$prepare"/*
  du -b "$prepare"/*
  exit
fi

if [ -n "$native" ]; then
  nvcc="$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)"
  # For this machine's GPU alone, where the driver says what it is: 9.0 is sm_90.
  processor="$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -n 1 | tr -d .)" || true
  arguments=()
  if [ -n "$processor" ]; then arguments=("-DCMAKE_CUDA_ARCHITECTURES=$processor-real"); fi
  build_alone "$source/build/on-device/native" "$nvcc" "${arguments[@]}"
  collect "$source/build/on-device/native" "$native"
  exit
fi

out="${out:-$source/build/on-device/out}"
mkdir -p "$out"
out="$(cd "$out" && pwd)"
started=$SECONDS
built=skipped why='a build was carried here'
if [ -n "$build" ]; then
  build="$(cd "$build" && pwd)"
else
  build="$source/build/on-device/here"
  rm -rf "${build:?}"
  mkdir -p "$build"
  built=passed why=''
  if ! command -v cmake >/dev/null || { ! command -v nvcc && [ ! -x /usr/local/cuda/bin/nvcc ]; } >/dev/null; then
    built=failed why='there is no nvcc or no CMake, and no build was carried here'
  elif ! timeout 240 "$0" --native "$build" 2>"$out/build.log"; then
    built=failed why="$(tail -n 1 "$out/build.log")"
    why="${why:-it took more than 240 s}"
  fi
fi
# CUDA's libraries, where nvcc or a package of Python has them.
libraries="${LD_LIBRARY_PATH:-}"
if command -v nvcc >/dev/null; then libraries+=":$(dirname "$(dirname "$(realpath "$(command -v nvcc)")")")/lib64"; fi
find_packages='import nvidia; print(*[path + "/cu13/lib" for path in nvidia.__path__], sep=":")'
if packages="$(python3 -c "$find_packages" 2>/dev/null)"; then libraries+=":$packages"; fi
export LD_LIBRARY_PATH="${libraries#:}" PYTHONDONTWRITEBYTECODE=1
exec python3 "$source/tests/cuda/on_device.py" "$source" "$build" "$out" --built "$built" --why "$why" \
  --seconds $((SECONDS - started))
