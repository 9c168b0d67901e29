#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command on a CUDA device with a shipped pack and GoEmotions' test texts: agreement.py PART MIEN SOURCE_DIR

scores   as on the CPU: scores within a band of the dtype, labels where scores are not that near to a threshold,
         99.9 % of all labels, macro-F1 within 0.003; and labels are those of the scores
pieces   the same bits when the texts come in pieces, and on one thread
two      the same bits when two processes share the device
number   a device that is not there is exit code 4, with a message

No library is needed but Python's own. --json FILE gets the figures. Float weights of whole encoders are in no pack that
mien ships: in dtypes but int8 the pack's weights are the integers times their scales, on both devices."""
import argparse
import array
import json
import os
import subprocess
import sys
import tempfile

# Of scores in that dtype, between devices: sums in another order, activations rounded elsewhere (in int8 the CPU's are
# integers, the device's are float16).
BANDS = {"f32": 1e-5, "bf16x3": 3e-5, "bf16": 1e-2, "f16": 2e-3, "int8": 5e-2}
LEAST_AGREEMENT, MOST_F1 = 0.999, 0.003

parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
parser.add_argument("part", choices=["scores", "pieces", "two", "number"])
parser.add_argument("mien")
parser.add_argument("source")
parser.add_argument("--dtype", default="int8", choices=BANDS)
parser.add_argument("--model", default="goemotions-small")
parser.add_argument("--texts", type=int, help="how many; default: all")
parser.add_argument("--json")
options = parser.parse_args()
MODEL = os.path.join(options.source, "models", options.model)
GOEMOTIONS = os.path.join(options.source, "models/goemotions")
work = tempfile.TemporaryDirectory()
figures = {}


def fail(message):
    tell()
    sys.exit(message)


def tell():
    print(json.dumps(figures))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(figures, file)


def read_npy(path, code):
    with open(path, "rb") as file:
        data = file.read()
    numbers = array.array(code)
    numbers.frombytes(data[10 + int.from_bytes(data[8:10], "little"):])
    return numbers


def command(texts, out, *arguments):
    dtype = [] if options.dtype == "int8" else ["--dtype", options.dtype]
    return [options.mien, "label", "--model", MODEL, *dtype, "--quiet", *arguments, texts, "-o", out]


def check_done(done, arguments):
    if done.returncode != 0:
        fail(f"{' '.join(arguments)}: exit code {done.returncode}: {done.stderr}")


def label(texts, ending, code, *arguments):
    out = os.path.join(work.name, "out" + ending)
    started = command(texts, out, *arguments)
    check_done(subprocess.run(started, capture_output=True, text=True, check=False), started)
    return read_npy(out, code)


def write(name, texts):
    path = os.path.join(work.name, name)
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(text + "\n" for text in texts)
    return path


def macro_f1(given, truth, n_labels):
    positives, support, both = [0] * n_labels, [0] * n_labels, [0] * n_labels
    for row, labels in enumerate(truth):
        for i in labels:
            support[i] += 1
        for i in range(n_labels):
            if given[row * n_labels + i]:
                positives[i] += 1
                both[i] += i in labels
    return sum(2 * both[i] / max(1, positives[i] + support[i]) for i in range(n_labels)) / n_labels


def compare_scores():
    shown = subprocess.run([options.mien, "inspect", "--json", MODEL], capture_output=True, check=True).stdout
    described = json.loads(shown)
    names, thresholds = described["labels"], list(array.array("f", described["thresholds"]))
    with open(os.path.join(GOEMOTIONS, "labels.txt"), encoding="utf-8") as file:
        order = [names.index(name) for name in file.read().split()]
    truth = [{order[int(number)] for number in row[1].split(",")} for row in rows]
    band, n = BANDS[options.dtype], len(names)
    cpu = label(TEXTS, ".npy", "f", "--device", "cpu")
    cuda = label(TEXTS, ".npy", "f", "--device", "cuda")
    words = label(TEXTS, ".bits", "I", "--device", "cuda")
    if len(cpu) != len(cuda) or len(cuda) != n * len(rows) or len(words) != len(rows):
        fail(f"expected {n * len(rows)} scores and {len(rows)} words, found {len(cuda)} and {len(words)}")
    wanted = [score > thresholds[i % n] for i, score in enumerate(cpu)]
    found = [score > thresholds[i % n] for i, score in enumerate(cuda)]
    off = max(abs(a - b) for a, b in zip(cpu, cuda))
    differing = [i for i in range(len(cpu)) if wanted[i] != found[i]]
    beyond = [i for i in differing if abs(cpu[i] - thresholds[i % n]) > band]
    f1 = macro_f1(wanted, truth, n), macro_f1(found, truth, n)
    figures.update(dtype=options.dtype, texts=len(rows), band=band, largest_difference=off,
                   labels_that_differ=len(differing), labels_beyond_band=len(beyond),
                   agreement=1 - len(differing) / len(cpu), macro_f1_cpu=f1[0], macro_f1_cuda=f1[1])
    for i, is_given in enumerate(found):
        if (words[i // n] >> i % n & 1) != is_given:
            fail(f"row {i // n}, {names[i % n]}: the label is {not is_given}, its score {cuda[i]!r}")
    if not off <= band:  # NaN too
        fail(f"scores: expected at most {band} between devices, found {off}")
    if beyond:
        fail(f"{len(beyond)} labels differ whose scores are not near to their thresholds")
    if figures["agreement"] < LEAST_AGREEMENT:
        fail(f"labels: expected {LEAST_AGREEMENT} of them to be equal, found {figures['agreement']}")
    if abs(f1[0] - f1[1]) > MOST_F1:
        fail(f"macro-F1: expected {f1[0]}, found {f1[1]}")


def compare_pieces():
    whole = label(TEXTS, ".npy", "f", "--device", "cuda")
    if label(TEXTS, ".npy", "f", "--device", "cuda", "--threads", "1") != whole:
        fail("one thread gives other bits")
    for cuts in ([1, 8, 100], [3, len(texts) // 2], [len(texts) - 1]):
        places = [0, *sorted(cuts), len(texts)]
        pieces = array.array("f")
        for first, last in zip(places, places[1:]):
            pieces += label(write("piece.txt", texts[first:last]), ".npy", "f", "--device", "cuda")
        if pieces.tobytes() != whole.tobytes():
            row = next(i for i, (a, b) in enumerate(zip(pieces, whole)) if a != b) * len(texts) // len(whole)
            fail(f"pieces cut at {cuts}: row {row} has other bits")
    figures.update(dtype=options.dtype, texts=len(texts), pieces_have_the_same_bits=True)


def compare_processes():
    alone = label(TEXTS, ".npy", "f", "--device", "cuda").tobytes()
    for _ in range(3):
        outs = [os.path.join(work.name, f"{name}.npy") for name in ("one", "other")]
        commands = [command(TEXTS, out, "--device", "cuda") for out in outs]
        started = [subprocess.Popen(one, stderr=subprocess.PIPE, text=True) for one in commands]
        for process, one in zip(started, commands):
            process.stderr = process.communicate()[1]
            check_done(process, one)
        for out in outs:
            if read_npy(out, "f").tobytes() != alone:
                fail("two processes on one device give other bits than one")
    figures.update(dtype=options.dtype, texts=len(texts), processes_have_the_same_bits=True)


def check_number():
    arguments = command(TEXTS, os.path.join(work.name, "none.npy"), "--device", "cuda:99")
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    figures.update(code=done.returncode, message=done.stderr.strip())
    if done.returncode != 4 or "cuda:99: expected a device from 0 to" not in done.stderr:
        fail(f"expected exit code 4 and the devices that there are, found {done.returncode}: {done.stderr}")


with open(os.path.join(GOEMOTIONS, "test.tsv"), encoding="utf-8") as lines:
    rows = [line.rstrip("\n").split("\t") for line in lines][:options.texts]
texts = [row[0] for row in rows]
TEXTS = write("texts.txt", texts)
{"scores": compare_scores, "pieces": compare_pieces, "two": compare_processes, "number": check_number}[options.part]()
tell()
