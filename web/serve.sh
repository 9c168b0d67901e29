#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds what the page needs, assembles it in build/web and serves it: web/serve.sh [PORT]
#   web/serve.sh --assemble    assembles it alone, for any static host
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in emcmake cmake ninja node; do
  command -v $tool >/dev/null || { echo "web/serve.sh: $tool is missing: on Debian, apt install emscripten cmake ninja-build nodejs" >&2; exit 4; }
done
log="$(mktemp)"
trap 'rm -f "$log"' EXIT
if ! { emcmake cmake -S . -B build/wasm -G Ninja -D MIEN_WEB_FOLDER="$PWD/build/web" &&
  cmake --build build/wasm --target web; } >"$log" 2>&1; then
  tail -40 "$log" >&2
  exit 1
fi
if [ "${1:-}" = --assemble ]; then
  echo "the page is in build/web"
else
  node web/serve.mjs build/web "${1:-8000}"
fi
