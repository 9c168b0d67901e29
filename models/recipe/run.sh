#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From GoEmotions' splits to models/goemotions-small and models/goemotions-tiny: some ten hours on one core each of two.
#   run.sh DATA OUT     DATA: train.tsv, dev.tsv, test.tsv and labels.txt; OUT: everything on the way, to go on from
# $MIEN is the command, build/release/mien unless it is set.
set -euo pipefail
[ $# = 2 ] || { echo "usage: run.sh DATA OUT" >&2; exit 2; }
here="$(realpath "$(dirname "$0")")"
mien="$(realpath "${MIEN:-$here/../../build/release/mien}")"
mkdir -p "$2"
python="$2/venv/bin/python"
[ -e "$python" ] || python3 -m venv "$2/venv"
"$python" -m pip install --quiet -r "$here/requirements.txt"
for encoder in sentence-transformers/all-MiniLM-L6-v2 BAAI/bge-small-en-v1.5; do
  folder="$("$mien" pull $encoder)"
done
encoders="${folder%/BAAI/*}"
"$python" "$here/make.py" --data "$1" --encoders "$encoders" --out "$2" --mien "$mien"
for name in goemotions-small goemotions-tiny; do
  "$python" "$here/card.py" --name $name --data "$1" --out "$2" --mien "$mien" --models "$here/.."
done
