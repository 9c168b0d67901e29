#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A corpus on disk to labels on disk, beside the same texts in memory, and beside sentence-transformers; memory.

Texts are GoEmotions': the first half of a text's words and the second half of another's of as many words, none twice,
as JSON lines in one Zstandard file. Every round times each contestant once, in turn, as it runs (start to end of a
process for the command) and in seconds of all its processors, which other work on the machine moves less; ratios are
taken round by round, their median told with the least and the greatest.
"""
import argparse
import ctypes
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import zstandard

from common import MIEN, ROOT, Mien, Text, machine, measure, spread
from structures import Results

sys.path.append(os.path.join(ROOT, "tests/cli"))
import fixtures

GOEMOTIONS = os.path.join(ROOT, "models/goemotions")
PEER_CHUNK = 4096  # texts that sentence-transformers is given at once: it sorts them by length


# ---- Texts -----------------------------------------------------------------------------------------------------------


def goemotions():
    texts = []
    for split in ("train", "dev", "test"):
        with open(os.path.join(GOEMOTIONS, split + ".tsv"), encoding="utf-8", newline="\n") as lines:
            texts += [line.split("\t")[0] for line in lines]
    return list(dict.fromkeys(texts))


def recombined(n):
    """n texts of GoEmotions' lengths and words, none twice."""
    by_length = {}
    for text in goemotions():
        words = text.split()
        by_length.setdefault(len(words), []).append(words)
    numbers, made = random.Random(1), {}
    lengths = numbers.choices(list(by_length), [len(texts) for texts in by_length.values()], k=2 * n)
    for length in lengths:
        start, end = numbers.choice(by_length[length]), numbers.choice(by_length[length])
        made[" ".join(start[:length // 2] + end[length // 2:])] = None
        if len(made) == n:
            return list(made)
    raise SystemExit(f"corpus: {len(lengths)} draws made no more than {len(made)} different texts: use fewer --texts")


def write_corpus(path, texts):
    with zstandard.open(path, "wt", encoding="utf-8", newline="\n") as out:
        for number, text in enumerate(texts):
            out.write(json.dumps({"id": number, "text": text}, ensure_ascii=False) + "\n")


# ---- Contestants -----------------------------------------------------------------------------------------------------


class Command:
    """mien label, the whole process."""

    def __init__(self, name, model, corpus, out, threads, *arguments):
        self.name, self.n, self.stats, self.times, self.cpu, self.forward = name, 0, out + ".json", [], [], []
        self.command = [MIEN, "label", *model, corpus, "-o", out, "--quiet", "--threads", str(threads), "--stats", self.stats,
                        *arguments]

    def run(self):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        subprocess.run(self.command, check=True)
        self.times.append(time.perf_counter() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        with open(self.stats, encoding="utf-8") as file:
            stats = json.load(file)
        self.n, stages = stats["rows"], stats["stage_seconds"]
        self.forward.append((stages["tokenize"] + stages["forward"]) / sum(stages.values()))


class InMemory:
    """The library on texts that are in memory, to scores and labels."""

    name = "in memory"

    def __init__(self, pack, texts, threads):
        self.mien, self.n, self.times, self.cpu = Mien(pack, threads), len(texts), [], []
        self.encoded = [text.encode() for text in texts]
        self.texts = (Text * self.n)(*((text, len(text)) for text in self.encoded))
        n_labels = len(self.mien.describe()["labels"])
        self.words = (ctypes.c_uint32 * self.n)()
        self.scores = (ctypes.c_float * (self.n * n_labels))()
        self.results = Results(size=ctypes.sizeof(Results), words=ctypes.addressof(self.words),
                               scores=ctypes.addressof(self.scores))

    def run(self):
        cpu, start = time.process_time(), time.perf_counter()
        self.mien.check(self.mien.library.mien_label_texts(self.mien.session, self.texts, ctypes.c_size_t(self.n),
                                                           ctypes.byref(self.results), None))
        self.times.append(time.perf_counter() - start)
        self.cpu.append(time.process_time() - cpu)


class Peer:
    """What one writes with datasets, sentence-transformers and ONNX Runtime: rows from the file, embeddings, the head that
    mien has, labels as JSON lines in a Zstandard file. The model is open when the clock starts."""

    def __init__(self, name, encoder, head, corpus, out, threads, autocast):
        import onnxruntime
        import sentence_transformers
        import torch
        torch.set_num_threads(threads)
        self.torch, self.name, self.autocast, self.corpus, self.out = torch, name, autocast, corpus, out
        self.n, self.times, self.cpu = 0, [], []
        self.model = sentence_transformers.SentenceTransformer(encoder, device="cpu")
        self.head = onnxruntime.InferenceSession(os.path.join(head, "model.onnx"), providers=["CPUExecutionProvider"])
        with open(os.path.join(head, "thresholds.json"), encoding="utf-8") as file:
            self.thresholds = json.load(file)

    def label(self):
        import datasets
        self.n = 0
        rows = datasets.load_dataset("json", data_files=self.corpus, split="train", streaming=True)
        with zstandard.open(self.out, "wt", encoding="utf-8") as out:
            for chunk in rows.iter(batch_size=PEER_CHUNK):
                with self.torch.autocast("cpu", self.torch.bfloat16, enabled=self.autocast):
                    embeddings = self.model.encode(chunk["text"], batch_size=32, show_progress_bar=False)
                outputs = self.head.run(list(self.thresholds), {self.head.get_inputs()[0].name: embeddings.astype("float32")})
                for i, number in enumerate(chunk["id"]):
                    scores = {label: float(output[i, 1]) for label, output in zip(self.thresholds, outputs)}
                    labels = [label for label, score in scores.items() if score > self.thresholds[label]]
                    out.write(json.dumps({"row": self.n + i, "id": number, "labels": labels,
                                          "scores": [scores[label] for label in labels]}) + "\n")
                self.n += len(chunk["id"])

    def run(self):
        cpu, start = time.process_time(), time.perf_counter()
        self.label()
        self.times.append(time.perf_counter() - start)
        self.cpu.append(time.process_time() - cpu)


def compare(contestants, rounds, reference):
    """`reference`: whose rate the others' are divided by. Rates are of a text: contestants may have unlike numbers of them."""
    for _ in range(rounds):
        for contestant in contestants:
            contestant.run()
    print(f"\n| | texts | texts/s | of {reference.name}'s rate | the same, in processors' seconds | tokens and encoder, of workers' time |"
          "\n|---|---|---|---|---|---|")
    for c in contestants:
        scale = c.n / reference.n
        ratio = [scale * theirs / own for theirs, own in zip(reference.times, c.times)]
        cpu = [scale * theirs / own for theirs, own in zip(reference.cpu, c.cpu)]
        share = spread(c.forward, 3) if hasattr(c, "forward") else ""
        print(f"| {c.name} | {c.n} | {c.n / statistics.median(c.times):.0f} | {spread(ratio, 3)} | {spread(cpu, 3)} | {share} |",
              flush=True)


def first_byte(command, rounds=9):
    """From a process's start to its first byte of output."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            process.stdout.read(1)
            times.append(1000 * (time.perf_counter() - start))
            process.kill()
    return times


# ---- Memory ----------------------------------------------------------------------------------------------------------


def write_zeros(path, rows, columns):
    """An .npy file that takes no room."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}".ljust(117) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())
        file.truncate(file.tell() + 4 * rows * columns)


def write_repeated(path, texts, rows):
    """The texts again and again, a frame each time."""
    write_corpus(path, texts)
    with open(path, "rb") as file:
        frame = file.read()
    with open(path, "wb") as file:
        for _ in range(rows // len(texts)):
            file.write(frame)


def compare_memory(model, head, threads, sizes, scratch):
    path, few, many = os.path.join(scratch, "memory"), *sizes
    fixtures.write_files(scratch)
    small = [f"--{option}={os.path.join(scratch, name)}" for option, name in
             (("encoder", "encoder"), ("head", "texthead/model.onnx"), ("labels", "texthead/labels.txt"))]
    # A text that comes back after a million others is in no cache any more.
    different, repeated = recombined(min(few, 1_000_000)), recombined(min(few, 20_000))
    ways = [
        ("texts, .jsonl.zst to jsonl.zst, all but 20,000 duplicates", ".jsonl.zst", "jsonl.zst",
         lambda rows: write_repeated(path + ".jsonl.zst", repeated, rows), model),
        ("texts, .jsonl.zst to jsonl.zst, all different, an encoder of 2 layers of 32", ".jsonl.zst", "jsonl.zst",
         lambda rows: write_repeated(path + ".jsonl.zst", different, rows), small),
        ("embeddings of 384, .npy to bits", ".npy", "bits",
         lambda rows: write_zeros(path + ".npy", rows, 384), ["--head", head]),
    ]
    print(f"\n| largest resident memory, MiB | {few:,} rows | {many:,} rows | rows/s of these |\n|---|---|---|---|")
    for title, ending, form, write, command in ways:
        resident = []
        for rows in sizes:
            write(rows)
            arguments = [path + ending, "--output-format", form, "--quiet", "--threads", str(threads), "-o", "/dev/null"]
            times, memory = measure([MIEN, "label", *command, *arguments], 1)
            resident.append(memory)
        os.remove(path + ending)
        print(f"| {title} | {resident[0]:.1f} | {resident[1]:.1f} | {many / times[0]:.0f} |", flush=True)


# ---- All -------------------------------------------------------------------------------------------------------------


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--encoder", required=True, help="a sentence-transformers folder, as mien pull makes it")
    parser.add_argument("--texts", type=int, default=1_000_000, help="how many (default: 1000000)")
    parser.add_argument("--peer-texts", type=int, default=2_000, help="how many of them for peers (default: 2000)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rows", type=int, nargs=2, default=[1_000_000, 50_000_000], help="of what memory is measured on")
    parser.add_argument("--parts", nargs="+", default=["speed", "peers", "memory"], choices=["speed", "peers", "memory"])
    options = parser.parse_args()
    head = os.path.join(ROOT, "models/heads", os.path.basename(options.encoder.rstrip("/")))
    with tempfile.TemporaryDirectory(dir=os.path.join(ROOT, "build")) as scratch:
        corpus, out, pack = (os.path.join(scratch, name) for name in ("corpus.jsonl.zst", "out.jsonl.zst", "int8.safetensors"))
        subprocess.run([MIEN, "pack", "--encoder", options.encoder, "--head", head, "--dtype", "int8", "-o", pack, "--quiet"],
                       check=True)
        packed, plain = ["--model", pack], ["--encoder", options.encoder, "--head", head]
        rest = (corpus, out, options.threads)
        print(f"{machine()}, {options.threads} threads, load {os.getloadavg()[0]:.1f} at the start")
        if "speed" in options.parts:
            texts = recombined(options.texts)
            write_corpus(corpus, texts)
            print(f"{len(texts)} texts, {os.path.getsize(corpus) / 1e6:.1f} MB compressed, {options.rounds} rounds, int8")
            memory = InMemory(pack, texts, options.threads)
            commands = [Command("mien label", packed, *rest), Command("mien label --no-cache", packed, *rest, "--no-cache")]
            compare([memory, *commands], options.rounds, memory)
            first = [MIEN, "label", *packed, corpus, "--threads", str(options.threads)]
            print(f"\nFrom the command's start to its first byte: {spread(first_byte(first), 0)} ms")
        if "peers" in options.parts:
            write_corpus(corpus, recombined(options.peer_texts))
            ours = [Command("mien label, int8", packed, *rest), Command("mien label, bf16", plain, *rest, "--dtype", "bf16"),
                    Command("mien label, f32", plain, *rest, "--dtype", "f32")]
            peers = [Peer(f"sentence-transformers, {dtype}", options.encoder, head, *rest, dtype != "f32")
                     for dtype in ("f32", "bf16 autocast")]
            for peer in peers:
                peer.label()
            compare([*ours, *peers], options.rounds, peers[0])
        if "memory" in options.parts:
            compare_memory(packed, head, options.threads, options.rows, scratch)


if __name__ == "__main__":
    main()
