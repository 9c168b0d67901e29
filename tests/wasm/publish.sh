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
# What a page loads that imports `load`, and its worker; what few call comes in scripts of its own when they do.
mkdir -p sizes
echo "export { load } from 'mien-wasm'" >sizes/page.js
rm -rf sizes/out
$bin/esbuild --bundle --minify --splitting --format=esm --external:mien-goemotions-tiny --metafile=sizes/meta.json \
  --outdir=sizes/out --log-level=warning sizes/page.js node_modules/mien-wasm/worker.js
node -e '
  const { outputs } = JSON.parse(require("fs").readFileSync("sizes/meta.json"))
  const seen = new Set()
  const visit = (name) => {
    if (seen.has(name)) return
    seen.add(name)
    for (const { path, kind } of outputs[name].imports) if (kind === "import-statement" && outputs[path]) visit(path)
  }
  for (const [name, { entryPoint }] of Object.entries(outputs)) if (/(page|worker)\.js$/.test(entryPoint)) visit(name)
  console.log([...seen].join("\n"))' >sizes/files.txt
xargs cat <sizes/files.txt >sizes/all.js
within "minified scripts of a page and its worker, gzipped $(gzip -9c sizes/all.js | wc -c)" "$(wc -c <sizes/all.js)" 15000
for module in node_modules/mien-wasm/*.wasm; do
  within "$(basename "$module"), gzipped $(gzip -9c "$module" | wc -c)" "$(wc -c <"$module")" 250000
done
exit $status
