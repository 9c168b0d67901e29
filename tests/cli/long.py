# SPDX-License-Identifier: Apache-2.0
"""Equal texts, which are run once, and the same output with and without.

long.py COMMAND [TEST...]"""

import os
import random
import re
import subprocess
import sys
import tempfile
import unittest

import fixtures

MIEN = ""
MODEL = ["--encoder", "encoder", "--head", "texthead/model.onnx", "--labels", "texthead/labels.txt"]
SECONDS = 120


class Runs(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = self.temporary.name
        fixtures.write_files(self.folder)

    def tearDown(self):
        self.temporary.cleanup()

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "wb") as file:
            file.write(text)

    def read(self, name):
        with open(os.path.join(self.folder, name), "rb") as file:
            return file.read()

    def run_mien(self, *arguments, code=0):
        done = subprocess.run([MIEN, *arguments], cwd=self.folder, capture_output=True, timeout=SECONDS,
                              stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, code, done.stderr.decode())
        return done

    def summary(self, done, pattern):
        found = re.search(pattern, done.stderr.decode())
        self.assertTrue(found, done.stderr.decode())
        return [float(number) for number in found.groups()]


class Duplicates(Runs):
    def texts(self, n):
        """Some of a few texts, some that are nearly the same, some of their own; empty and long ones, bytes of any kind."""
        numbers = random.Random(10)
        few = [b"", b"i am so happy", b"i am so happy ", b"thank you", b"joy \xff\xfe", b"a b c d e f g h " * 40,
               b"hate" + b"!" * 70000]
        for _ in range(n):
            if numbers.random() < 0.7:
                yield numbers.choice(few)
            else:
                yield b" ".join(numbers.choice(fixtures.WORDS).encode() for _ in range(numbers.randrange(1, 12)))

    def test_output_is_the_same_with_and_without_for_any_threads(self):
        self.write("many.txt", b"\n".join(self.texts(3000)) + b"\n")
        for command, ending in ("label", "jsonl"), ("label", "csv"), ("label", "npy"), ("label", "bits"), ("embed", "npy"):
            model = MODEL if command == "label" else MODEL[:2]
            name = f"out.{ending}"
            self.run_mien(command, *model, "many.txt", "-o", name, "--no-cache", "--threads", "1")
            expected = self.read(name)
            for threads in "1", "3", "16":
                done = self.run_mien(command, *model, "many.txt", "-o", name, "--threads", threads)
                self.assertEqual(self.read(name), expected, (command, ending, threads))
                n, share = self.summary(done, r"([0-9]+) duplicates \(([0-9.]+)%\)")
                self.assertGreater(n, 1000)
                self.assertAlmostEqual(share, 100 * n / 3000, delta=0.06)

    def test_equal_texts_of_one_worker_are_counted(self):
        self.write("some.jsonl", b'{"text":"joy"}\n{"text":"\\u006aoy"}\n{"text":null}\n{"text":"joy "}\n{"text":"joy"}\n')
        done = self.run_mien("label", *MODEL, "some.jsonl", "--threads", "1")
        self.assertEqual(self.summary(done, r"5 texts, .* ([0-9]+) duplicates \(50.0%\), 1 bad rows"), [2])
        self.assertNotIn(b"duplicates", self.run_mien("label", *MODEL, "some.jsonl", "--no-cache").stderr)
        self.assertNotIn(b"duplicates", self.run_mien("tokenize", *MODEL[:2], "some.jsonl").stderr)

    def test_a_text_whose_embedding_is_not_finite_is_bad_each_time(self):
        header_bytes = int.from_bytes(fixtures.FILES["encoder/model.safetensors"][:8], "little")
        weights = bytearray(fixtures.FILES["encoder/model.safetensors"])
        first = 8 + header_bytes + 4 * fixtures.HIDDEN * fixtures.VOCABULARY.index("hate")
        weights[first : first + 4] = b"\x00\x00\xc0\x7f"
        self.write("encoder/model.safetensors", weights)
        self.write("some.txt", b"joy\nhate\nlove\nhate\nhate\n")
        done = self.run_mien("label", *MODEL, "some.txt", "--output-format", "csv", "--threads", "1")
        bad = [line.split(",")[0] for line in done.stdout.decode().splitlines() if "not finite" in line]
        self.assertEqual(bad, ["1", "3", "4"])
        self.assertIn(b"2 duplicates (40.0%), 3 bad rows", done.stderr)


if __name__ == "__main__":
    MIEN = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=0)
