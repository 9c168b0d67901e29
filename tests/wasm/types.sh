#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The packages' types with TypeScript, as bundlers and as Node resolve them: types.sh, after install.sh
set -euo pipefail
root="$(realpath "$(dirname "$0")/../..")"
place="$root/build/wasm-tests"
rm -rf "$place/types"
cp -r "$root/tests/wasm/types" "$place/types"
cd "$place/types"
tsc=("$place/tools/node_modules/.bin/tsc" --noEmit --strict --noUncheckedIndexedAccess
  --skipLibCheck false --typeRoots "$place/tools/node_modules/@types")
echo "TypeScript $("${tsc[0]}" --version)"
"${tsc[@]}" --module esnext --moduleResolution bundler --target es2022 --lib es2022,dom,dom.asynciterable --types '' dom.ts use.ts refuse.ts
echo "bundler, with the DOM's types: ok"
echo '{ "type": "module" }' >package.json
"${tsc[@]}" --module node16 --moduleResolution node16 --target es2022 --lib es2022 --types node use.ts refuse.ts common.cts
echo "node16, with Node's types: ok"
