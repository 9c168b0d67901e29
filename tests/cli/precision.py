# SPDX-License-Identifier: Apache-2.0
"""A real encoder in int8 and bf16, as packs: how large they are, how near their embeddings are to those of float32, what
that does to the head's F1, and that int8 has the same bits on every instruction set."""
import array
import json
import math
import os
import subprocess
import sys

# Bytes of an int8 pack with head and vocabulary, by the encoder's layers (384 numbers wide).
MOST_BYTES = {12: 35_000_000, 6: 24_000_000}
# dtype: least mean of the cosines, least of all, most that macro F1 may be away from float32's.
LIMITS = {"int8": (0.995, 0.985, 0.003), "bf16": (0.9995, 0.999, 0.003)}
FEW = 300  # texts that are embedded once more on every instruction set


def floats(path):
    with open(path, "rb") as file:
        data = file.read()
    numbers = array.array("f")
    numbers.frombytes(data[10 + int.from_bytes(data[8:10], "little"):])
    return numbers


def cosines(a, b, n):
    dim = len(a) // n
    for row in range(0, n * dim, dim):
        x, y = a[row:row + dim], b[row:row + dim]
        yield (math.fsum(p * q for p, q in zip(x, y)) /
               math.sqrt(math.fsum(p * p for p in x) * math.fsum(q * q for q in y)))


def fail(what, expected, found):
    sys.exit(f"{what}: expected {expected}, found {found}")


def check_same_bits(mien, pack, few, folder):
    isas = json.loads(subprocess.run([mien, "inspect", "--cpu", "--json"], check=True, capture_output=True).stdout)["isas"]
    found = {}
    for isa in (line["isa"] for line in isas if line["available"]):
        environment, found[isa] = {**os.environ, "MIEN_ISA": isa}, []
        for command in ("embed", "label"):
            out = os.path.join(folder, f"{isa}.npy")
            subprocess.run([mien, command, "--model", pack, "--quiet", few, "-o", out], check=True, env=environment)
            with open(out, "rb") as file:
                found[isa].append(file.read())
    for isa, results in found.items():
        for what, result, expected in zip(("embeddings", "scores"), results, found["portable"]):
            if result != expected:
                fail(f"int8 {what} on {isa}", "the bits of portable", "others")
    print(f"int8: the same bits of {FEW} embeddings and their scores on {', '.join(found)}")


def check(mien, head, encoder, texts, rows, folder, macro_f1):
    """`rows`: embeddings of `texts` in float32; macro_f1(rows): the head's, from a file of embeddings."""
    expected, reference = floats(rows), macro_f1(rows)
    with open(texts, encoding="utf-8") as lines:
        lines = lines.readlines()
    few = os.path.join(folder, "few.txt")
    with open(few, "w", encoding="utf-8") as file:
        file.writelines(lines[:FEW])
    for dtype, (least_mean, least, most_f1) in LIMITS.items():
        pack, out = os.path.join(folder, f"{dtype}.safetensors"), os.path.join(folder, f"{dtype}.npy")
        subprocess.run([mien, "pack", "--encoder", encoder, "--head", head, "--dtype", dtype, "--license", "test",
                        "--quiet", "-o", pack], check=True)
        subprocess.run([mien, "embed", "--model", pack, "--quiet", texts, "-o", out], check=True)
        layers = json.loads(subprocess.run([mien, "inspect", "--model", pack, "--json"], check=True,
                                           capture_output=True).stdout)["encoder"]["layers"]
        size, all_cosines, f1 = os.path.getsize(pack), list(cosines(floats(out), expected, len(lines))), macro_f1(out)
        mean = math.fsum(all_cosines) / len(all_cosines)
        if dtype == "int8" and size > MOST_BYTES.get(layers, math.inf):
            fail(f"{dtype}: bytes", f"at most {MOST_BYTES[layers]}", size)
        if mean < least_mean or min(all_cosines) < least:
            fail(f"{dtype}: cosines with float32", f"a mean of {least_mean}, none below {least}",
                 f"{mean:.6f} and {min(all_cosines):.6f}")
        if abs(f1 - reference) > most_f1:
            fail(f"{dtype}: macro F1", f"{reference:.4f} ± {most_f1}", f"{f1:.4f}")
        print(f"{dtype}: {size / 1e6:.1f} MB, cosines with float32 {mean:.5f} on average, {min(all_cosines):.5f} least; "
              f"macro F1 {f1:.4f}, in float32 {reference:.4f}")
        if dtype == "int8":
            check_same_bits(mien, pack, few, folder)
