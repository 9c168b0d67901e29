#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs Debian or Ubuntu packages that are missing: packages.sh build|test|full|pull|maven
#   build  what mien is built with
#   test   and what its tests need
#   full   and what the tests of other compilers and processors, WebAssembly, browsers, the fuzzers, real encoders, a
#          batch scheduler and the benchmarks need
#   pull   what `mien pull` fetches from Hugging Face with
#   maven  and from Maven
set -euo pipefail
build=(gcc libc6-dev cmake ninja-build pkg-config protobuf-c-compiler libprotobuf-c-dev libonnx-dev libjansson-dev
  libxxhash-dev zlib1g-dev libzstd-dev)
test=(check python3 binutils g++)
full=(clang llvm clang-format qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross libsimde-dev shellcheck python3-venv
  emscripten dpkg-dev clang-19 lld-19 libwebkit2gtk-4.1-0 xvfb slurmctld slurmd slurm-client munge)
browsers=(chromium firefox-esr) # Ubuntu has them in another form
pull=(curl ca-certificates)
maven=(maven unzip)
case "${1:-}" in
build) wanted=("${build[@]}") ;;
test) wanted=("${build[@]}" "${test[@]}") ;;
full) wanted=("${build[@]}" "${test[@]}" "${full[@]}" "${pull[@]}" "${maven[@]}") ;;
pull) wanted=("${pull[@]}") ;;
maven) wanted=("${pull[@]}" "${maven[@]}") ;;
*) echo "usage: packages.sh build|test|full|pull|maven" >&2; exit 2 ;;
esac

# clang's sanitizers and fuzzer are a package of clang's version, where clang is already there or about to be.
runtime_of_clang() {
  local version
  version="$(clang --version 2>/dev/null | sed -n 's/.*clang version \([0-9]*\).*/\1/p')"
  [ -n "$version" ] && echo "libclang-rt-$version-dev"
}
installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q '^install ok installed$'; }

as_root=()
[ "$(id -u)" = 0 ] || as_root=(sudo)
updated=
update() {
  [ -z "$updated" ] || return 0
  "${as_root[@]}" apt-get update -qq
  updated=yes
}
install_missing() {
  local missing=() name
  for name in "$@"; do installed "$name" || missing+=("$name"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || { echo "packages.sh: missing, and there is no apt-get to install them: ${missing[*]}" >&2; exit 4; }
  echo "Installing ${missing[*]}"
  update
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}
install_missing "${wanted[@]}"
if [ "$1" = full ]; then
  install_missing "$(runtime_of_clang)"
  for name in "${browsers[@]}"; do
    if installed "$name"; then continue; fi
    update
    if apt-cache show "$name" >/dev/null 2>&1; then install_missing "$name"; else echo "There is no package $name"; fi
  done
fi
