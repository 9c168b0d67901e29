#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Packs both npm packages and installs them and the tests' tools in build/wasm-tests: install.sh
set -euo pipefail
root="$(realpath "$(dirname "$0")/../..")"
place="$root/build/wasm-tests"
npm=(npm --silent --no-audit --no-fund --no-update-notifier)
mkdir -p "$place"
rm -f "$place"/*.tgz
for name in mien-wasm mien-goemotions-tiny; do
  (cd "$place" && "${npm[@]}" pack "$root/build/wasm/npm/$name" >/dev/null)
  mv "$place/$name"-*.tgz "$place/$name.tgz"
done
if ! cmp -s "$root/tests/wasm/package.json" "$place/tools/package.json"; then
  mkdir -p "$place/tools"
  (cd "$place/tools" && cp "$root/tests/wasm/package.json" . && "${npm[@]}" install --no-package-lock) ||
    { rm "$place/tools/package.json"; exit 1; }
fi
# As npm would, without its cache of earlier tarballs.
for name in mien-wasm mien-goemotions-tiny; do
  rm -rf "$place/node_modules/$name"
  mkdir -p "$place/node_modules/$name"
  tar -xzf "$place/$name.tgz" -C "$place/node_modules/$name" --strip-components 1
done
