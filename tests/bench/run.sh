#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds mien, installs the peers into a virtual environment under build/, and runs the benchmark: run.sh [ARGUMENT]...
set -euo pipefail
cd "$(dirname "$0")/../.."
cmake/packages.sh build
if ! python3 -c 'import ensurepip' 2>/dev/null; then cmake/packages.sh full; fi
cmake --preset release >/dev/null
cmake --build --preset release --target mien_shared mien_command >/dev/null
venv=build/bench-venv
if [ ! -e $venv/.done ]; then
  python3 -m venv $venv
  $venv/bin/pip install --quiet onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
  touch $venv/.done
fi
exec $venv/bin/python tests/bench/head.py "$@"
