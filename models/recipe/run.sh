#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From GoEmotions' splits to models/goemotions-small and models/goemotions-tiny: hours, a core and 3.5 GB of memory a run.
#   run.sh DATA OUT     DATA: train.tsv, dev.tsv, test.tsv and labels.txt; OUT: everything on the way, to go on from
# $MIEN is the command, build/release/mien unless it is set; $JOBS how many runs go side by side, one a core unless it is set.
set -euo pipefail
[ $# = 2 ] || { echo "usage: run.sh DATA OUT" >&2; exit 2; }
here="$(realpath "$(dirname "$0")")"
mien="${MIEN:-$here/../../build/release/mien}"
for file in train.tsv dev.tsv test.tsv labels.txt; do
  [ -f "$1/$file" ] || { echo "run.sh: expected $1/$file, found none: README.md says where it is from" >&2; exit 3; }
done
[ -x "$mien" ] || { echo "run.sh: expected the command $mien, found none: build it, or set MIEN" >&2; exit 4; }
mien="$(realpath "$mien")"
mkdir -p "$2"
python="$2/venv/bin/python"
"$python" -m pip --version >/dev/null 2>&1 || python3 -m venv --clear "$2/venv"
"$python" -m pip install --quiet -r "$here/requirements.txt"
for encoder in sentence-transformers/all-MiniLM-L6-v2 BAAI/bge-small-en-v1.5; do
  folder="$("$mien" pull $encoder)"
done
encoders="${folder%/BAAI/*}"
"$python" "$here/make.py" --data "$1" --encoders "$encoders" --out "$2" --mien "$mien" --jobs "${JOBS:-$(nproc)}"
for name in goemotions-small goemotions-tiny; do
  "$python" "$here/card.py" --name $name --data "$1" --out "$2" --mien "$mien" --models "$here/.."
done
