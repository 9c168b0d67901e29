#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Tests the command of the npm package: cli.sh [NATIVE]
#   NATIVE  the native command, whose int8 scores are then compared
# The packages are those that the build in build/wasm (or in $BUILD) has made.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
build="${BUILD:-$here/../../build/wasm}"
native="${1:+$(realpath "$1")}"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/node_modules"
cp -r "$build/npm/mien-wasm" "$build/npm/mien-goemotions-tiny" "$folder/node_modules"
# The name that usage messages have, and that the golden runs call.
mien="$folder/mien"
printf '#!/bin/sh\nexec node "%s" "$@"\n' "$folder/node_modules/mien-wasm/cli.js" >"$mien"
chmod +x "$mien"

# The model of the companion package, by its name and without one, and what is said where it is not installed.
cd "$folder"
expected='{"row":0,"labels":["gratitude"],"scores":[0.9958858]}'
[ "$("$mien" label -q --text 'thank you')" = "$expected" ]
[ "$("$mien" label -q --model goemotions-tiny --text 'thank you')" = "$expected" ]
mv node_modules/mien-goemotions-tiny .
said="$("$mien" label --text 'thank you' 2>&1)" && exit 1
[[ "$said" = *'npm install mien-goemotions-tiny'* ]]
mv mien-goemotions-tiny node_modules

# A row of 3 GiB, which has no text, and one behind it: nothing is cut where 32 bits end.
truncate -s 3G long.txt
printf '\nthank you\n' >>long.txt
[ "$("$mien" tokenize -q --encoder goemotions-tiny long.txt | tail -1 | cut -d: -f2)" = '1,"ids"' ]
rm long.txt

# Many files and threads: one thread closes what another one has opened.
mkdir texts
seq 300 | awk '{ for (i = 0; i < $1 % 40; i++) printf "%s ", substr("thanks, that was awful! why? I love it so", i, 9)
                 print "" }' | split -l 10 --additional-suffix=.txt - texts/
"$mien" label -q --scores all --threads 3 texts >found.jsonl 2>said.txt
[ ! -s said.txt ]
"$mien" label -q --scores all --threads 1 texts | cmp - found.jsonl
if [ -n "$native" ]; then
  "$native" label -q --model goemotions-tiny --scores all texts | cmp - found.jsonl
else
  echo "skipped: the native command's scores: no native command was named"
fi
python3 "$here/cli.py" "$mien"
