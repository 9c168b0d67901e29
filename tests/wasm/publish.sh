#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The tarballs as a registry would get them: publint, are-the-types-wrong, and sizes: publish.sh, after install.sh
set -euo pipefail
root="$(realpath "$(dirname "$0")/../..")"
cd "$root/build/wasm-tests"
bin=tools/node_modules/.bin
for name in mien-wasm mien-goemotions-tiny; do
  if [ $name = mien-wasm ] && [ ! -e node_modules/mien-wasm/cli.js ]; then
    echo "skipped: publint of mien-wasm: its command, cli.js, is not there"
  else
    $bin/publint --strict $name.tgz
  fi
  # A model has no types, and a package without CommonJS is no mistake.
  $bin/attw $name.tgz --profile esm-only --exclude-entrypoints ./model.safetensors --format ascii --no-emoji
done
status=0
within() { # what, bytes, at most
  echo "$1: $2 bytes, at most $3"
  [ "$2" -le "$3" ] || { echo "too large: $1"; status=1; }
}
for script in index worker; do
  $bin/esbuild --bundle --minify --format=esm --external:mien-goemotions-tiny node_modules/mien-wasm/$script.js >$script.min.js
done
echo "index.js $(wc -c <index.min.js), worker.js $(wc -c <worker.min.js), both gzipped $(gzip -9c index.min.js worker.min.js | wc -c)"
within "minified scripts of a page and its worker" "$(cat index.min.js worker.min.js | wc -c)" 22000
for name in mien mien-head; do within $name.wasm "$(wc -c <node_modules/mien-wasm/$name.wasm)" 250000; done
exit $status
