#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The page in a real browser, end to end: tests/web/run.sh [PART OF A TEST'S NAME]. Needs chromium, Node from 18 on, npm and
# what the page is built with; CHROMIUM and MIEN name other places of the browser and of the native command.
set -euo pipefail
cd "$(dirname "$0")/../.."
export CHROMIUM="${CHROMIUM:-/usr/bin/chromium}"
for tool in "$CHROMIUM" node npm; do
  command -v "$tool" >/dev/null || { echo "skipped: the page in a browser: $tool is not there"; exit 77; }
done

folder=build/test-web
mkdir -p "$folder"
if ! cmp -s tests/web/package.json "$folder/package.json"; then
  rm -f "$folder/package.json"
  cp tests/web/package.json "$folder/new.json"
  (cd "$folder" && mv new.json package.json && npm install --silent --no-audit --no-fund) ||
    { rm -f "$folder/package.json"; echo "skipped: the page in a browser: its npm packages cannot be fetched"; exit 77; }
fi
web/serve.sh --assemble

if [ -z "${MIEN:-}" ]; then
  for build in release test-release; do
    [ -x "build/$build/mien" ] && MIEN="build/$build/mien" && break
  done
fi
export MIEN="${MIEN:-}"
exec node tests/web/main.mjs "$@"
