#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes what test_reference.c reads, from Hugging Face tokenizers: write_data.py FOLDER [TEXTS]

scalars.json: a digest of each block of code points, every scalar value in contexts and under options of the normalizer.
torture.json: texts with a digest of their ids; TEXTS is the JSON to take them from ({"texts": [[text, …], …]}), by
default the file itself.
"""
import json
import os
import sys

import compare

# Code points below have tokens in the vocabulary of the test, so that the ids show what becomes of them.
LETTERS = 0x30000
FORMS = ["{0}", "a{0}b", "x{0}", "a\u302e{0}\U0001d165{0}"]
VARIANTS = [{}, {"lowercase": False}, {"strip_accents": False}, {"strip_accents": True, "lowercase": False},
            {"clean_text": False}, {"handle_chinese_chars": False},
            {"clean_text": False, "handle_chinese_chars": False, "strip_accents": False, "lowercase": False}]


def digest(ids, state=0xCBF29CE484222325):
    """FNV-1a over 32-bit words."""
    for i in ids:
        state = (state ^ i) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return state


def letters():
    """The vocabulary of test_reference.c: special tokens, then each character and each as a continuation."""
    vocabulary = {token: i for i, token in enumerate(compare.SPECIALS)}
    for c in range(LETTERS):
        if not 0xD800 <= c < 0xE000:
            vocabulary[chr(c)] = len(compare.SPECIALS) + 2 * c
            vocabulary["##" + chr(c)] = len(compare.SPECIALS) + 2 * c + 1
    return vocabulary


def blocks():
    first = 0
    while first < 0x110000:
        count = 0x100 if first < LETTERS else 0x10000
        yield first, count
        first += count


def scalars():
    vocabulary = letters()
    tokenizers = [compare.reference(vocabulary, **options) for options in VARIANTS]
    rows = []
    for first, count in blocks():
        state = digest([])
        for tokenizer in tokenizers:
            characters = [chr(c) for c in range(first, first + count) if not 0xD800 <= c < 0xE000]
            texts = [form.format(c) for form in FORMS for c in characters]
            for encoding in tokenizer.encode_batch_fast(texts):
                state = digest(encoding.ids, state)
        rows.append([first, count, f"{state:016x}"])
    return rows


def write(path, key, rows):
    with open(path, "w", encoding="utf-8") as file:
        lines = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
        file.write(f'{{"{key}":[\n{lines}\n]}}\n')


def main():
    folder = sys.argv[1]
    torture = os.path.join(folder, "torture.json")
    with open(sys.argv[2] if len(sys.argv) > 2 else torture, encoding="utf-8") as file:
        texts = [row[0] for row in json.load(file)["texts"]]
    with open(os.path.join(folder, "vocab.txt"), encoding="utf-8", newline="\n") as file:
        tokenizer = compare.reference({line.rstrip("\n"): i for i, line in enumerate(file)})
    encodings = tokenizer.encode_batch_fast(texts)
    write(torture, "texts", [[text, f"{digest(e.ids):016x}"] for text, e in zip(texts, encodings)])
    write(os.path.join(folder, "scalars.json"), "blocks", scalars())


if __name__ == "__main__":
    main()
