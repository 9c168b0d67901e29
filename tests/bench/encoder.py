#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The encoder, side by side with ONNX Runtime and sentence-transformers in one process: texts to embeddings.

Every contestant starts from the same list of strings and ends with a float32 array; tokenising is part of it. ONNX Runtime
(on the same weights, tokens by Hugging Face tokenizers) and sentence-transformers get the texts sorted by length and
padded within batches of the size that is best for each in this run. Every round times each of them once, in turn; ratios
are taken round by round, their median told with the least and the greatest.
"""
import argparse
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
from onnx import numpy_helper
from safetensors.numpy import save_file
from tokenizers import Tokenizer

from common import MIEN, ROOT, Mien, machine, seconds, spread


class Runtime:
    """ONNX Runtime on an export of the encoder: tokens, transformer, pooling, normalisation."""

    def __init__(self, model, tokenizer, threads, pooling, max_tokens):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.names = {given.name for given in self.session.get_inputs()}
        self.tokenizer = Tokenizer.from_file(tokenizer)
        self.tokenizer.enable_truncation(max_tokens)
        self.tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")
        self.pooling, self.batch = pooling, 32

    def embed(self, texts):
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        out = None
        for first in range(0, len(order), self.batch):
            rows = order[first:first + self.batch]
            tokens = self.tokenizer.encode_batch_fast([texts[i] for i in rows])
            ids = numpy.array([t.ids for t in tokens], numpy.int64)
            mask = numpy.array([t.attention_mask for t in tokens], numpy.int64)
            feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": numpy.zeros_like(ids)}
            x = self.session.run(None, {name: feed[name] for name in self.names})[0]
            if self.pooling == "cls":
                pooled = x[:, 0]
            else:
                weights = mask[:, :, None].astype(numpy.float32)
                pooled = (x * weights).sum(1) / weights.sum(1)
            if out is None:
                out = numpy.empty((len(texts), pooled.shape[1]), numpy.float32)
            out[rows] = pooled / numpy.linalg.norm(pooled, axis=1, keepdims=True)
        return out


class SentenceTransformers:
    def __init__(self, folder, threads):
        torch.set_num_threads(threads)
        self.model = sentence_transformers.SentenceTransformer(folder, device="cpu")
        self.batch = 32

    def embed(self, texts):
        return self.model.encode(texts, batch_size=self.batch, show_progress_bar=False)


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


def find_batch(peer, texts):
    timed = []
    for peer.batch in (4, 8, 16, 32, 64, 128):
        timed.append((seconds(peer.embed, texts), peer.batch))
    peer.batch = min(timed)[1]


def cosines(a, b):
    a, b = a.astype(numpy.float64), b.astype(numpy.float64)
    return (a * b).sum(1) / numpy.linalg.norm(a, axis=1) / numpy.linalg.norm(b, axis=1)


def compare(options, folder, texts, threads):
    is_onnx = os.path.exists(os.path.join(options.encoder, "model.onnx"))
    ours = Mien(threads=threads, encoder=options.encoder)
    description, contestants = ours.describe()["encoder"], {"mien": ours}
    if is_onnx:
        contestants["ONNX Runtime"] = Runtime(os.path.join(options.encoder, "model.onnx"),
                                              os.path.join(options.encoder, "tokenizer.json"), threads,
                                              description["pooling"], description["max_tokens"])
    contestants["sentence-transformers"] = SentenceTransformers(folder, threads)
    for name, contestant in contestants.items():
        contestant.embed(texts[:16])
        if name != "mien":
            find_batch(contestant, texts[:256])
    times = {name: [] for name in contestants}
    embeddings = {}
    for _ in range(options.rounds):
        for name, contestant in contestants.items():
            start = time.perf_counter()
            embeddings[name] = contestant.embed(texts)
            times[name].append(time.perf_counter() - start)
    print(f"\n| {description['layers']} layers, {threads} thread(s) | texts/s | mien, times as fast: median (least–greatest)"
          " | least cosine with mien | batch |\n|---|---|---|---|---|")
    for name in contestants:
        rate = len(texts) / statistics.median(times[name])
        ratios = [theirs / mine for theirs, mine in zip(times[name], times["mien"])]
        cosine = cosines(embeddings[name], embeddings["mien"]).min()
        batch = getattr(contestants[name], "batch", "")
        print(f"| {name} | {rate:.1f} | {spread(ratios)} | {cosine:.9f} | {batch} |", flush=True)
    ours.close()


def one_text(options, rounds=15):
    """A process from start to end that labels one short text, its files in the page cache."""
    command = [MIEN, "embed", "--encoder", options.encoder, "--quiet", "--threads", "1"]
    with tempfile.TemporaryDirectory() as folder:
        text = os.path.join(folder, "one.txt")
        with open(text, "w", encoding="utf-8") as file:
            file.write("thank you so much!\n")
        command += [text, "-o", os.path.join(folder, "one.npy")]
        times = [seconds(lambda: subprocess.run(command, check=True)) for _ in range(rounds)]
    print(f"\nOne short text, whole process: {1000 * min(times):.0f} ms least, {1000 * statistics.median(times):.0f} ms "
          f"median of {rounds}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--encoder", required=True, help="a folder, as mien pull makes it")
    parser.add_argument("--texts", type=int, default=512, help="how many of GoEmotions' test texts (default: 512)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, len(os.sched_getaffinity(0))])
    options = parser.parse_args()
    with open(os.path.join(ROOT, "models/goemotions/test.tsv"), encoding="utf-8") as lines:
        texts = [line.split("\t", 1)[0] for line in lines]
    random.Random(1).shuffle(texts)
    with tempfile.TemporaryDirectory() as scratch:
        is_onnx = os.path.exists(os.path.join(options.encoder, "model.onnx"))
        folder = torch_folder(options.encoder, os.path.join(scratch, "encoder")) if is_onnx else options.encoder
        for threads in options.threads:
            compare(options, folder, texts[:options.texts], threads)
    print(f"\n{machine()}; ONNX Runtime {onnxruntime.__version__}, sentence-transformers "
          f"{sentence_transformers.__version__} with torch {torch.__version__}; {options.texts} texts, {options.rounds} "
          "rounds.")
    one_text(options)


if __name__ == "__main__":
    main()
