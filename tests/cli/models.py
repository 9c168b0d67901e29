#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The models that mien ships are what their cards say: sizes, hashes, thresholds, F1 on GoEmotions' test split, curves.
models.py MIEN SOURCE_DIR"""
import array
import hashlib
import json
import os
import subprocess
import sys
import tempfile

MIEN, SOURCE = sys.argv[1], sys.argv[2]
MOST_BYTES = {"goemotions-small": 35e6, "goemotions-tiny": 15e6}
GOEMOTIONS = os.path.join(SOURCE, "models/goemotions")


def fail(name, what, expected, found):
    sys.exit(f"{name}: {what}: expected {expected}, found {found}")


def read(*path, mode="r"):
    with open(os.path.join(*path), mode, encoding=None if "b" in mode else "utf-8") as file:
        return file.read()


def f1(given, is_true):
    both = sum(g and t for g, t in zip(given, is_true))
    return 2 * both / (sum(given) + sum(is_true)) if both else 0.0


def read_npy(path, kind):
    """The numbers of a .npy file, as it is written here: rows one after the other."""
    data, numbers = read(path, mode="rb"), array.array(kind)
    numbers.frombytes(data[10 + int.from_bytes(data[8:10], "little"):])
    return numbers


names = read(GOEMOTIONS, "labels.txt").split()
rows = [line.split("\t") for line in read(GOEMOTIONS, "test.tsv").splitlines()]
truth = [{names[int(number)] for number in row[1].split(",")} for row in rows]
readme = read(SOURCE, "README.md")

for name, most in MOST_BYTES.items():
    folder = os.path.join(SOURCE, "models", name)
    pack = os.path.join(folder, "model.safetensors")
    metrics, card = json.loads(read(folder, "metrics.json")), read(folder, "README.md")
    data = read(pack, mode="rb")
    if len(data) > most or len(data) != metrics["bytes"]:
        fail(name, "bytes", f"{metrics['bytes']}, at most {most:.0f}", len(data))
    if hashlib.sha256(data).hexdigest() != metrics["sha256"]:
        fail(name, "sha256", metrics["sha256"], hashlib.sha256(data).hexdigest())

    described = json.loads(subprocess.run([MIEN, "inspect", "--json", pack], check=True, capture_output=True).stdout)
    thresholds = json.loads(read(folder, "thresholds.json"))
    for what, found in (("labels", described["labels"]), ("labels of thresholds.json", list(thresholds))):
        if sorted(found) != sorted(names):
            fail(name, what, sorted(names), sorted(found))
    for label, threshold in zip(described["labels"], described["thresholds"]):
        if abs(threshold - thresholds[label]) > 1e-7:
            fail(name, f"threshold of {label}", thresholds[label], threshold)

    with tempfile.TemporaryDirectory() as work:
        texts, out = os.path.join(work, "texts.jsonl"), os.path.join(work, "out.npy")
        with open(texts, "w", encoding="utf-8") as file:
            file.writelines(json.dumps({"text": row[0]}) + "\n" for row in rows)
        subprocess.run([MIEN, "label", "--quiet", "--model", pack, texts, "-o", out], check=True)
        columns, scores = json.loads(read(out + ".labels.json"))["labels"], read_npy(out, "f")
    limits = dict(zip(described["labels"], array.array("f", described["thresholds"])))
    figures = {label: f1([score > limits[label] for score in scores[at::len(columns)]],
                         [label in labels for labels in truth]) for at, label in enumerate(columns)}
    # The same bits on every processor: the same labels, whatever labelled them when the card was written.
    for label, figure in figures.items():
        if abs(figure - metrics["per_label"][label]["f1"]) > 1e-9:
            fail(name, f"F1 of {label}", metrics["per_label"][label]["f1"], figure)
    curves = metrics["curves"]
    for at, label in enumerate(columns):
        column = list(zip(scores[at::len(columns)], (label in labels for labels in truth)))
        for place, (tp, fp) in enumerate(zip(*(curves["labels"][label][key] for key in ("tp", "fp")))):
            threshold = array.array("f", [curves["first"] + place * curves["step"]])[0]
            given = [is_true for score, is_true in column if score > threshold]
            if [tp, fp] != [sum(given), len(given) - sum(given)]:
                fail(name, f"curve of {label} at {threshold:.2f}", [tp, fp], [sum(given), len(given) - sum(given)])
    macro = sum(figures.values()) / len(figures)
    if abs(macro - metrics["tuned_on_dev"]["macro_f1"]) > 1e-9:
        fail(name, "macro F1", metrics["tuned_on_dev"]["macro_f1"], macro)
    shown = f"{macro:.3f}".removeprefix("0")
    for where, text, said in (("its README.md", card, f"GoEmotions' test split {shown}"),
                              ("README.md", readme, f"| {name} | tuned on train and dev | {shown} |")):
        if said not in text.replace("\n", " "):
            fail(name, where, said, "another figure, or none")
    print(f"{name}: {len(data) / 1e6:.1f} MB, macro F1 {macro:.4f}, as its card says")
