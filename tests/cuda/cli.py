#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The command on an emulated CUDA device gives what it gives on the CPU: cli.py MIEN SOURCE_DIR

MIEN lies beside the emulated library. Small packs of every dtype, a shipped one on a few words, embeddings in pieces,
several devices, and what is said where there is none."""
import json
import os
import struct
import subprocess
import sys
import tempfile

MIEN, SOURCE = sys.argv[1], sys.argv[2]
PACKS = os.path.join(SOURCE, "tests/data/pack")
HEAD = os.path.join(SOURCE, "models/heads/all-MiniLM-L6-v2")
TEXTS = ["a b c", "", "b b", "the end of it", "c", "a a a a a a a"] * 30
# A score on the device may be this far from the CPU's, by what the encoder runs in.
BANDS = {"f32": 2e-6, "bf16x3": 2e-5, "bf16": 8e-3, "f16": 2e-3, "int8": 2e-2}


def run(*arguments, code=0, devices="1"):
    environment = dict(os.environ, MIEN_SHIM_DEVICES=devices)
    done = subprocess.run([MIEN, *arguments], capture_output=True, text=True, env=environment, check=False)
    if done.returncode != code:
        sys.exit(f"{' '.join(arguments)}: expected exit code {code}, found {done.returncode}: {done.stderr}")
    return done


def rows(output):
    return [json.loads(line) for line in output.stdout.splitlines()]


def compare(what, found, expected, band):
    if len(found) != len(expected):
        sys.exit(f"{what}: expected {len(expected)} rows, found {len(found)}")
    for row, (one, other) in enumerate(zip(found, expected)):
        off = max(abs(a - b) for a, b in zip(one["all_scores"], other["all_scores"]))
        if off > band or one.get("truncated") != other.get("truncated"):
            sys.exit(f"{what}, row {row}: expected {other}, found {one}, off by {off}")


def label(*arguments, **options):
    return rows(run("label", "--quiet", "--scores", "all", "--output-format", "jsonl", *arguments, **options))


with tempfile.TemporaryDirectory() as folder:
    texts = os.path.join(folder, "texts.txt")
    with open(texts, "w", encoding="utf-8") as file:
        file.writelines(text + "\n" for text in TEXTS)

    for pack, dtype in (("f32", "f32"), ("f32", "bf16x3"), ("f32", "bf16"), ("f16", "f16"), ("int8", "int8")):
        options = ("--model", os.path.join(PACKS, pack + ".safetensors"), "--dtype", dtype, texts)
        compare(f"{pack} in {dtype}", label("--device", "cuda", *options), label(*options), BANDS[dtype])

    # The same bits, however the work is split.
    model = ("--model", os.path.join(PACKS, "f16.safetensors"), texts)
    one = label("--device", "cuda", "--threads", "1", *model)
    for split in (("--device", "cuda:0", "--threads", "5"), ("--device", "cuda:all", "--threads", "4")):
        if label(*split, *model, devices="3") != one:
            sys.exit(f"{split}: other results than on one device by one thread")
    embeddings = []
    for device in ("cuda", "cpu"):
        path = os.path.join(folder, device + ".npy")
        run("embed", "--quiet", "--device", device, "--encoder", os.path.join(PACKS, "bf16.safetensors"), texts, "-o", path)
        with open(path, "rb") as file:
            data = file.read()
        embeddings.append(struct.unpack(f"<{len(TEXTS) * 16}f", data[-len(TEXTS) * 64:]))
    if max(abs(a - b) for a, b in zip(*embeddings)) > 1e-2:
        sys.exit("embed: other embeddings than the CPU's")

    # A shipped model on real words.
    words = os.path.join(folder, "words.txt")
    with open(words, "w", encoding="utf-8") as file:
        file.write("Thank you so much, I love it!\nThis is terrible.\n")
    shipped = ("--model", os.path.join(SOURCE, "models/goemotions-tiny"), words)
    on_device, on_cpu = label("--device", "cuda", *shipped), label(*shipped)
    compare("goemotions-tiny", on_device, on_cpu, BANDS["int8"])
    if [row["labels"] for row in on_device] != [row["labels"] for row in on_cpu]:
        sys.exit(f"goemotions-tiny: expected {on_cpu}, found {on_device}")

    # Embeddings: some pieces of them, and rows that are not finite.
    n, dim = 3000, 384
    numbers = [((i * 7919) % 2003 - 1001) / 20000 for i in range(n * dim)]
    numbers[5 * dim] = float("nan")
    numbers[2999 * dim + 383] = float("inf")
    path = os.path.join(folder, "rows.f32")
    with open(path, "wb") as file:
        file.write(struct.pack(f"<{n * dim}f", *numbers))
    options = ("--head", HEAD, "--input-format", "f32", path)
    on_device, on_cpu = label("--device", "cuda", *options), label(*options)
    bad = [row["row"] for row in on_device if "error" in row]
    if bad != [5, 2999] or bad != [row["row"] for row in on_cpu if "error" in row]:
        sys.exit(f"rows that are not finite: expected 5 and 2999, found {bad}")
    good = [[row for row in all_rows if "error" not in row] for all_rows in (on_device, on_cpu)]
    compare("embeddings", *good, 2e-6)

    # What is missing is said, and no output is left.
    target = os.path.join(folder, "none.jsonl")
    for devices, ordinal, part in (("0", "cuda", "no NVIDIA device"), ("-1", "cuda:all", "no NVIDIA driver"),
                                   ("2", "cuda:2", "cuda:2: expected a device from 0 to 1")):
        done = run("label", "--device", ordinal, *model, "-o", target, code=4, devices=devices)
        if part not in done.stderr or os.path.exists(target):
            sys.exit(f"{devices} devices, {ordinal}: expected \"{part}\", found {done.stderr}")
print("the emulated device agrees with the CPU")
