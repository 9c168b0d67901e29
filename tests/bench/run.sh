#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds mien, installs the peers into a virtual environment under build/, and runs a benchmark beside them:
#   run.sh head [ARGUMENT]...       embeddings to labels
#   run.sh encoder [ARGUMENT]...    texts to embeddings; the peers are 5 GB
#   run.sh tokenizer [ARGUMENT]...  texts to tokens
set -euo pipefail
cd "$(dirname "$0")/../.."
subject="${1:-}"
peers=(numpy==2.4.6)
case "$subject" in
head) peers+=(onnx==1.23.2 onnxruntime==1.32.0) ;;
encoder) peers+=(onnx==1.23.2 onnxruntime==1.32.0 tokenizers==0.23.3 torch==2.15.0 sentence-transformers==6.2.0) ;;
tokenizer) peers+=(tokenizers==0.23.3) ;;
*) echo "usage: run.sh head|encoder|tokenizer [ARGUMENT]..." >&2; exit 2 ;;
esac
shift
cmake/packages.sh test
if ! python3 -c 'import ensurepip' 2>/dev/null; then cmake/packages.sh full; fi
cmake --preset release >/dev/null
cmake --build --preset release >/dev/null
venv=build/bench-venv
[ -e $venv/bin/pip ] || python3 -m venv $venv
$venv/bin/pip install --quiet "${peers[@]}"
arguments=()
if [ "$subject" != head ]; then
  cmake/packages.sh pull
  encoder="$(build/release/mien pull BAAI/bge-small-en-v1.5)"
  if [ "$subject" = encoder ]; then arguments=(--encoder "$encoder"); else arguments=("$encoder/tokenizer.json"); fi
fi
exec $venv/bin/python "tests/bench/$subject.py" "${arguments[@]}" "$@"
