# SPDX-License-Identifier: Apache-2.0
"""Lays models out for transformers.js: prepare.py FOLDER NAME ENCODER F32.onnx INT8.onnx

FOLDER/NAME gets the encoder's tokenizer and configuration, and the exports with their token embeddings under the name
that transformers.js looks for.
"""
import os
import shutil
import sys

import onnx

folder, name, encoder, *exports = sys.argv[1:]
target = os.path.join(folder, name)
os.makedirs(os.path.join(target, "onnx"), exist_ok=True)
for file in ("config.json", "tokenizer.json", "tokenizer_config.json"):
    shutil.copy(os.path.join(encoder, file), target)
for export, file in zip(exports, ("model.onnx", "model_quantized.onnx")):
    model = onnx.load(export)
    output = model.graph.output[0]
    for node in model.graph.node:
        for i, value in enumerate(node.output):
            if value == output.name:
                node.output[i] = "last_hidden_state"
        for i, value in enumerate(node.input):
            if value == output.name:
                node.input[i] = "last_hidden_state"
    output.name = "last_hidden_state"
    del model.graph.output[1:]
    onnx.save(model, os.path.join(target, "onnx", file))
