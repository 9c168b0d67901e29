#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the npm packages and tests them as they would be published: in Node, as types, as tarballs, in projects of
# bundlers, in browsers and other runtimes, and against the native build: run.sh [NATIVE]
#   NATIVE  the native command, which the command in Node and relaxed SIMD are compared with
# Needs Emscripten, Node and npm's registry; tests/run.sh --full installs them.
set -euo pipefail
cd "$(dirname "$0")/../.."
section() { printf '\n-- %s\n' "$*"; }
command -v emcmake >/dev/null || { echo "skipped: the npm packages: emscripten is not installed"; exit 0; }

section "build, Emscripten $(emcc --version | sed -n '1s/.*) \([0-9.]*\).*/\1/p')"
log="$(mktemp)"
if ! { emcmake cmake -S . -B build/wasm -G Ninja && cmake --build build/wasm; } >"$log" 2>&1; then tail -60 "$log"; exit 1; fi
rm "$log"

# What Vite asks for.
new_enough='const [a, b] = process.versions.node.split("."); process.exit(a > 22 || (a == 22 && b >= 12) || (a == 20 && b >= 19) ? 0 : 1)'
node -e "$new_enough" 2>/dev/null || { echo "tests/wasm/run.sh: expected Node 20.19, 22.12 or newer, found $(node --version || true)" >&2; exit 4; }
tests/wasm/install.sh
# Fails with everything that was said, and else says which tests ran, in what, and what was skipped.
tested() {
  local status=0
  node --test --test-reporter=tap --test-concurrency=1 "tests/wasm/$1.test.js" >build/wasm-tests/"$1".tap || status=$?
  if [ $status = 0 ]; then
    grep -E '^# [^S]|^ *ok .*# SKIP' build/wasm-tests/"$1".tap | grep -vE '^# (suites|cancelled|todo|fail|duration_ms)' || true
  else
    cat build/wasm-tests/"$1".tap
    exit $status
  fi
}
section "the package in Node $(node --version)"
tested package
section "types"
tests/wasm/types.sh
section "tarballs"
tests/wasm/publish.sh >build/wasm-tests/publish.log 2>&1 || { cat build/wasm-tests/publish.log; exit 1; }
grep -E 'skipped|bytes' build/wasm-tests/publish.log
section "projects, in Chromium"
tested projects
section "other browsers and runtimes"
tested runtimes
section "the same scores everywhere"
tested scores
section "going over to relaxed SIMD"
tested hasten
if [ -e build/wasm/wasm/mien-relaxed.wasm ] && python3 -c 'import wasmtime' 2>/dev/null && [ -n "${1:-}" ]; then
  python3 tests/wasm/relaxed.py build/wasm/wasm models/goemotions-tiny/model.safetensors "$1"
else
  echo "skipped: relaxed SIMD in wasmtime: LLVM 19, wasmtime or a native command is missing"
fi
section "the command"
tests/wasm/cli.sh "$@"
