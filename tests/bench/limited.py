# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime as it runs on processors without AVX-512: it has no setting for that and asks the processor itself, so it
runs in a process of its own from a copy whose cpuid instructions are answered by cpuid.c.

Two things could make its figures worthless, and LimitedRuntime.check looks for both: data in the code that reads as
cpuid and was patched, and features that the copy learns of in another way."""
import ctypes
import os
import pickle
import platform
import re
import shutil
import subprocess
import sys

from common import available_isas, cosines, seconds

HERE = os.path.dirname(os.path.abspath(__file__))
# Other float kernels round otherwise, and int8 exports that quantise activations as they come make more of it: 0.994 is
# seen. With itself in float32 such an export has 0.94 to 0.99.
LEAST_COSINE = 0.98
# A limit that hides nothing takes as long; one that hides AVX-512 or AVX-VNNI from int8 takes 1.4 to 2.6 times as long.
LEAST_RATIO = 1.2


def can_be_limited():
    return (platform.system() == "Linux" and platform.machine() == "x86_64" and shutil.which("objdump") is not None
            and shutil.which("cc") is not None)


def make_copy(package, out):
    """The package at `package`, patched, and cpuid.so into `out`."""
    copy = os.path.join(out, "onnxruntime")
    shutil.copytree(package, copy, ignore=shutil.ignore_patterns("__pycache__", "transformers", "tools", "quantization"))
    places = []
    for name in os.listdir(os.path.join(copy, "capi")):
        if ".so" in name:
            places += [f'{{"{name}", {address:#x}}},\n' for address in patch(os.path.join(copy, "capi", name))]
    if not places:
        raise RuntimeError(f"{package}: expected a library that asks for the processor's features, found none")
    with open(os.path.join(out, "places.inc"), "w", encoding="utf-8") as file:
        file.writelines(places)
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-I", out, os.path.join(HERE, "cpuid.c"), "-o",
                    os.path.join(out, "cpuid.so")], check=True)


def patch(path):
    """Every cpuid becomes ud2; their addresses. The program headers turn these into places in the file."""
    headers = subprocess.run(["objdump", "-p", path], check=True, capture_output=True, text=True).stdout
    loads = [tuple(int(number, 16) for number in found) for found in re.findall(
        r"LOAD off\s+(0x\w+) vaddr (0x\w+) .*\n\s+filesz (0x\w+)", headers)]
    if loads[0][:2] != (0, 0):
        raise RuntimeError(f"{path}: expected a library whose first segment is at 0, found {loads[0]}")
    with subprocess.Popen(["objdump", "-d", "--no-show-raw-insn", path], stdout=subprocess.PIPE, text=True) as code:
        addresses = [int(line.split(":")[0], 16) for line in code.stdout if line.rstrip().endswith("\tcpuid")]
    with open(path, "r+b") as file:
        for address in addresses:
            place, = [address - start + offset for offset, start, size in loads if start <= address < start + size]
            file.seek(place)
            assert file.read(2) == b"\x0f\xa2", (path, place)
            file.seek(place)
            file.write(b"\x0f\x0b")
    return addresses


class LimitedRuntime:
    """Runtime of runtime.py in a process that sees a lesser processor; `isa` is avx2 or avxvnni, `unlimited` one that
    was made of the same arguments and sees the processor as it is."""

    def __init__(self, isa, folder, unlimited, *arguments):
        self.isa, self.unlimited = isa, unlimited
        self.child = subprocess.Popen([sys.executable, os.path.join(HERE, "limited.py"), folder, isa],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.batch = 32
        self.ask(arguments)

    def ask(self, what):
        pickle.dump(what, self.child.stdin)
        self.child.stdin.flush()
        try:
            return pickle.load(self.child.stdout)
        except EOFError:
            raise RuntimeError(f"ONNX Runtime, {self.isa} at most: its process ended, status {self.child.wait()}") from None

    def embed(self, texts):
        return self.ask((self.batch, texts))

    def check(self, texts):
        """Fails where the copy computes something else, or has not been limited: where every bit is as without a limit,
        so that the kernels seem to be the same, and the best of five rounds takes about as long. Noise cannot make bits
        equal; where lesser kernels happen to have the same, it would have to hide what they cost in the best round."""
        self.batch = self.unlimited.batch = 32  # int8 depends on what else is in the batch
        ours, theirs = self.embed(texts), self.unlimited.embed(texts)
        least = cosines(ours, theirs).min()
        if not least >= LEAST_COSINE:
            raise RuntimeError(f"ONNX Runtime, {self.isa} at most: expected the unlimited one's embeddings (cosines of "
                               f"{LEAST_COSINE} or more), found {least:.6f}: its copy is broken")
        if available_isas()[0] == self.isa or (ours != theirs).any():
            return
        times = [(seconds(self.embed, texts), seconds(self.unlimited.embed, texts)) for _ in range(5)]
        ratio = min(limited for limited, _ in times) / min(unlimited for _, unlimited in times)
        if ratio < LEAST_RATIO:
            raise RuntimeError(f"ONNX Runtime, {self.isa} at most: expected other bits than the unlimited one's or "
                               f"{LEAST_RATIO} times its time or more, found the same bits in {ratio:.3f} times: no limit")

    def close(self):
        self.child.stdin.close()
        self.child.wait()


def serve(folder, isa):
    """The child: what `Runtime` is made of, then batch sizes with texts."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing else is to get between the answers
    library = ctypes.CDLL(os.path.join(folder, "cpuid.so"))
    if library.cpuid_limit(isa == "avxvnni") != 0:
        raise OSError("SIGILL cannot be caught")
    sys.path.insert(0, folder)
    from runtime import Runtime
    runtime = Runtime(*pickle.load(sys.stdin.buffer))
    if library.cpuid_answers() == 0:
        raise RuntimeError("ONNX Runtime did not ask for the processor's features: its speed is not that of a lesser one")
    answer = None
    while True:
        pickle.dump(answer, answers)
        answers.flush()
        try:
            runtime.batch, texts = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        answer = runtime.embed(texts)


if __name__ == "__main__":
    serve(*sys.argv[1:])
