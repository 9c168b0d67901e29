#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mien clean on small made-up data: what it finds, what it leaves, and what it refuses.

clean.py MIEN"""
import json
import os
import struct
import subprocess
import sys
import tempfile

MIEN = os.path.abspath(sys.argv[1])
work = tempfile.TemporaryDirectory()
os.chdir(work.name)

TRAIN = ("Thank you!\tgratitude\ta\n"
         "so sad today\tsadness\tb\n"
         "thank  YOU!\tgratitude\tc\n"
         "So sad today\tjoy\td\n"
         "the quick brown fox jumps over the lazy dog near the river bank\tneutral\te\n"
         "the quick brown fox jumps over the lazy dog near the river bank.\tneutral\tf\n"
         "seen before\tjoy\tg\n"
         "something else\tjoy,sadness\th\n")


def write(name, text):
    with open(name, "w", encoding="utf8", newline="") as file:
        file.write(text)


def run(*arguments, code=0, says=""):
    done = subprocess.run([MIEN, "clean", *arguments], capture_output=True, text=True)
    if done.returncode != code or says not in done.stderr:
        sys.exit(f"{arguments}: expected exit code {code} and '{says}', found {done.returncode}: {done.stderr}")
    return done.stderr


def expect(found, expected, what):
    if found != expected:
        sys.exit(f"{what}: expected {expected!r}, found {found!r}")


def findings():
    return [json.loads(line) for line in open("report.jsonl", encoding="utf8")]


def rows_of(kind):
    return [[row["row"] for row in finding["rows"]] for finding in findings() if finding["kind"] == kind]


def without(text, *lines):
    return "".join(line for at, line in enumerate(text.splitlines(keepends=True)) if at not in lines)


write("train.tsv", TRAIN)
write("test.tsv", "seen before\tjoy\tx\nthank you!\tjoy\ty\n")
summary = run("--data", "train.tsv", "-o", "out.tsv", "--report", "report.jsonl", says="8 rows, 1 dropped")
expect(open("out.tsv", encoding="utf8").read(), without(TRAIN, 2), "rows that are left")
expect(rows_of("duplicate"), [[0, 2]], "duplicates")
expect(rows_of("conflict"), [[1, 3]], "conflicts")
expect(rows_of("near_duplicate"), [[4, 5]], "near duplicates")
expect(open("train.tsv", encoding="utf8").read(), TRAIN, "the input")

run("--data", "train.tsv", "--against", "test.tsv", "-o", "out.tsv", "--report", "report.jsonl", "--conflicts", "drop",
    "--near-duplicates", "first", says="3 rows held out (1 held-out texts verbatim, 1 with the same labels)")
expect(open("out.tsv", encoding="utf8").read(), without(TRAIN, 0, 1, 2, 3, 5, 6), "rows that are left")
expect([(f["rows"][0]["row"], f["rows"][1]["row"], f["same_labels"]) for f in findings() if f["kind"] == "held_out"],
       [(0, 1, False), (2, 1, False), (6, 0, True)], "rows held out")
# Held-out data may have labels that the data has not.
write("more.tsv", "seen before\tlove\tx\nso sad today\tlove,sadness\ty\n")
run("--data", "train.tsv", "--against", "more.tsv", "--report", "report.jsonl",
    says="3 rows held out (2 held-out texts verbatim, 0 with the same labels)")
expect([f["rows"][1]["labels"] for f in findings() if f["kind"] == "held_out"],
       [["love", "sadness"], ["love", "sadness"], ["love"]], "labels of rows held out")
# Numbers mean there what they mean here.
os.mkdir("numbered"), os.mkdir("elsewhere")
write("numbered/labels.txt", "joy\nsadness\n")
write("numbered/train.tsv", "a\t1\nb\t0\n")
write("elsewhere/test.tsv", "a\tsadness\n")
write("elsewhere/other.tsv", "b\t0\n")
run("--data", "numbered/train.tsv", "--against", "elsewhere/test.tsv", "--against", "elsewhere/other.tsv", "--report",
    "report.jsonl", says="(2 held-out texts verbatim, 2 with the same labels)")

# Of near texts all rows but the first's go, and the first is one that is left.
fox = "the quick brown fox jumps over the lazy dog near the river bank"
write("near.tsv", f"{fox}\tjoy\n{fox}.\tjoy\n{fox}.\tsadness\n{fox}!\tjoy\n")
near = open("near.tsv", encoding="utf8").read()
for options, left, action in [((), without(near, 1, 2, 3), "first kept"),
                              (("--conflicts", "drop"), without(near, 1, 2, 3), "first kept"),
                              (("--against", "fox.tsv"), without(near, 0, 3), "some kept"),
                              (("--against", "fox.tsv", "--conflicts", "drop"), without(near, 0, 1, 2), "some kept")]:
    write("fox.tsv", f"{fox}\tjoy\n")
    run("--data", "near.tsv", "-o", "out.tsv", "--report", "report.jsonl", "--near-duplicates", "first", *options)
    expect(open("out.tsv", encoding="utf8").read(), left, f"near rows that are left by {options}")
    expect([f["action"] for f in findings() if f["kind"] == "near_duplicate"], [action], "what became of them")
    lines = near.splitlines(keepends=True)
    for finding in findings():
        for row in finding["rows"]:
            if "file" not in row:
                expect(row["dropped"], lines[row["row"]] not in left, "whether a row was dropped")

expect(subprocess.run([MIEN, "clean", "--data", "train.tsv", "-o", "-", "-q"], capture_output=True, text=True).stdout,
       without(TRAIN, 2), "stdout")
expect(subprocess.run([MIEN, "clean", "--data", "train.tsv", "--report", "-", "-q"], capture_output=True,
                      text=True).stdout.count('"kind"'), 3, "findings on stdout")
run("--data", "train.tsv", "-o", "out.tsv", "--duplicates", "keep", "--near", "0", "-q")
expect(open("out.tsv", encoding="utf8").read(), TRAIN, "rows that are left")

# Other forms, copied byte for byte: a header, quotes over lines, no end of the last line.
csv = 'id,labels,text\r\n1,joy,"two\r\nlines"\r\n2,joy,"TWO lines"\r\n3,sadness,x'
write("data.csv", csv)
run("--data", "data.csv", "-o", "out.csv", "-q")
expect(open("out.csv", encoding="utf8", newline="").read(),
       'id,labels,text\r\n1,joy,"two\r\nlines"\r\n3,sadness,x', "csv")
write("data.jsonl", '{"text":"a","labels":["joy"]}\n\n{"labels":["joy"],"text":"A"}\n{"text":"b","labels":[]}\n')
run("--data", "data.jsonl", "-o", "out.jsonl", "-q")
expect(open("out.jsonl", encoding="utf8").read(),
       '{"text":"a","labels":["joy"]}\n\n{"text":"b","labels":[]}\n', "jsonl")


def write_npy(name, rows):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({len(rows)}, {len(rows[0])}), }}"
    header += " " * (117 - len(header)) + "\n"
    with open(name, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
        for row in rows:
            file.write(struct.pack(f"<{len(row)}f", *row))


# A label that its scores speak against; columns are gratitude, joy, neutral, sadness.
scores = [[.9, .1, .1, .1], [.1, .1, .1, .9], [.9, .1, .1, .1], [.1, .05, .1, .9], [.1, .1, .9, .1], [.1, .1, .9, .1],
          [.1, .9, .1, .1], [.1, .9, .1, .9]]
write_npy("scores.npy", scores)
run("--data", "train.tsv", "-o", "out.tsv", "--report", "report.jsonl", "--scores", "scores.npy", "--errors", "drop",
    "--duplicates", "keep", says="2 likely label errors")
expect([(f["label"], f["is_given"], f["rows"][0]["row"]) for f in findings() if f["kind"] == "label_error"],
       [("joy", True, 3), ("sadness", False, 3)], "label errors")
expect(open("out.tsv", encoding="utf8").read(), without(TRAIN, 3), "rows that are left")
write_npy("x.npy", [[.1 * i, -.2 * i] for i in range(8)])
first = run("--data", "train.tsv", "--report", "report.jsonl", "--embeddings", "x.npy", "--folds", "2", "--threads", "1")
before = open("report.jsonl", encoding="utf8").read()
expect(run("--data", "train.tsv", "--report", "report.jsonl", "--embeddings", "x.npy", "--folds", "2", "--threads", "2"),
       first, "two threads")
expect(open("report.jsonl", encoding="utf8").read(), before, "the report by two threads")

# Nothing is written where something is wrong.
os.remove("out.tsv")
run("--data", "train.tsv", "-o", "train.tsv", code=2, says="train.tsv: the output is the same file as the input")
run("--data", "train.tsv", "--report", "train.tsv", code=2, says="the same file")
run("--data", "train.tsv", "-o", "out.tsv", "--report", "out.tsv", code=2, says="the same file")
run("--data", "train.tsv", code=2, says="expected -o FILE")
run("-o", "out.tsv", code=2, says="expected --data FILE")
run("--data", "-", "-o", "out.tsv", code=2, says="expected a file")
run("--data", "train.tsv", "-o", "out.tsv", "--near", "0.4", code=2, says="above 0.5")
run("--data", "train.tsv", "-o", "out.tsv", "--errors", "drop", code=2, says="expected --scores")
run("--data", "train.tsv", "-o", "out.tsv", "--report", "./out.tsv", code=2, says="the same file")
run("--data", "train.tsv", "-o", "-", "--report", "-", code=2, says="the same file")
run("--data", "train.tsv", "-o", "out.tsv", "--against", "./train.tsv", code=2, says="is the data itself")
run("--data", "train.tsv", "-o", "out.tsv", "--near", "0", "--near", "0.9", code=2, says="'--near' is given twice")
run("--data", "train.tsv", "-o", "out.tsv", "--folds", "3", code=2, says="are for --embeddings")
run("--data", "train.tsv", "-o", "out.tsv", "--scores", "scores.npy", "--embeddings", "x.npy", code=2,
    says="expected one of them")
# With embeddings too it is texts that are compared.
write("named.csv", "sentence,labels\n" + "a,joy\n" * 8)
run("--data", "named.csv", "-o", "out.tsv", "--embeddings", "x.npy", code=3, says="expected a column 'text'")
with open("none.npy", "wb") as file:
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (8, 0), }" + " " * 10 + "\n"
    file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
run("--data", "train.tsv", "-o", "out.tsv", "--embeddings", "none.npy", code=3, says="at least one number")
write_npy("huge.npy", [[1e30, -1e30 * i] for i in range(8)])
run("--data", "train.tsv", "-o", "out.tsv", "--embeddings", "huge.npy", code=3, says="too large")
if os.path.exists("/dev/full"):
    run("--data", "train.tsv", "-o", "/dev/full", code=4, says="cannot be written")
    run("--data", "train.tsv", "-o", "out.tsv", "--report", "/dev/full", code=4, says="cannot be written")
write_npy("short.npy", scores[:7])
run("--data", "train.tsv", "-o", "out.tsv", "--scores", "short.npy", code=3, says="expected 8 rows, found 7")
write_npy("nan.npy", [[float("nan")] * 4] + scores[1:])
run("--data", "train.tsv", "-o", "out.tsv", "--scores", "nan.npy", code=3, says="row 0, column 0")
write("bad.tsv", "a\tjoy\n" + "b\n")
run("--data", "bad.tsv", "-o", "out.tsv", code=3, says="bad.tsv:2: expected 2 fields, found 1")
write("empty.tsv", "")
run("--data", "empty.tsv", "-o", "out.tsv", code=3, says="expected rows with labels, found none")
run("--data", "train.tsv", "--against", "bad.tsv", "-o", "out.tsv", code=3, says="bad.tsv:2")
run("--data", "train.tsv", "--against", "gone.tsv", "-o", "out.tsv", "--report", "gone.jsonl", code=3, says="gone.tsv")
run("--data", "train.tsv", "-o", "nowhere/out.tsv", code=4, says="nowhere")
expect(sorted(name for name in os.listdir(".") if "gone" in name or "out.tsv" in name or "mien" in name), [],
       "files left behind")
write("one.tsv", "a\tjoy\n")
run("--data", "one.tsv", "-o", "out.tsv", says="1 rows, 0 dropped")
write("same.tsv", "a\tjoy\n" * 5)
run("--data", "same.tsv", "-o", "out.tsv", says="5 rows, 4 dropped")
print("cleaned, reported and refused as expected")
