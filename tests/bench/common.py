# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: mien's library called from Python, timing, and the machine's name."""
import contextlib
import ctypes
import json
import os
import platform
import statistics
import subprocess
import sys
import time

import numpy

from structures import Options, Results, Rows

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build/release")
MIEN = os.path.join(BUILD, "mien")


# mien_dtype, of those that encoders run in.
DTYPES = {"f32": 0, "f16": 1, "bf16": 3, "bf16x3": 4, "int8": 5}


class ModelOptions(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("thresholds_path", ctypes.c_char_p), ("thresholds_json", ctypes.c_char_p),
                ("thresholds_json_bytes", ctypes.c_size_t), ("threshold", ctypes.c_void_p),
                ("overrides", ctypes.c_void_p), ("n_overrides", ctypes.c_size_t), ("labels_path", ctypes.c_char_p),
                ("encoder_path", ctypes.c_char_p), ("max_tokens", ctypes.c_uint32), ("dtype", ctypes.c_void_p)]


class Text(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_char_p), ("size", ctypes.c_size_t)]


def pointer(array):
    return array.ctypes.data if array is not None else None


@contextlib.contextmanager
def environment(name, value):
    """C code sees it too. None changes nothing."""
    before = os.environ.get(name)
    try:
        if value is not None:
            os.environ[name] = value
        yield
    finally:
        if value is not None and before is None:
            del os.environ[name]
        elif value is not None:
            os.environ[name] = before


class Mien:
    """The library, called as a C program calls it: a head, an encoder, or both; on the instruction set `isa`, which
    None leaves to the environment."""

    def __init__(self, head=None, threads=1, encoder=None, dtype=None, isa=None):
        self.library = ctypes.CDLL(os.path.join(BUILD, "src/libmien.so"))
        self.library.mien_model_label_count.restype = ctypes.c_size_t
        self.library.mien_model_dim.restype = ctypes.c_size_t
        self.library.mien_model_describe.restype = ctypes.c_char_p
        self.library.mien_session_isa.restype = ctypes.c_char_p
        self.model, self.session = ctypes.c_void_p(), ctypes.c_void_p()
        model_options = ModelOptions(size=ctypes.sizeof(ModelOptions), encoder_path=encoder and encoder.encode())
        if dtype:
            number = ctypes.c_int32(DTYPES[dtype])
            model_options.dtype = ctypes.addressof(number)
        start = time.perf_counter()
        self.check(self.library.mien_model_open(head and head.encode(), ctypes.byref(model_options),
                                                ctypes.byref(self.model), None))
        self.open_s = time.perf_counter() - start
        options = Options(size=ctypes.sizeof(Options), threads=threads)
        with environment("MIEN_ISA", isa):
            self.check(self.library.mien_session_create(self.model, ctypes.byref(options), ctypes.byref(self.session),
                                                        None))
        self.isa = self.library.mien_session_isa(self.session).decode()

    @staticmethod
    def check(status):
        if status != 0:
            raise RuntimeError(f"mien: status {status}")

    def describe(self):
        return json.loads(self.library.mien_model_describe(self.model))

    def label(self, rows, words=None, scores=None):
        given = Rows(ctypes.sizeof(Rows), rows.ctypes.data, 0, rows.shape[1])
        results = Results(size=ctypes.sizeof(Results), words=pointer(words), scores=pointer(scores))
        self.check(self.library.mien_label_embeddings(self.session, ctypes.byref(given), ctypes.c_size_t(len(rows)),
                                                      ctypes.byref(results), None))

    def words(self, rows):
        """The labels of embeddings: bits, in the order of describe()["labels"]."""
        words = numpy.zeros((len(rows), (self.library.mien_model_label_count(self.model) + 31) // 32), numpy.uint32)
        self.label(rows, words)
        return words

    def embed(self, texts):
        encoded = [text.encode() for text in texts]
        given = (Text * len(encoded))(*((text, len(text)) for text in encoded))
        embeddings = numpy.empty((len(texts), self.library.mien_model_dim(self.model)), numpy.float32)
        results = Results(size=ctypes.sizeof(Results), embeddings=pointer(embeddings))
        self.check(self.library.mien_embed_texts(self.session, given, ctypes.c_size_t(len(encoded)),
                                                 ctypes.byref(results), None))
        return embeddings

    def close(self):
        self.library.mien_session_destroy(self.session)
        self.library.mien_model_release(self.model)


def available_isas():
    """The instruction sets of this machine that MIEN_ISA may name, the best first."""
    shown = subprocess.run([MIEN, "inspect", "--cpu", "--json"], check=True, capture_output=True).stdout
    return [isa["isa"] for isa in json.loads(shown)["isas"] if isa["available"]][::-1]


def seconds(call, *arguments):
    start = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - start


# Starts a command and tells its seconds and its largest resident memory. A process of its own, and a small one: what a
# process had before it becomes another counts for that one.
MEASURE = """
import os, sys, time
start = time.perf_counter()
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
seconds = time.perf_counter() - start
print(status, seconds, usage.ru_maxrss)
"""


def measure(command, rounds):
    times, resident = [], 0
    for _ in range(rounds):
        shown = subprocess.run([sys.executable, "-I", "-S", "-c", MEASURE, *command], check=True, capture_output=True).stdout
        status, took, kibibytes = shown.split()
        if int(status) != 0:
            raise RuntimeError(f"{command}: status {status}")
        times.append(float(took))
        resident = max(resident, int(kibibytes))
    return times, resident / 1024


def cosines(a, b):
    a, b = a.astype(numpy.float64), b.astype(numpy.float64)
    return (a * b).sum(1) / numpy.linalg.norm(a, axis=1) / numpy.linalg.norm(b, axis=1)


def spread(values, digits=2):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    return f"{model}, {len(os.sched_getaffinity(0))} CPUs, {platform.system()} {platform.machine()}"
