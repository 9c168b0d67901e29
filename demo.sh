#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what mien needs, builds it, and labels GoEmotions' test comments by the model that is shipped.
set -euo pipefail
cd "$(dirname "$0")"
cmake/packages.sh build
mkdir -p build
if ! { cmake --preset release && cmake --build --preset release --target mien_command; } >build/demo.log 2>&1; then
  tail -30 build/demo.log
  exit 1
fi
export PATH="$PWD/build/release:$PATH"

texts=build/demo.txt
cut -f 1 models/goemotions/test.tsv >$texts
echo "\$ mien label $texts -o build/demo.csv"
mien label $texts -o build/demo.csv
echo
# CSV's columns are row, id, labels, error. awk reads to the end: a reader that leaves early would fail the pipe.
paste -d '\t' <(tail -n +2 build/demo.csv | cut -d , -f 3 | tr '|' ' ') $texts |
  awk -F '\t' 'NR <= 20 {printf "%-28s %s\n", $1 == "" ? "-" : $1, $2}'
echo
echo "\$ mien label --text \"I can't believe you did that, thank you!\""
mien label --quiet --text "I can't believe you did that, thank you!"
