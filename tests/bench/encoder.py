#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The encoder in every dtype, side by side with ONNX Runtime and sentence-transformers: texts to embeddings.

Every contestant starts from the same list of strings and ends with a float32 array; tokenising is part of it. ONNX
Runtime (tokens by Hugging Face tokenizers) and sentence-transformers get the texts sorted by length and padded within
batches of the size that is best for each in this run. Every round times each of them once, in turn; ratios are taken round
by round, their median told with the least and the greatest. Cosines are those with sentence-transformers in float32.
"""
import argparse
import contextlib
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time

import numpy
import onnx
import onnxruntime
import sentence_transformers
import torch
import transformers
from onnx import numpy_helper
from safetensors.numpy import save_file

from common import MIEN, ROOT, Mien, available_isas, cosines, machine, measure, seconds, spread
from limited import LimitedRuntime, can_be_limited, make_copy
from runtime import Runtime

transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
GOEMOTIONS = os.path.join(ROOT, "models/goemotions")
REFERENCE = "sentence-transformers", "f32"
# Instruction sets that int8 is measured on below the best, where the machine has them.
LESSER = ("avx512vnni", "avxvnni", "avx2", "neon")


class SentenceTransformers:
    def __init__(self, folder, threads, autocast=False):
        torch.set_num_threads(threads)
        self.model = sentence_transformers.SentenceTransformer(folder, device="cpu")
        self.autocast, self.batch = autocast, 32

    def embed(self, texts):
        with torch.autocast("cpu", torch.bfloat16) if self.autocast else contextlib.nullcontext():
            return self.model.encode(texts, batch_size=self.batch, show_progress_bar=False).astype(numpy.float32)

    def close(self):
        pass


class Contestant:
    def __init__(self, name, dtype, isa, runner):
        self.name, self.dtype, self.isa, self.runner = name, dtype, isa, runner
        self.is_ours, self.times, self.embeddings = name == "mien", [], None

    def title(self):
        return f"{self.name} {self.dtype}" + (f", {self.isa}" if self.isa else "")

    def rate(self):
        return len(self.embeddings) / statistics.median(self.times)

    def run(self, texts):
        start = time.perf_counter()
        self.embeddings = self.runner.embed(texts)
        self.times.append(time.perf_counter() - start)


class Encoder:
    """What is measured: mien's folder, a folder that torch reads, and exports for ONNX Runtime by dtype."""

    def __init__(self, folder, exports, scratch):
        self.folder, self.name = folder, os.path.basename(folder.rstrip("/"))
        self.tokenizer = os.path.join(folder, "tokenizer.json")
        self.exports = [tuple(export.split("=", 1)) for export in exports]
        own = os.path.join(folder, "model.onnx")
        self.torch = folder
        if os.path.exists(own):
            self.exports.insert(0, ("f32", own))
            self.torch = torch_folder(folder, os.path.join(scratch, self.name))


def torch_folder(encoder, out):
    """An ONNX encoder's weights as the sentence-transformers folder that torch reads: a bias has its name, and the matrix
    before the Add of it is the weight."""
    model = onnx.load(os.path.join(encoder, "model.onnx"))
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    used_by = {name: node for node in model.graph.node for name in node.input}
    weights = {name: value for name, value in values.items() if value.dtype == numpy.float32 and "." in name
               and not name.startswith("onnx::")}
    for node in model.graph.node:
        if node.op_type == "MatMul" and node.input[1] in values:
            bias = next(name for name in used_by[node.output[0]].input if name != node.output[0])
            weights[bias.removesuffix("bias") + "weight"] = numpy.ascontiguousarray(values[node.input[1]].T)
    shutil.copytree(encoder, out, ignore=shutil.ignore_patterns("model.onnx"))
    save_file(weights, os.path.join(out, "model.safetensors"), metadata={"format": "pt"})
    return out


# ---- Contestants ----------------------------------------------------------------------------------------------------


def ours(encoder, dtypes, threads, lesser=LESSER):
    """Each dtype on the best instruction set, and int8 on the lesser ones that have code of their own."""
    made = []
    for dtype in dtypes:
        for isa in (None, *(lesser if dtype == "int8" else ())):
            if isa and isa not in available_isas():
                continue
            runner = Mien(threads=threads, encoder=encoder.folder, dtype=dtype, isa=isa)
            is_there = any((other.dtype, other.isa) == (dtype, runner.isa) for other in made)
            # Where there are no tiles, bf16x3 is f32.
            if is_there or (isa and runner.isa != isa) or (dtype == "bf16x3" and runner.isa != "amx"):
                runner.close()
                continue
            made.append(Contestant("mien", dtype, runner.isa, runner))
    return made


def peers(encoder, threads, description, limited):
    made = []
    int8 = [path for dtype, path in encoder.exports if dtype == "int8"]
    for dtype, path in encoder.exports:
        arguments = path, encoder.tokenizer, threads, description["pooling"], description["max_tokens"]
        title = f"{dtype} ({os.path.basename(os.path.dirname(path))})" if path in int8[1:] else dtype
        runtime = Runtime(*arguments)
        made.append(Contestant("ONNX Runtime", title, "", runtime))
        for isa in ("avxvnni", "avx2"):
            if limited and path == (int8 or [None])[0] and isa in available_isas():
                lesser = LimitedRuntime(isa, limited, runtime, *arguments)
                made.append(Contestant("ONNX Runtime", title, f"{isa} at most", lesser))
    made.append(Contestant(*REFERENCE, "", SentenceTransformers(encoder.torch, threads)))
    made.append(Contestant(REFERENCE[0], "bf16 autocast", "", SentenceTransformers(encoder.torch, threads, True)))
    return made


def find_batch(peer, texts):
    timed = []
    for peer.batch in (4, 8, 16, 32, 64):
        timed.append((seconds(peer.embed, texts), peer.batch))
    peer.batch = min(timed)[1]


def compare(options, encoder, texts, threads, limited):
    os.environ["TOKENIZERS_PARALLELISM"] = "true" if threads > 1 else "false"
    contestants = ours(encoder, options.dtypes, threads)
    description = contestants[0].runner.describe()["encoder"]
    contestants += peers(encoder, threads, description, limited)
    for contestant in contestants:
        contestant.runner.embed(texts[:16])
        if isinstance(contestant.runner, LimitedRuntime):
            contestant.runner.check(texts)
    for contestant in contestants:
        if not contestant.is_ours:
            find_batch(contestant.runner, texts[:256])
    for _ in range(options.rounds):
        for contestant in contestants:
            contestant.run(texts)
    title = f"{encoder.name}, {description['layers']} layers, {threads} thread{'s' if threads > 1 else ''}"
    print_rates(title, contestants)
    print_ratios(contestants)
    for contestant in contestants:
        contestant.runner.close()


def print_rates(title, contestants):
    reference = next(c for c in contestants if (c.name, c.dtype) == REFERENCE)
    print(f"\n| {title} | dtype | instruction set | texts/s | cosine, mean | least | batch |\n|---|---|---|---|---|---|---|")
    for c in contestants:
        found = cosines(c.embeddings, reference.embeddings)
        print(f"| {c.name} | {c.dtype} | {c.isa} | {c.rate():.1f} | {found.mean():.7f} | {found.min():.7f} "
              f"| {getattr(c.runner, 'batch', '')} |", flush=True)


def print_ratios(contestants):
    rows = [c for c in contestants if c.is_ours]
    columns = [c for c in contestants if not c.is_ours]
    titles = " | ".join(c.title() for c in columns)
    print(f"\n| mien, times as fast as | {titles} |\n|---{'|---' * len(columns)}|")
    for row in rows:
        ratios = (spread([theirs / mine for theirs, mine in zip(c.times, row.times)]) for c in columns)
        print(f"| {row.dtype}, {row.isa} | " + " | ".join(ratios) + " |", flush=True)


# ---- Labels ---------------------------------------------------------------------------------------------------------


def macro_f1(words, labels, truth):
    """Of bits in the order of `labels`; truth is a set of label names a row."""
    figures = []
    for number, label in enumerate(labels):
        given = words[:, number // 32] >> (number % 32) & 1 == 1
        wanted = numpy.array([label in row for row in truth])
        figures.append(2 * (given & wanted).sum() / max(1, given.sum() + wanted.sum()))
    return float(numpy.mean(figures))


def compare_labels(options, encoder, texts, truth):
    """The whole test split through the head that mien ships, with its thresholds."""
    head = os.path.join(ROOT, "models/heads", encoder.name)
    if not os.path.isdir(head):
        return
    threads = len(os.sched_getaffinity(0))
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    contestants = ours(encoder, options.dtypes, threads, lesser=())  # int8 has the same bits on all
    description = contestants[0].runner.describe()["encoder"]
    contestants += peers(encoder, threads, description, None)
    reference = next(c for c in contestants if (c.name, c.dtype) == REFERENCE)
    labeller = Mien(head, threads)
    names = labeller.describe()["labels"]
    reference.run(texts)
    print(f"\n| {encoder.name}, {len(texts)} texts | dtype | instruction set | macro-F1 | less {REFERENCE[0]} f32 | labels "
          "that differ | cosine, mean | least |\n|---|---|---|---|---|---|---|---|")
    expected = labeller.words(reference.embeddings)
    expected_f1 = macro_f1(expected, names, truth)
    for c in contestants:
        if c is not reference:
            c.run(texts)
        words, found = labeller.words(c.embeddings), cosines(c.embeddings, reference.embeddings)
        f1 = macro_f1(words, names, truth)
        n_other = int(sum(bin(bits).count("1") for bits in (words ^ expected).ravel().tolist()))
        print(f"| {c.name} | {c.dtype} | {c.isa} | {f1:.4f} | {f1 - expected_f1:+.4f} | {n_other} | {found.mean():.7f} "
              f"| {found.min():.7f} |", flush=True)
        c.runner.close()
    labeller.close()


# ---- One text -------------------------------------------------------------------------------------------------------

def one_text(encoder, dtype, scratch, rounds=15):
    """A process from start to end that labels one short text, its files in the page cache."""
    text, out = os.path.join(scratch, "one.txt"), os.path.join(scratch, "one.jsonl")
    with open(text, "w", encoding="utf-8") as file:
        file.write("thank you so much!\n")
    head = os.path.join(ROOT, "models/heads", encoder.name)
    models = [("folder", ["--encoder", encoder.folder, "--head", head], None)]
    pack = os.path.join(scratch, f"{encoder.name}.safetensors")
    subprocess.run([MIEN, "pack", *models[0][1], "--dtype", dtype, "-o", pack, "--quiet"], check=True,
                   stderr=subprocess.DEVNULL)
    models.append(("pack", ["--model", pack], os.path.getsize(pack)))
    for kind, arguments, size in models:
        command = [MIEN, "label", *arguments, "--dtype", dtype, "--threads", "1", "--quiet", text, "-o", out]
        times, resident = measure(command, rounds)
        print(f"| {encoder.name} | {kind}, {dtype} | {f'{size / 1e6:.1f} MB' if size else ''} "
              f"| {1000 * statistics.median(times):.1f} ms | {1000 * min(times):.1f} ms | {resident:.1f} MiB |", flush=True)


# ---- All ------------------------------------------------------------------------------------------------------------


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--encoder", required=True, nargs="+", action="append", metavar=("FOLDER", "DTYPE=ONNX"),
                        help="a folder, as mien pull makes it, and exports of it for ONNX Runtime (f32=…, int8=…, its "
                        "fastest int8 first); may be repeated")
    parser.add_argument("--texts", type=int, default=512, help="how many of GoEmotions' test texts (default: 512)")
    parser.add_argument("--labelled", type=int, help="how many of them are labelled for macro-F1 (default: all)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({1, len(os.sched_getaffinity(0))}))
    parser.add_argument("--dtypes", nargs="+", default=["f32", "bf16x3", "bf16", "int8"])
    parser.add_argument("--parts", nargs="+", default=["speed", "labels", "cold"], choices=["speed", "labels", "cold"])
    options = parser.parse_args()
    labels = open(os.path.join(GOEMOTIONS, "labels.txt"), encoding="utf-8").read().split()
    with open(os.path.join(GOEMOTIONS, "test.tsv"), encoding="utf-8") as lines:
        rows = [line.rstrip("\n").split("\t") for line in lines]
    random.Random(1).shuffle(rows)
    texts = [row[0] for row in rows]
    truth = [{labels[int(number)] for number in row[1].split(",")} for row in rows]
    with tempfile.TemporaryDirectory() as scratch:
        encoders = [Encoder(folder, exports, scratch) for folder, *exports in options.encoder]
        limited = None
        if "speed" in options.parts and can_be_limited():
            limited = scratch
            make_copy(os.path.dirname(onnxruntime.__file__), scratch)
        for encoder in encoders if "speed" in options.parts else ():
            for threads in options.threads:
                compare(options, encoder, texts[:options.texts], threads, limited)
        for encoder in encoders if "labels" in options.parts else ():
            compare_labels(options, encoder, texts[:options.labelled], truth[:options.labelled])
        if "cold" in options.parts:
            print("\n| one short text, whole process, one thread | from | size | median of 15 | least | resident memory |\n"
                  "|---|---|---|---|---|---|")
            for encoder in encoders:
                for dtype in options.dtypes:
                    if dtype != "bf16x3":  # which packs do not have, and which starts as f32 does
                        one_text(encoder, dtype, scratch)
    print(f"\n{machine()}; ONNX Runtime {onnxruntime.__version__}, sentence-transformers "
          f"{sentence_transformers.__version__} with torch {torch.__version__}; {min(options.texts, len(texts))} texts, "
          f"{options.rounds} rounds.")


if __name__ == "__main__":
    main()
