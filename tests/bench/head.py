#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The head, side by side with ONNX Runtime in one process: real rows repeated, rows in memory to labels.

Every round times each contestant once, in turn, so that a machine's drift meets all of them; the ratio is taken round by
round and its median told, with the least and the greatest. ONNX Runtime's best batch size is searched first.
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from common import MIEN, ROOT, Mien, machine, seconds, spread


def folded_graph(path):
    """The head as the least work for a runtime: one Gemm and one Sigmoid."""
    model = onnx.load(path)
    weights, bias, names = [], [], [output.name for output in model.graph.output]
    made_by = {output: node for node in model.graph.node for output in node.output}
    for name in names:
        node = made_by[name]
        while node.op_type != "LinearClassifier":
            node = made_by[node.input[0]]
        values = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        rows = numpy.array(values["coefficients"], numpy.float32).reshape(len(values["intercepts"]), -1)
        weights.append(rows[-1])
        bias.append(values["intercepts"][-1])
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["z"]), helper.make_node("Sigmoid", ["z"], ["p"])], "folded",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", rows.shape[1]])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["N", len(names)])],
        [numpy_helper.from_array(numpy.ascontiguousarray(numpy.stack(weights).T), "w"),
         numpy_helper.from_array(numpy.array(bias, numpy.float32), "b")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString(), names


class Runtime:
    """ONNX Runtime to labels: a boolean a row and label, as its users compare with thresholds."""

    def __init__(self, model, threads, thresholds, folded):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name
        self.thresholds, self.folded, self.batch = thresholds, folded, 1024

    def label(self, rows, compare=True):
        labels = []
        for first in range(0, len(rows), self.batch):
            outputs = self.session.run(None, {self.input: rows[first:first + self.batch]})
            if compare and self.folded:
                labels.append(outputs[0] > self.thresholds)
            elif compare:
                labels.append([output[:, 1] > t for output, t in zip(outputs, self.thresholds)])
        return labels

    def find_batch(self, rows, sizes):
        timed = []
        for self.batch in sizes:
            self.label(rows)
            timed.append((min(seconds(self.label, rows) for _ in range(3)), self.batch))
        self.batch = min(timed)[1]

    def scores(self, rows):
        outputs = self.session.run(None, {self.input: rows})
        return outputs[0] if self.folded else numpy.stack([output[:, 1] for output in outputs], 1)


def command_rate(arguments, rows, out):
    def run():
        subprocess.run([MIEN, "label", "--quiet", *arguments, "-o", out], check=True)
    run()
    return rows / min(seconds(run) for _ in range(3))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--head", default=os.path.join(ROOT, "models/heads/all-MiniLM-L6-v2"))
    parser.add_argument("--embeddings", default=os.path.join(ROOT, "tests/data/heads/all-MiniLM-L6-v2/test.embeddings.npy"))
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    head = os.path.join(arguments.head, "model.onnx")
    real = numpy.load(arguments.embeddings)
    rows = numpy.ascontiguousarray(numpy.resize(real, (arguments.rows, real.shape[1])))
    folded, names = folded_graph(head)
    stored = json.load(open(os.path.join(arguments.head, "thresholds.json")))
    thresholds = numpy.array([stored[name] for name in names], numpy.float32)
    words = numpy.zeros(len(rows), numpy.uint32)
    scores = numpy.zeros((len(rows), len(names)), numpy.float32)
    cpus = len(os.sched_getaffinity(0))

    print(f"machine: {machine()}")
    print(f"peers: ONNX Runtime {onnxruntime.__version__}, numpy {numpy.__version__}")
    print(f"rows: {len(rows)} of {rows.shape[1]} float32 ({rows.nbytes / 1e9:.2f} GB), {len(names)} labels\n")
    for threads in sorted({1, cpus}):
        mien = Mien(head, threads)
        original = Runtime(head, threads, thresholds, False)
        gemm = Runtime(folded, threads, thresholds, True)
        original.find_batch(rows[:16384], (256, 1024, 4096))
        gemm.find_batch(rows[:262144], (64, 256, 1024, 4096, 16384, 65536))
        slow_rows = rows[:131072]
        times = {name: [] for name in ("words", "scores", "original", "folded", "folded, scores only")}
        for _ in range(arguments.rounds):
            times["words"].append(seconds(mien.label, rows, words) / len(rows))
            times["folded"].append(seconds(gemm.label, rows) / len(rows))
            times["original"].append(seconds(original.label, slow_rows) / len(slow_rows))
            times["scores"].append(seconds(mien.label, rows, words, scores) / len(rows))
            times["folded, scores only"].append(seconds(gemm.label, rows, False) / len(rows))
        ratio = {name: [peer / own for peer, own in zip(times[name], times["words"])] for name in times}
        print(f"{threads} thread(s), {mien.isa}; ONNX Runtime's best batch: original {original.batch}, folded {gemm.batch}")
        for name, label in (("words", "mien, labels"), ("scores", "mien, labels and all scores"),
                            ("folded", "ONNX Runtime, Gemm + Sigmoid, compared in numpy"),
                            ("folded, scores only", "ONNX Runtime, Gemm + Sigmoid, no comparison"),
                            ("original", "ONNX Runtime, the original graph, compared in numpy")):
            print(f"  {label:52} {1 / statistics.median(times[name]) / 1e6:7.2f} M rows/s   "
                  f"mien's labels are {spread(ratio[name]):>22} x as fast")
        both = [peer / own for peer, own in zip(times["folded, scores only"], times["scores"])]
        print(f"  all scores: mien against Gemm + Sigmoid {spread(both)} x\n")
        if threads == 1:
            found = original.scores(real)
            mien.label(real, words, scores)
            own = scores[:len(real)]
            near = numpy.abs(found - thresholds) <= 2e-6
            bits = (words[:len(real), None] >> numpy.arange(len(names), dtype=numpy.uint32)) & 1
            print(f"scores: largest difference from ONNX Runtime {numpy.abs(own - found).max():.2e}; labels that differ "
                  f"farther than 2e-6 from a threshold: {int(((bits == 1) != (found > thresholds))[~near].sum())}\n")
        mien.close()

    with tempfile.TemporaryDirectory(dir=os.path.join(ROOT, "build")) as folder:
        source, out = os.path.join(folder, "rows.npy"), os.path.join(folder, "out.bits")
        numpy.save(source, rows)
        for threads in sorted({1, cpus}):
            mien = Mien(head, threads)
            memory = len(rows) / min(seconds(mien.label, rows, words) for _ in range(5))
            mien.close()
            file = command_rate(["--head", head, "--threads", str(threads), source], len(rows), out)
            print(f".npy in page cache to a bits file, {threads} thread(s): {file / 1e6:.2f} M rows/s, whole process, "
                  f"{file / memory:.0%} of in-memory {memory / 1e6:.2f}")
    opened = []
    for _ in range(50):
        mien = Mien(head, 1)
        opened.append(mien.open_s * 1e3)
        mien.close()
    print(f"opening the head: {spread(opened)} ms")


main()
