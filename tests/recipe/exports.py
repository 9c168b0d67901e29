#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the scores of a model that the recipe made, as mien gives them, with those of its exports in their own libraries.

exports.py MIEN RECIPE_DIR MODEL_DIR TEXTS.txt [TRANSFORMERS_JS.json]
MODEL_DIR is make.py's folder of the model, TRANSFORMERS_JS.json the scores that transformers.mjs wrote."""
import json
import os
import sys

import numpy as np
import onnxruntime
from optimum.onnxruntime import ORTModelForSequenceClassification
from sentence_transformers import SentenceTransformer
from sklearn.metrics import average_precision_score, f1_score
from transformers import AutoTokenizer

MIEN, RECIPE, MODEL, TEXTS = sys.argv[1:5]
sys.path.insert(0, RECIPE)
import metrics  # noqa: E402  the recipe's
import scoring  # noqa: E402

TOLERANCE = 1e-5  # of float32 in another order of sums
INT8 = 0.05  # int8 moves single scores by a few hundredths at most

with open(TEXTS, encoding="utf-8") as file:
    texts = file.read().rstrip("\n").split("\n")
folder, classifier = os.path.join(MODEL, "sentence-transformers"), os.path.join(MODEL, "transformers")
with open(os.path.join(classifier, "config.json"), encoding="utf-8") as file:
    config = json.load(file)
labels = [config["id2label"][str(i)] for i in range(len(config["id2label"]))]


def check(name, scores, expected, tolerance):
    if scores.shape != expected.shape:
        sys.exit(f"{name}: expected scores of {expected.shape}, found {scores.shape}")
    worst = float(abs(scores - expected).max())
    if not worst <= tolerance:
        sys.exit(f"{name}: expected scores within {tolerance}, found {worst}")
    print(f"{name}: scores within {worst:.1e}")


expected = scoring.label(MIEN, ["--encoder", folder, "--head", os.path.join(folder, "head")], texts, labels)

head = onnxruntime.InferenceSession(os.path.join(folder, "head", "model.onnx"))
columns = [output.name for output in head.get_outputs()]
if columns != sorted(labels, reverse=True):
    sys.exit(f"head: expected the original's outputs, from surprise to admiration, found {columns}")
given = head.run(None, {"logits": SentenceTransformer(folder, device="cpu").encode(texts)})
given = np.stack([given[columns.index(name)] for name in labels], axis=1)
check("sentence-transformers and ONNX Runtime", given[:, :, 1], expected, TOLERANCE)
check("a head's no and yes", given.sum(2), np.ones_like(expected), TOLERANCE)

tokenizer = AutoTokenizer.from_pretrained(classifier)
model = ORTModelForSequenceClassification.from_pretrained(classifier)
logits = model(**tokenizer(texts, padding=True, truncation=True, return_tensors="pt")).logits
check("optimum", logits.sigmoid().numpy(), expected, TOLERANCE)

if len(sys.argv) > 5:
    with open(sys.argv[5], encoding="utf-8") as file:
        found = [{entry["label"]: entry["score"] for entry in row} for row in json.load(file)]
    check("transformers.js", np.array([[row[name] for name in labels] for row in found]), expected, TOLERANCE)

check("the int8 pack", scoring.label(MIEN, ["--model", os.path.join(MODEL, "model.safetensors")], texts, labels),
      expected, INT8)

source = np.random.RandomState(0)
truth = (source.rand(500, 28) < 0.1).astype(np.float32)
truth[:, 3] = 0
truth[0, 3] = 1
given = source.rand(500, 28)
check("F1 as scikit-learn's", metrics.f1(given > 0.7, truth), f1_score(truth, given > 0.7, average=None), 1e-12)
check("average precision as scikit-learn's", metrics.average_precision(given, truth),
      average_precision_score(truth, given, average=None), 1e-12)
grid = np.array([0.25, 0.7])
curves = np.stack([metrics.f1(given > threshold, truth) for threshold in grid])
check("F1 over a grid as F1", metrics.f1_curves(given, truth, grid), curves, 1e-12)
counts = metrics.count_curves(given, truth, grid)
both = np.stack([((given > threshold) * truth).sum(0) for threshold in grid])
check("true positives over a grid", np.array([label["tp"] for label in counts]).T, both, 0)
check("false positives over a grid", np.array([label["fp"] for label in counts]).T,
      np.stack([(given > threshold).sum(0) for threshold in grid]) - both, 0)
rates = (given > 0.7).mean(0)
check("labels at a share of the rows", (given > metrics.thresholds_at(given, rates)).mean(0), rates, 1e-12)

# Of scores whose logits were halved, Platt's slope is 2; a label that no row has, or all have, stays finite.
true = (source.rand(20000, 3) < metrics.sigmoid(2 * np.linspace(-3, 3, 20000)[:, None])).astype(np.float32)
true[:, 1:] = 0, 1
halved = np.repeat(metrics.sigmoid(np.linspace(-3, 3, 20000))[:, None], 3, axis=1)
slopes, offsets = metrics.calibration(halved, true)
check("Platt's slope", slopes[:1], np.array([2.0]), 0.15)
if not (np.abs(slopes) < 10).all() or not (np.abs(offsets) < 20).all():
    sys.exit(f"Platt scaling of labels that no row or every row has: expected moderate numbers, found {slopes}, {offsets}")
