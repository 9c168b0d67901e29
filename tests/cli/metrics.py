#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Labels GoEmotions' test split with a real head and compares what comes out with reference figures: the first rows'
scores with ONNX Runtime's, and precision, recall and F1 at three sets of thresholds with scikit-learn's.

metrics.py MIEN SOURCE_DIR                     from the embeddings that sentence-transformers made
metrics.py MIEN SOURCE_DIR HEAD ENCODER        from the texts, with models/heads/HEAD: the embeddings are compared too,
                                               and packs of the encoder in int8 and bf16"""
import array
import json
import math
import os
import subprocess
import sys
import tempfile

import precision

MIEN, SOURCE = sys.argv[1], sys.argv[2]
NAME, ENCODER = (sys.argv[3], sys.argv[4]) if len(sys.argv) > 3 else ("all-MiniLM-L6-v2", None)
HEAD = os.path.join(SOURCE, "models/heads", NAME, "model.onnx")
DATA = os.path.join(SOURCE, "tests/data/heads", NAME)
GOEMOTIONS = os.path.join(SOURCE, "models/goemotions")
# Rows nearer to a threshold may fall on either side. Embeddings in another order of sums move scores a little.
BAND = 2e-5 if ENCODER else 2e-6
LEAST_COSINE = 0.99999

work = tempfile.TemporaryDirectory()


def read_npy(path, code):
    with open(path, "rb") as file:
        data = file.read()
    header = int.from_bytes(data[8:10], "little")
    numbers = array.array(code)
    numbers.frombytes(data[10 + header:])
    return numbers


def label(arguments, rows, ending, code):
    out = os.path.join(work.name, "out" + ending)
    subprocess.run([MIEN, "label", "--head", HEAD, "--quiet", *arguments, rows, "-o", out], check=True)
    return read_npy(out, code), json.load(open(out[:-len(ending)] + ending + ".labels.json"))["labels"]


def check_cosines(found, expected):
    """Of every text's embedding; False where there are none to compare with."""
    dim = len(found) // N
    worst = 1.0
    for row in range(N):
        a, b = found[row * dim:(row + 1) * dim], expected[row * dim:(row + 1) * dim]
        dot = math.fsum(x * y for x, y in zip(a, b))
        cosine = dot / math.sqrt(math.fsum(x * x for x in a) * math.fsum(y * y for y in b))
        worst = min(worst, cosine)
    if worst < LEAST_COSINE:
        sys.exit(f"embeddings: expected cosines of at least {LEAST_COSINE}, found {worst!r}")
    print(f"embeddings: least cosine with sentence-transformers' {worst:.10f}")


def prf(true_positives, positives, support):
    precision = true_positives / positives if positives else 0.0
    recall = true_positives / support if support else 0.0
    return precision, recall, 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def check(name, expected, found, tolerance):
    if abs(expected - found) > tolerance:
        sys.exit(f"{name}: expected {expected!r}, found {found!r}, tolerance {tolerance:g}")


if subprocess.run([MIEN, "inspect", "--cpu"], capture_output=True).returncode == 4:
    sys.exit(77)  # MIEN_ISA names what this CPU lacks

names = open(os.path.join(GOEMOTIONS, "labels.txt"), encoding="utf-8").read().split()
truth = [[int(number) for number in line.rstrip("\n").split("\t")[1].split(",")]
         for line in open(os.path.join(GOEMOTIONS, "test.tsv"), encoding="utf-8")]
N = len(truth)
ROWS = os.path.join(DATA, "test.embeddings.npy")
if ENCODER:
    TEXTS = os.path.join(work.name, "texts.txt")
    with open(TEXTS, "w", encoding="utf-8") as file, open(os.path.join(GOEMOTIONS, "test.tsv"), encoding="utf-8") as lines:
        file.writelines(line.split("\t", 1)[0] + "\n" for line in lines)
    reference_rows, ROWS = ROWS, os.path.join(work.name, "embeddings.npy")
    subprocess.run([MIEN, "embed", "--encoder", ENCODER, "--quiet", TEXTS, "-o", ROWS], check=True)
    if os.path.exists(reference_rows):
        check_cosines(read_npy(ROWS, "f"), read_npy(reference_rows, "f"))
scores, columns = label([], ROWS, ".npy", "f")
L = len(columns)
if ENCODER:
    from_texts, _ = label(["--encoder", ENCODER], TEXTS, ".npy", "f")
    if from_texts != scores:
        sys.exit("scores of texts: expected those of the texts' embeddings, found others")
assert sorted(columns) == sorted(names) and len(scores) == N * L, (columns, len(scores))

expected = array.array("f")
expected.frombytes(open(os.path.join(DATA, "test256.scores.f32"), "rb").read())
worst = max(abs(expected[row * L + names.index(column)] - scores[row * L + at])
            for row in range(256) for at, column in enumerate(columns))
check("scores of the first 256 rows: largest difference", 0, worst, BAND)

reference = json.load(open(os.path.join(DATA, "reference_metrics.json")))
for protocol in ("tuned_on_dev", "tuned_on_test", "fixed_0.5"):
    figures = reference[protocol]
    thresholds = {name: figures["per_label"][name]["threshold"] for name in names}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(thresholds, file)
        file.flush()
        words, bit_columns = label(["--thresholds", file.name], ROWS, ".bits.npy", "I")
    assert bit_columns == columns and len(words) == N
    near = sum(abs(scores[row * L + at] - thresholds[column]) <= BAND
               for row in range(N) for at, column in enumerate(columns))
    macro, weighted, total = [0.0] * 3, [0.0] * 3, 0
    for at, column in enumerate(columns):
        number = names.index(column)
        given = [words[row] >> at & 1 for row in range(N)]
        support = sum(number in labels for labels in truth)
        figure = prf(sum(g and number in labels for g, labels in zip(given, truth)), sum(given), support)
        per_label = figures["per_label"][column]
        assert per_label["support"] == support
        for value, key in zip(figure, ("precision", "recall", "f1")):
            check(f"{protocol}: {column}: {key}", per_label[key], value, 1e-9 if near == 0 else near / max(support, 1))
        macro = [a + b / L for a, b in zip(macro, figure)]
        weighted = [a + b * support for a, b in zip(weighted, figure)]
        total += support
    for i, key in enumerate(("precision", "recall", "f1")):
        check(f"{protocol}: macro {key}", figures["macro"][i], macro[i], 1e-8 if near == 0 else near / N)
        check(f"{protocol}: weighted {key}", figures["weighted"][i], weighted[i] / total, 1e-8 if near == 0 else near / N)
    print(f"{protocol}: macro F1 {macro[2]:.4f}, weighted F1 {weighted[2] / total:.4f}, as the reference; "
          f"{near} scores within {BAND:g} of a threshold")
print(f"scores: largest difference from the reference {worst:.2e}")


def macro_f1(rows):
    """At the thresholds beside the head."""
    words, bit_columns = label([], rows, ".bits.npy", "I")
    total = 0.0
    for at, column in enumerate(bit_columns):
        given, is_true = [word >> at & 1 for word in words], [names.index(column) in labels for labels in truth]
        total += prf(sum(g and t for g, t in zip(given, is_true)), sum(given), sum(is_true))[2]
    return total / len(bit_columns)


if ENCODER:
    precision.check(MIEN, HEAD, ENCODER, TEXTS, ROWS, work.name, macro_f1)
