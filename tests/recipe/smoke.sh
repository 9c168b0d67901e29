#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The recipe on a few rows, from texts to packs and cards; then its exports in the libraries that they are for.
#   smoke.sh MIEN ENCODERS VENV     ENCODERS: a folder with both base encoders; VENV: where Python's packages are or go
set -euo pipefail
mien="$(realpath "$1")" encoders="$(realpath "$2")" venv="$3"
root="$(realpath "$(dirname "$0")/../..")"
export PYTHONDONTWRITEBYTECODE=1
"$venv/bin/python" -m pip --version >/dev/null 2>&1 || python3 -m venv --clear "$venv"
if ! cmp -s "$venv/installed.txt" <(cat "$root"/{models,tests}/recipe/requirements.txt); then
  "$venv/bin/pip" install --quiet --no-compile -r "$root/models/recipe/requirements.txt" -r "$root/tests/recipe/requirements.txt"
  cat "$root"/{models,tests}/recipe/requirements.txt >"$venv/installed.txt"
fi
venv="$(realpath "$venv")"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

data="$root/tests/data/recipe"
"$venv/bin/python" "$root/models/recipe/make.py" --smoke --data "$data" --encoders "$encoders" --out "$work/made" --mien "$mien"
for name in goemotions-small goemotions-tiny; do
  "$venv/bin/python" "$root/models/recipe/card.py" --name $name --data "$data" --out "$work/made" --mien "$mien" \
    --models "$work/models" --looks "$work/looks.tsv"
  grep -q "^# $name\$" "$work/models/$name/README.md"
  "$mien" inspect --model "$work/models/$name/model.safetensors" >/dev/null
done

# A run that was stopped after an epoch ends as one that was not; another run's folder is refused.
train=("$venv/bin/python" "$root/models/recipe/train.py" --base "$encoders/sentence-transformers/all-MiniLM-L6-v2" --data "$data"
  --rows 96 --epochs 2 --threads 1 --max-tokens 16)
"${train[@]}" --out "$work/whole" >/dev/null
"${train[@]}" --out "$work/stopped" --stop 1 >/dev/null
"${train[@]}" --out "$work/stopped" >/dev/null
cmp "$work/whole/dev2.npy" "$work/stopped/dev2.npy"
if "${train[@]}" --out "$work/stopped" --rate 1 >/dev/null 2>"$work/refused"; then echo "another run's folder was taken"; exit 1; fi
grep -q "rate: expected 1.0, found 0.0002" "$work/refused"

cut -f 1 "$data/test.tsv" >"$work/texts.txt"
printf '%s\n' 'lol 😂😂 [NAME] is great!' 'love😍it' >>"$work/texts.txt"

# Installation scripts would only fetch what GPUs need.
(cd "$work" && PATH="$venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --prefix . @huggingface/transformers@4.3.1)
cp "$root/tests/recipe/transformers.mjs" "$work"
"$venv/bin/node" "$work/transformers.mjs" "$work/made/goemotions-tiny/transformers" "$work/texts.txt" "$work/scores.json"
"$venv/bin/python" "$root/tests/recipe/exports.py" "$mien" "$root/models/recipe" "$work/made/goemotions-tiny" "$work/texts.txt" \
  "$work/scores.json"
"$venv/bin/python" "$root/tests/recipe/exports.py" "$mien" "$root/models/recipe" "$work/made/goemotions-small" "$work/texts.txt"
