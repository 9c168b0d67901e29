#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds mien and runs every test of what this machine has, saying what is skipped and why.
#   tests/run.sh          installs what building and the main tests need
#   tests/run.sh --full   installs everything else first: other compilers, an emulator, fuzzers
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-}" in
'') packages='test' ;;
--full) packages='full' ;;
*) echo "usage: tests/run.sh [--full]" >&2; exit 2 ;;
esac
cmake/packages.sh "$packages"

skipped=()
step() { printf '\n== %s\n' "$*"; }
skip() { skipped+=("$1: $2"); echo "skipped: $2"; }
# Prints a command's output only when it fails.
quietly() {
  local log
  log="$(mktemp)"
  if "$@" >"$log" 2>&1; then rm -f "$log"; else tail -60 "$log"; rm -f "$log"; return 1; fi
}
build_and_test() { # folder, then cmake's arguments
  local folder="build/$1"
  shift
  quietly cmake -S . -B "$folder" -G Ninja -DMIEN_TESTS=ON -DMIEN_WERROR=ON "$@"
  quietly cmake --build "$folder"
  ctest --test-dir "$folder" --output-on-failure -j 2
}

python3 -c 'import pty; pty.openpty()' 2>/dev/null ||
  skip "terminal output" "this machine has no pseudo-terminals"

step "release, $(cc --version | head -1)"
build_and_test test-release -DCMAKE_BUILD_TYPE=Release

step "address and undefined behaviour sanitizers"
sanitize="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
build_and_test test-asan -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_FLAGS="$sanitize"

step "clang"
if command -v clang >/dev/null; then
  build_and_test test-clang -DCMAKE_BUILD_TYPE=Release -DCMAKE_C_COMPILER=clang
else
  skip clang "clang is not installed"
fi

step "NEON kernels, emulated"
if command -v aarch64-linux-gnu-gcc >/dev/null && command -v qemu-aarch64 >/dev/null; then
  tests/kernels/neon.sh
else
  skip NEON "aarch64-linux-gnu-gcc or qemu-aarch64 is not installed"
fi

step "fuzzing, a short run of each target"
if command -v clang >/dev/null && echo 'int LLVMFuzzerTestOneInput(void){return 0;}' |
  clang -fsanitize=fuzzer -x c - -o /dev/null 2>/dev/null; then
  tests/fuzz/run.sh 20
else
  skip fuzzing "clang with libFuzzer is not installed"
fi

step "source format and shell scripts"
if ! git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
  skip format "not a git checkout: which files are the project's is not known"
elif command -v clang-format >/dev/null; then
  git ls-files '*.c' '*.h' | xargs clang-format --dry-run --Werror
else
  skip format "clang-format is not installed"
fi
if ! git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
  skip shellcheck "not a git checkout"
elif command -v shellcheck >/dev/null; then
  git ls-files '*.sh' .ci/run | xargs shellcheck -x
else
  skip shellcheck "shellcheck is not installed"
fi

step "done"
for line in "${skipped[@]}"; do echo "skipped: $line"; done
if [ ${#skipped[@]} -gt 0 ] && [ "$packages" != full ]; then echo "tests/run.sh --full installs what is missing"; fi
echo "all tests passed"
