#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From GoEmotions' splits to models/goemotions-minilm-l6-linear and models/goemotions-bge-small-linear, by the command
# alone: minutes, most of them for embeddings.
#   heads.sh OUT     OUT: everything on the way; what ships is OUT/goemotions-*-linear
# $MIEN is the command, build/release/mien unless it is set.
set -euo pipefail
[ $# = 1 ] || { echo "usage: heads.sh OUT" >&2; exit 2; }
mkdir -p "$1"
out="$(realpath "$1")"
cd "$(dirname "$0")/../.."
mien="$(realpath "${MIEN:-build/release/mien}")"
data="$PWD/models/goemotions" notes="$PWD/models/recipe/linear.md"
PATH="$(dirname "$mien"):$PATH"
cd "$out"
ln -sfn "$data" goemotions

# No text of dev or test is learned from, and none twice with the same labels.
mien clean --data goemotions/train.tsv --against goemotions/dev.tsv --against goemotions/test.tsv -o train.tsv \
  --report report.jsonl
# What goemotions-small says of them, which knows more of a text than a linear head can, is the larger part of the targets.
score() { mien label --model goemotions-small --input-format tsv --no-header --text-column 0 "$1" -o "$2"; }
score train.tsv scores.npy
score goemotions/train.tsv scores-not-cleaned.npy
train() { # name, encoder, weight of the scores; chosen on dev of 0.8 and 1
  local common=(--data-labels goemotions/labels.txt --dev goemotions/dev.tsv --test goemotions/test.tsv --encoder "$2"
    --C "3,10,30,100" --class-weight "none,0.25,0.5" --same-for-all --force)
  mien train --data train.tsv "${common[@]}" --soft scores.npy --soft-weight "$3" -o "$1"
  { echo "# $1" && tail -n +2 "$1/README.md" && cat "$notes"; } >card.md
  mv card.md "$1/README.md"
  mien train --data train.tsv "${common[@]}" -o "$1-labels-alone"
  mien train --data goemotions/train.tsv "${common[@]}" --soft scores-not-cleaned.npy --soft-weight "$3" -o "$1-not-cleaned"
}
train goemotions-minilm-l6-linear sentence-transformers/all-MiniLM-L6-v2 0.8
train goemotions-bge-small-linear BAAI/bge-small-en-v1.5 1
