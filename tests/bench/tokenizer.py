#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The tokenizer, side by side with Hugging Face tokenizers' encode_batch_fast, one thread each.

Every round times each contestant once, in turn, so that a machine's drift meets both; the ratio is taken round by round
and its median told, with the least and the greatest.
"""
import argparse
import json
import os
import statistics
import struct
import subprocess
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
import tokenizers  # noqa: E402: reads the environment

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Mien:
    """The driver, which keeps the texts in memory and times a pass over them for each line that it is sent."""

    def __init__(self, driver, path, texts):
        self.process = subprocess.Popen([driver, path, "time"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        frames = b"".join(struct.pack("=I", len(text)) + text for text in texts)
        self.process.stdin.write(frames + struct.pack("=I", 0xFFFFFFFF))

    def run(self):
        self.process.stdin.write(b"run\n")
        self.process.stdin.flush()
        seconds, n_ids = self.process.stdout.readline().split()
        return float(seconds), int(n_ids)


class Reference:
    def __init__(self, path, texts):
        self.tokenizer = tokenizers.Tokenizer.from_file(path)
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self.texts = [text.decode() for text in texts]

    def run(self):
        start = time.perf_counter()
        encodings = self.tokenizer.encode_batch_fast(self.texts)
        seconds = time.perf_counter() - start
        return seconds, sum(len(encoding.ids) for encoding in encodings)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizer")
    parser.add_argument("--driver", default=os.path.join(ROOT, "build/release/tests/tokenizer_driver"))
    parser.add_argument("--texts", nargs="+", default=[os.path.join(ROOT, "models/goemotions/test.tsv")])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    texts = []
    for path in arguments.texts:
        with open(path, "rb") as file:
            texts += [line.split(b"\t")[0] for line in file.read().split(b"\n") if line]
    megabytes = sum(map(len, texts)) / 1e6
    mien = Mien(arguments.driver, arguments.tokenizer, texts)
    reference = Reference(arguments.tokenizer, texts)
    rounds = [(mien.run(), reference.run()) for _ in range(arguments.rounds + 1)][1:]
    if any(ours[1] != theirs[1] for ours, theirs in rounds):
        raise SystemExit(f"the ids differ in number: {rounds[0][0][1]} and {rounds[0][1][1]}")
    ratios = [theirs[0] / ours[0] for ours, theirs in rounds]
    found = {"texts": len(texts), "megabytes": megabytes, "ids": rounds[0][0][1],
             "mien_mb_per_s": megabytes / min(ours[0] for ours, _ in rounds),
             "reference_mb_per_s": megabytes / min(theirs[0] for _, theirs in rounds),
             "reference": f"tokenizers {tokenizers.__version__} encode_batch_fast, one thread",
             "ratio_median": statistics.median(ratios), "ratio_least": min(ratios), "ratio_greatest": max(ratios)}
    if arguments.json:
        print(json.dumps(found))
        return
    print(f"{len(texts)} texts, {megabytes:.2f} MB, {found['ids']} ids; one thread each, best of {len(rounds)} rounds")
    print(f"  mien                 {found['mien_mb_per_s']:8.1f} MB/s")
    print(f"  {found['reference']}  {found['reference_mb_per_s']:8.1f} MB/s")
    print(f"  ratio {found['ratio_median']:.1f} ({found['ratio_least']:.1f} to {found['ratio_greatest']:.1f})")


if __name__ == "__main__":
    main()
