#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what mien needs, builds it, and labels GoEmotions' test comments from their embeddings.
set -euo pipefail
cd "$(dirname "$0")"
cmake/packages.sh build
mkdir -p build
if ! { cmake --preset release && cmake --build --preset release --target mien_command; } >build/demo.log 2>&1; then
  tail -30 build/demo.log
  exit 1
fi

head=models/heads/all-MiniLM-L6-v2/model.onnx
embeddings=tests/data/heads/test.embeddings.npy # of the texts in models/goemotions/test.tsv, row by row
echo "mien label --head $head $embeddings"
labels="$(mktemp)"
trap 'rm -f "$labels"' EXIT
build/release/mien label --head "$head" "$embeddings" --output-format csv -o "$labels"
echo
# CSV's columns are row, id, labels, error. awk reads to the end: a reader that leaves early would fail the pipe.
paste -d '\t' <(tail -n +2 "$labels" | cut -d , -f 3 | tr '|' ' ') <(cut -f 1 models/goemotions/test.tsv) |
  awk -F '\t' 'NR <= 20 {printf "%-28s %s\n", $1 == "" ? "-" : $1, $2}'
