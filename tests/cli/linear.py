#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The linear heads that mien ships: their graphs, thresholds and settings fit together, and the figures of
goemotions-minilm-l6-linear's card are those of `mien evaluate` on embeddings that sentence-transformers made.

linear.py MIEN SOURCE_DIR"""
import json
import os
import re
import subprocess
import sys

MIEN, SOURCE = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
MODELS = os.path.join(SOURCE, "models")
# Embeddings of other software move a score over its threshold here and there.
BAND = 0.004


def run(*arguments):
    return json.loads(subprocess.run([MIEN, *arguments], check=True, capture_output=True, text=True).stdout)


def read(*names):
    with open(os.path.join(MODELS, *names), encoding="utf8") as file:
        return file.read()


for name in ("goemotions-minilm-l6-linear", "goemotions-bge-small-linear"):
    model = run("inspect", "--head", os.path.join(MODELS, name), "--json")
    settings, thresholds = json.loads(read(name, "train.json")), json.loads(read(name, "thresholds.json"))
    labels = read("goemotions", "labels.txt").split()
    for found in (model["labels"], list(thresholds), [label["label"] for label in settings["labels"]]):
        if found != labels:
            sys.exit(f"{name}: expected GoEmotions' labels in their order, found {found}")
    if model["thresholds"] != list(thresholds.values()) or model["dim"] != 384 or settings["dim"] != 384:
        sys.exit(f"{name}: graph, thresholds and settings are of different heads")

card = read("goemotions-minilm-l6-linear", "README.md")
found = run("evaluate", "--head", os.path.join(MODELS, "goemotions-minilm-l6-linear"), "--json", "--resamples", "0",
            "--data", os.path.join(MODELS, "goemotions/test.tsv"), "--embeddings",
            os.path.join(SOURCE, "tests/data/heads/all-MiniLM-L6-v2/test.embeddings.npy"))
report = found["schemes"]["thresholds"]["report"]
for average in ("macro", "weighted"):
    heading = "weighted by support" if average == "weighted" else "macro average"
    table = re.search(rf"## Figures: test.*?### Thresholds per label, {heading}\n(.*?)\n###", card, re.S)[1]
    for row, key in (("precision", "precision"), ("recall", "recall"), ("F1", "f1-score")):
        told, is_so = float(re.search(rf"\| {row} \| ([0-9.]+)", table)[1]), report[f"{average} avg"][key]
        if abs(told - is_so) > BAND:
            sys.exit(f"{average} {row}: the card tells {told}, found {is_so:.4f}")
    print(f"{average} F1 {report[f'{average} avg']['f1-score']:.4f}, as the card tells")
