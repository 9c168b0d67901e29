#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mien bench on an emulated CUDA device: every line, with every field that --help names: bench.py MIEN SOURCE_DIR

MIEN lies beside the emulated library. Times there mean nothing: what is looked at is what is measured."""
import json
import os
import re
import subprocess
import sys

MIEN, SOURCE = sys.argv[1], sys.argv[2]
PACKS = os.path.join(SOURCE, "tests/data/pack")
HEAD = os.path.join(SOURCE, "models/heads/all-MiniLM-L6-v2")
BYTES, OPERATIONS = ["copy", "read", "link"], ["fma_f32", "mma_bf16", "mma_f16", "cublas_bf16", "cublas_f16"]
PRODUCTS = ["pass", "submit", "query_key_value", "attention_output", "up", "down"]
REST = ["embed", "attention", "norm", "pool"]


def run(*arguments, code=0, devices="1"):
    environment = dict(os.environ, MIEN_SHIM_DEVICES=devices)
    done = subprocess.run([MIEN, "bench", *arguments], capture_output=True, text=True, env=environment, check=False)
    if done.returncode != code:
        sys.exit(f"{' '.join(arguments)}: expected exit code {code}, found {done.returncode}: {done.stderr}")
    return done


def expect(what, found, expected):
    if found != expected:
        sys.exit(f"{what}: expected {expected}, found {found}")


def names(text):
    """Of a list in the help: names, without what stands in parentheses."""
    return {name.strip() for name in re.sub(r"\([^)]*\)", "", text).split(",") if name.strip()}


def documented():
    """The fields of a line and of the whole, of each subject, as --help has them."""
    text = " ".join(run("--help").stdout.split("On a CUDA device everything")[1].split())
    both = re.search(r"both: roofs \[\{[^}]*\}\], ([a-z_, ]*?) names of roofs", text)[1]
    fields = {}
    for subject in ("head", "encoder"):
        line, whole = re.search(subject + r": results \[\{(.*?)\}\], ([a-z_, ]*?) (?:encoder|both):", text).groups()
        fields[subject] = names(line), names(whole) | names(both) | {"results", "roofs"}
    return fields


FIELDS = documented()


def bench(subject, *arguments):
    found = json.loads(run(subject, "--device", "cuda", "--json", "--seconds", "0", *arguments).stdout)
    of_line, of_whole = FIELDS[subject]
    expect(f"{subject}: fields", set(found), of_whole)
    for line in found["results"]:
        expect(f"{subject}: fields of a line", set(line), of_line)
    for names_, unit in ((BYTES, "gb_per_s"), (OPERATIONS, "tflop_per_s")):
        expect(f"roofs in {unit}", [roof["name"] for roof in found["roofs"] if unit in roof], names_)
    expect("device", [found[key] for key in ("device", "name", "isa")], ["cuda:0", "Emulated GPU", "sm_90"])
    for line in found["results"]:
        limits = BYTES + OPERATIONS
        if line["us"] <= 0 or line["limit"] not in limits or line["roof"] < 0:
            sys.exit(f"{subject}: a line with a time and a roof was expected, found {line}")
    return found


def check_head(arguments, labels, dim, ways):
    found = bench("head", "--rows", "50", *arguments)
    expect("head", [found[key] for key in ("labels", "dim", "rows")], [labels, dim, 50])
    lines = [tuple(line[key] for key in ("dtype", "part", "way", "output")) for line in found["results"]]
    dtypes, outputs = ("f32", "f16", "bf16"), ("words", "scores")
    wanted = [(dtype, "device", way, output) for way in ways for dtype in dtypes for output in outputs]
    wanted += [(dtype, "host", ways[0], output) for dtype in dtypes for output in outputs]
    expect("lines of the head", sorted(lines), sorted(wanted))
    for line in found["results"]:
        expect(f"{line}: taken by itself", line["by_itself"], line["way"] == ways[0])


def check_encoder(pack, dtype, ways):
    found = bench("encoder", "--encoder", os.path.join(PACKS, pack + ".safetensors"), "--dtype", dtype, "--tokens", "3")
    expect("encoder", [found["texts"], found["tokens"]], [64, 192])
    lines = [tuple(line[key] for key in ("dtype", "part", "way")) for line in found["results"]]
    wanted = [(dtype, part, way) for way in ways for part in PRODUCTS] + [(dtype, part, "") for part in REST]
    expect(f"lines of {dtype}", sorted(lines), sorted(wanted))
    for line in found["results"]:
        expect(f"{line}: taken by itself", line["by_itself"], line["way"] in ("", ways[0]))


check_head((), 28, 384, ["own", "cublas"])
check_head(("--head", HEAD), 28, 384, ["own", "cublas"])
check_encoder("f32", "f32", ["cublas"])
check_encoder("f32", "bf16x3", ["own"])
check_encoder("f32", "bf16", ["own", "cublas"])
check_encoder("f16", "f16", ["own", "cublas"])
check_encoder("int8", "int8", ["own", "cublas"])

# The table has a line for each.
table = run("head", "--device", "cuda:0", "--rows", "50", "--seconds", "0").stdout
for part in ("Emulated GPU", "50 rows of 384 numbers, 28 labels", "own* words", "cublas  scores", "% of", "TFLOP/s"):
    if part not in table:
        sys.exit(f"the table of the head: expected {part!r} in\n{table}")
pack = os.path.join(PACKS, "f16.safetensors")
table = run("encoder", "--device", "cuda", "--encoder", pack, "--tokens", "3", "--seconds", "0").stdout
for part in PRODUCTS + REST + BYTES + OPERATIONS:
    if not re.search(rf"\b{part}\b", table):
        sys.exit(f"the table of the encoder: expected {part!r} in\n{table}")

# What can't be measured is said.
for arguments, code, devices, part in (
    (["--device", "cuda"], 4, "0", "no NVIDIA device"),
    (["--device", "cuda:2"], 4, "2", "cuda:2: expected a device from 0 to 1"),
    (["--device", "cuda:all"], 2, "1", "expected cpu, cuda or cuda:N"),
):
    done = run("head", "--rows", "5", *arguments, code=code, devices=devices)
    if part not in done.stderr or done.stdout:
        sys.exit(f"{arguments}: expected {part!r}, found {done.stderr}{done.stdout}")
print("every line of bench is measured on the emulated device")
