#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The module of relaxed SIMD in wasmtime: relaxed.py MODULES MODEL MIEN

Where the dot product has exact sums (wasmtime's deterministic mode, whose second side has a sign) scores have the bits of
the native command; elsewhere (its other mode, which saturates on x86) the module says that it is of no use.
"""
import os
import struct
import subprocess
import sys
import tempfile

import wasmtime

TEXTS = 48
INEXACT = 0xFFFFFFFF  # -1


class Core:
    def __init__(self, path, deterministic):
        config = wasmtime.Config()
        config.wasm_relaxed_simd = True
        config.wasm_relaxed_simd_deterministic = deterministic
        engine = wasmtime.Engine(config)
        self.store = wasmtime.Store(engine)
        self.exports = wasmtime.Instance(self.store, wasmtime.Module.from_file(engine, path), []).exports(self.store)
        self.call("_initialize")

    def call(self, name, *arguments):
        result = self.exports[name](self.store, *arguments)
        return None if result is None else result & 0xFFFFFFFF

    def put(self, data):
        at = self.call("mien_take", len(data))
        self.exports["memory"].write(self.store, data, at)
        return at

    def read(self, at, size):
        return bytes(self.exports["memory"].read(self.store, at, at + size))

    def scores(self, pack, texts):
        model = self.call("mien_open", self.put(pack), len(pack), 0, 0, 0)
        assert model, "the model was not opened"
        table = self.put(b"".join(struct.pack("<II", self.put(text), len(text)) for text in texts))
        size = 4 * len(texts) * 28
        scores, status = self.put(bytes(size)), self.put(bytes(len(texts)))
        code = self.call("mien_run_texts", model, table, len(texts), 0, 28, scores, status)
        isa = self.call("mien_isa_of", model)
        return code, self.read(scores, size), self.read(isa, 16).split(b"\0")[0].decode()


def native_scores(mien, model, texts):
    with tempfile.TemporaryDirectory() as folder:
        given, found = os.path.join(folder, "texts.txt"), os.path.join(folder, "scores.npy")
        with open(given, "wb") as file:
            file.write(b"\n".join(texts) + b"\n")
        subprocess.run([mien, "label", "--model", model, given, "--quiet", "-o", found], check=True)
        with open(found, "rb") as file:
            return file.read()[-4 * len(texts) * 28 :]


def main():
    modules, model, mien = sys.argv[1:]
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    with open(os.path.join(root, "models/goemotions/test.tsv"), "rb") as file:
        texts = [line.split(b"\t")[0] for line in file.read().splitlines()[:TEXTS]]
    with open(model, "rb") as file:
        pack = file.read()
    expected = native_scores(mien, model, texts)
    for name, deterministic, isa in (("mien", True, "simd128"), ("mien-relaxed", True, "relaxed"),
                                     ("mien-relaxed", False, "relaxed")):
        core = Core(os.path.join(modules, f"{name}.wasm"), deterministic)
        is_exact = core.call("mien_check") == 0
        code, scores, found = core.scores(pack, texts)
        what = f"{name}.wasm, {'' if deterministic else 'not '}deterministic"
        assert found == isa, f"{what}: expected {isa}, found {found}"
        if is_exact:
            assert code == 0 and scores == expected, f"{what}: other scores than the native command's"
            print(f"{what}: {TEXTS} texts, the native command's bits")
        else:
            assert not deterministic, f"{what}: the check failed"
            assert code == INEXACT, f"{what}: expected {INEXACT}, found {code}"
            print(f"{what}: refused")


main()
