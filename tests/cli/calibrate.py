#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mien calibrate with a real head: rows keep their labels, scores get nearer to what is true, and what is refused.

calibrate.py MIEN SOURCE_DIR"""
import json
import math
import os
import subprocess
import sys
import tempfile
import xml.dom.minidom

from precision import floats

MIEN, SOURCE = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
HEAD = os.path.join(SOURCE, "models/heads/all-MiniLM-L6-v2")
X = os.path.join(SOURCE, "tests/data/heads/all-MiniLM-L6-v2/test.embeddings.npy")
DATA = os.path.join(SOURCE, "models/goemotions/test.tsv")
work = tempfile.TemporaryDirectory()
os.chdir(work.name)


def run(*arguments, code=0, says=""):
    done = subprocess.run([MIEN, *arguments], capture_output=True, text=True)
    if done.returncode != code or says not in done.stderr:
        sys.exit(f"{arguments}: expected exit code {code} and '{says}', found {done.returncode}: {done.stderr}")
    return done.stdout


def calibration_error(scores, truth):
    """By the definition: 15 bins of equal width."""
    sums = [0.0] * 15
    for score, true in zip(scores, truth):
        sums[min(14, int(score * 15))] += score - true
    return math.fsum(abs(part) for part in sums) / len(scores)


table = json.loads(run("calibrate", "--head", HEAD, "--data", DATA, "--embeddings", X, "-o", "new", "--json", "--plot",
                       "plot.svg", says="; 0 labels of rows are others;"))
for head, name in ((HEAD, "old"), ("new", "new")):
    run("label", "--head", head, X, "-o", name + ".npy", "-q")
    run("label", "--head", head, X, "-o", name + ".bits", "-q")
with open("old.bits", "rb") as old, open("new.bits", "rb") as new:
    if old.read() != new.read():
        sys.exit("rows have other labels after calibration")

# The table's figures are those of the scores that the heads give.
names = [line.rstrip("\n") for line in open(os.path.join(SOURCE, "models/goemotions/labels.txt"), encoding="utf8")]
columns = json.load(open("new.npy.labels.json"))["labels"]
given = [line.split("\t")[1].split(",") for line in open(DATA, encoding="utf8", newline="\n")]
for label in ("joy", "surprise", "grief"):
    truth = [str(names.index(label)) in row for row in given]
    at = columns.index(label)
    for name, key in (("old", "before"), ("new", "after")):
        scores = floats(name + ".npy")[at::len(columns)]
        expected, found = calibration_error(scores, truth), table["labels"][label][key]["expected_calibration_error"]
        if not math.isclose(expected, found, abs_tol=1e-9):
            sys.exit(f"{label} {key}: expected {expected!r}, found {found!r}")
    a, c = table["labels"][label]["a"], table["labels"][label]["c"]
    for old, new in list(zip(floats("old.npy")[at::len(columns)], floats("new.npy")[at::len(columns)]))[:500]:
        expected = 1 / (1 + math.exp(-(a * math.log(old / (1 - old)) + c)))
        if not math.isclose(expected, new, rel_tol=1e-4, abs_tol=1e-6):
            sys.exit(f"{label}: a score of {old}: expected {expected}, found {new}")
mean = table["mean"]
if not mean["after"]["brier"] < mean["before"]["brier"]:
    sys.exit(f"the mean Brier score has not fallen: {mean}")
if len(xml.dom.minidom.parse("plot.svg").getElementsByTagName("polyline")) != 2 * len(columns):
    sys.exit("the plot has not two curves a label")

# The same for any number of threads, and in other forms.
run("calibrate", "--head", HEAD, "--data", DATA, "--embeddings", X, "-o", "again", "--threads", "1", "-q")
for name in ("model.onnx", "thresholds.json"):
    if open("new/" + name, "rb").read() != open("again/" + name, "rb").read():
        sys.exit(f"{name}: other bytes with one thread")
for form, begins in (("text", "Platt scaling"), ("markdown", "Platt scaling"), ("csv", "label,a,c,")):
    found = run("calibrate", "--head", HEAD, "--data", DATA, "--embeddings", X, "-o", "as-" + form, "--format", form)
    if not found.startswith(begins) or "gratitude" not in found:
        sys.exit(f"--format {form}: found {found[:60]!r}")

# Labels that no row has stay as they are.
with open("few.tsv", "w", encoding="utf8") as file:
    file.write("".join(f"{i}\t{'joy' if i % 3 else 'anger'}\n" for i in range(5427)))
few = json.loads(run("calibrate", "--head", HEAD, "--data", "few.tsv", "--embeddings", X, "-o", "few", "--json"))
if few["labels"]["grief"]["a"] != 1 or "note" not in few["labels"]["grief"]:
    sys.exit(f"a label that no row has: found {few['labels']['grief']}")

# Refused, with nothing left behind.
before = sorted(os.listdir("."))
run("calibrate", "--head", HEAD, "--data", DATA, "--embeddings", X, "-o", "new", code=2, says="new: is there already")
run("calibrate", "--head", HEAD, "--data", DATA, "-o", "x", code=2)
run("calibrate", "--head", HEAD, "--data", "few.tsv", "--embeddings", "few.tsv", "-o", "x", code=3, says="few.tsv")
run("calibrate", "--head", HEAD, "--data", "gone.tsv", "--embeddings", X, "-o", "x", code=3, says="gone.tsv")
run("calibrate", "--head", HEAD, "--data", DATA, "--embeddings", X, "-o", "x.safetensors", code=2)
run("calibrate", "--head", HEAD, "--data", DATA, "--embeddings", X, "-o", "nowhere/x", code=4, says="nowhere/x")
run("calibrate", "--head", HEAD, "--data", DATA, "--embeddings", X, "-o", "x", "--plot", "nowhere/x.svg", code=4)
run("calibrate", "--head", HEAD, "--data", DATA, "--embeddings", X, code=2, says="expected -o")
run("calibrate", "--head", HEAD, "-o", "x", code=2, says="expected --data")
# What is read is not written over, in whatever words.
written = sorted(os.listdir("new"))
head = open("new/model.onnx", "rb").read()
for target in ("new/model.onnx", "./new/../new/model.onnx", "new/thresholds.json"):
    for command in (("evaluate", "-o", target), ("calibrate", "-o", "x", "--plot", target), ("thresholds", "-o", target)):
        if command[0] != "thresholds" or target.endswith(".onnx"):
            run(command[0], "--model", "new", "--data", DATA, "--embeddings", X, *command[1:], code=2,
                says="the output is a file of the model")
run("calibrate", "--head", HEAD, "--data", DATA, "--embeddings", X, "-o", "x", "--plot", "./x", code=2,
    says="the same file")
with open("scores.npy", "wb") as file:
    file.write(b"")
with open("scores.npy.labels.json", "w", encoding="utf8") as file:
    file.write("{}")
for target in ("scores.npy", "scores.npy.labels.json"):
    for command in ("evaluate", "thresholds"):
        run(command, "--scores", "scores.npy", "--data", DATA, "-o", target, code=2, says="the same file as the input")
os.remove("scores.npy"), os.remove("scores.npy.labels.json")
if sorted(os.listdir("new")) != written or open("new/model.onnx", "rb").read() != head:
    sys.exit("a file of the model was written over")
run("thresholds", "--model", "new", "--data", DATA, "--embeddings", X, "-o", "new/thresholds.json", "-q")
if sorted(os.listdir(".")) != before:
    sys.exit(f"files left behind: {sorted(set(os.listdir('.')) - set(before))}")
print("calibrated, drawn and refused as expected")
