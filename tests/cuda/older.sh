#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Compiles the CUDA device's sources with the oldest CUDA that they are for, kept in a folder: older.sh FOLDER
# PyPI has its headers, Debian 13 its compiler, which runs on Debian 12; elsewhere the exit is 77: not compiled.
# What is compiled is not linked: neither has the static runtime by itself.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ $# = 1 ] || { echo "usage: older.sh FOLDER" >&2; exit 2; }
mkdir -p "$1"
folder="$(cd "$1" && pwd)"

# Takes a package of Debian 13 out of the mirror that the system uses, past the system's own lists.
# apt verifies it.
# shellcheck disable=SC2016 # apt's own variable, not the shell's
fetch_debian() { # package, folder
  local apt="$folder/apt" mirror options
  mirror="$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' \
    2>/dev/null | sort -u | head -1)" || true
  [ -n "$mirror" ] || { echo "no mirror of Debian is known here to take $1 from" >&2; exit 77; }
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/sources" "$2"
  printf '%s\n' 'Types: deb' "URIs: $mirror" 'Suites: trixie' 'Components: non-free' \
    'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg' >"$apt/sources/trixie.sources"
  options=(-o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o Dir::Etc::SourceList=/dev/null
    -o "Dir::Etc::SourceParts=$apt/sources" -o APT::Sandbox::User=)
  apt-get "${options[@]}" update -qq >&2
  (cd "$apt" && apt-get "${options[@]}" download -qq "$1" >&2)
  dpkg-deb -x "$apt/$1"_*.deb "$2"
  rm -rf "$apt"
}

toolkit="$folder/toolkit"
if [ ! -e "$folder/.done" ]; then
  rm -rf "${folder:?}"/{venv,debian,toolkit}
  fetch_debian nvidia-cuda-toolkit "$folder/debian"
  python3 -m venv "$folder/venv"
  # 12.4's own cccl was published without its folder nv.
  "$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps nvidia-cuda-nvcc-cu12==12.4.131 \
    nvidia-cuda-runtime-cu12==12.4.127 nvidia-cuda-cccl-cu12==12.5.* nvidia-cublas-cu12==12.4.5.8
  mkdir -p "$toolkit"/{bin,include,nvvm/bin}
  cp -r "$folder"/venv/lib/python3*/site-packages/nvidia/{cuda_nvcc,cuda_runtime,cuda_cccl,cublas}/include/. \
    "$toolkit/include"
  cp "$folder"/debian/usr/bin/{bin2c,cudafe++,fatbinary,nvlink,ptxas} "$toolkit/bin"
  cp -r "$folder"/debian/usr/lib/nvidia-cuda-toolkit/bin/{nvcc,crt} "$toolkit/bin"
  cp "$folder/debian/usr/lib/nvidia-cuda-toolkit/bin/cicc" "$toolkit/nvvm/bin"
  cp -r "$folder/debian/usr/lib/nvidia-cuda-toolkit/libdevice" "$toolkit/nvvm"
  # shellcheck disable=SC2016 # nvcc's own variables
  printf '%s\n' 'TOP = $(_HERE_)/..' 'NVVMIR_LIBRARY_DIR = $(TOP)/nvvm/libdevice' 'PATH += $(TOP)/nvvm/bin:$(_HERE_):' \
    'INCLUDES += "-I$(TOP)/include" $(_SPACE_)' >"$toolkit/bin/nvcc.profile"
  rm -rf "$folder"/{venv,debian}
  touch "$folder/.done"
fi

"$toolkit/bin/nvcc" --version | grep release
out="$(mktemp -d)"
trap 'rm -rf "$out"' EXIT
# As cuda/CMakeLists.txt has it, for the newest processor that this CUDA knows.
flags=(-std=c++17 -O3 -fmad=false "-Xcompiler=-fPIC,-ffp-contract=off,-Wall,-Wextra,-Werror" -Werror=all-warnings
  -gencode "arch=compute_90,code=sm_90"
  -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -D_FILE_OFFSET_BITS=64 -DMIEN_BUILDING_SHARED -Iinclude -Isrc -Icuda)
# nvcc starts its parts by PATH.
export PATH="$toolkit/bin:$PATH"
for source in cuda/*.cpp; do # without kernels
  g++ -std=c++17 -fsyntax-only -ffp-contract=off -Wall -Wextra -Werror -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE \
    -D_FILE_OFFSET_BITS=64 -DMIEN_BUILDING_SHARED -Iinclude -Isrc -Icuda -isystem "$toolkit/include" "$source"
done
printf '%s\0' cuda/*.cu | xargs -0 -P "$(nproc)" -I{} nvcc "${flags[@]}" -odir "$out" -c {}
echo "$(find "$out" -name "*.o" | wc -l) files with kernels compiled"
