#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The tarballs as a registry would get them: publint, are-the-types-wrong, and sizes: publish.sh, after install.sh
set -euo pipefail
root="$(realpath "$(dirname "$0")/../..")"
cd "$root/build/wasm-tests"
bin=tools/node_modules/.bin
for name in mien-wasm mien-goemotions-tiny; do
  $bin/publint --strict $name.tgz
  # A model has no types, and a package without CommonJS is no mistake.
  $bin/attw $name.tgz --profile esm-only --exclude-entrypoints ./model.safetensors --format ascii
done
status=0
within() { # what, bytes, at most
  echo "$1: $2 bytes, at most $3"
  [ "$2" -le "$3" ] || { echo "too large: $1"; status=1; }
}
minified() { $bin/esbuild --bundle --minify --format=esm --external:mien-goemotions-tiny "node_modules/mien-wasm/$1" | wc -c; }
entry="$(minified index.js)" worker="$(minified worker.js)"
echo "index.js $entry, worker.js $worker"
within "minified scripts of a page and its worker" $((entry + worker)) 15000
for name in mien mien-head; do within $name.wasm "$(wc -c <node_modules/mien-wasm/$name.wasm)" 250000; done
exit $status
