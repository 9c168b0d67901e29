# SPDX-License-Identifier: Apache-2.0
"""Equal texts, which are run once, and long ones, which are run in spans.

long.py COMMAND [TEST...]"""

import array
import json
import os
import random
import re
import subprocess
import sys
import unittest

import fixtures

MIEN = ""
MODEL = ["--encoder", "encoder", "--head", "texthead/model.onnx", "--labels", "texthead/labels.txt"]
SECONDS = 120


class Runs(fixtures.InFolder):
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


class Long(Runs):
    """The fixtures' encoder reads 16 tokens."""

    SPLIT = ["--long", "split"]

    def label(self, name, *options):
        """The objects of jsonl output."""
        done = self.run_mien("label", *MODEL, name, *options)
        return [json.loads(line) for line in done.stdout.splitlines()], done

    def texts(self, n, seed):
        """Short and long ones, of sentences, of one sentence, of words without white space; and bytes of any kind."""
        numbers = random.Random(seed)
        between = [b" ", b" ", b" ", b". ", b"! ", b"? ", b",", b"  ", "\u3002".encode(), " \u00e9".encode(), b"\xff", b"\xe2\x80",
                   b"\t", "\U0001F600 ".encode(), b"\x01"]
        for _ in range(n):
            length = numbers.choice([0, 1, 5, 20, 60, 200])
            yield b"".join(numbers.choice(fixtures.WORDS).encode() + numbers.choice(between) for _ in range(length))

    def test_spans_have_the_labels_of_their_texts_and_give_the_row_theirs(self):
        texts = list(self.texts(120, 1))
        self.write("long.txt", b"\n".join(texts) + b"\n")
        rows, done = self.label("long.txt", *self.SPLIT, "--scores", "all")
        whole, _ = self.label("long.txt", "--scores", "all")
        means, _ = self.label("long.txt", *self.SPLIT, "--scores", "all", "--pool", "mean")
        places, _ = self.label("long.txt", *self.SPLIT, "--offsets", "chars")
        split = [row["row"] for row in rows if "spans" in row]
        self.assertEqual(split, [row["row"] for row in whole if row.get("truncated")])
        self.assertEqual(self.summary(done, "120 texts, .* 0 truncated, ([0-9]+) split, "), [len(split)])
        self.assertGreater(len(split), 30)
        self.assertLess(len(split), 90)
        pieces, spans = [], []
        for row, other, mean, place, text in zip(rows, whole, means, places, texts):
            if "spans" not in row:
                self.assertEqual(row, other)
                self.assertEqual(mean, other)
                continue
            self.assertGreater(len(row["spans"]), 1)
            end = 0
            for span, counted in zip(row["spans"], place["spans"], strict=True):
                self.assertLessEqual(end, span["start"])
                end = span["end"]
                pieces.append(text[span["start"] : end])
                spans.append(span)
                self.assertEqual(pieces[-1], pieces[-1].strip(b" \t"))
                shown = text.decode("utf-8", "replace")[counted["start"] : counted["end"]]
                self.assertEqual(shown, pieces[-1].decode("utf-8", "replace"))
            self.assertLessEqual(end, len(text))
            columns = list(zip(*(span["all_scores"] for span in row["spans"])))
            self.assertEqual(row["all_scores"], [max(column) for column in columns])
            self.assertEqual(sorted(row["labels"]), sorted({label for span in row["spans"] for label in span["labels"]}))
            expected = array.array("f", [sum(column) / len(column) for column in columns])
            for score, found in zip(expected, array.array("f", mean["all_scores"]), strict=True):
                self.assertAlmostEqual(score, found, delta=1e-7)
        self.write("pieces.txt", b"\n".join(pieces) + b"\n")
        alone, done = self.label("pieces.txt", "--scores", "all")
        self.assertIn(b" 0 truncated, ", done.stderr)
        for span, row in zip(spans, alone, strict=True):
            self.assertEqual([span[key] for key in ("labels", "scores", "all_scores")],
                             [row[key] for key in ("labels", "scores", "all_scores")])

    def test_output_is_the_same_with_and_without_the_cache_for_any_threads(self):
        texts = list(self.texts(400, 2))
        self.write("long.txt", b"\n".join(texts + texts[::-1]) + b"\n")
        for ending, options in (("jsonl", []), ("csv", ["--scores", "all"]), ("npy", []), ("bits", ["--pool", "mean"])):
            name = f"out.{ending}"
            run = ["label", *MODEL, "long.txt", "-o", name, *self.SPLIT, *options]
            self.run_mien(*run, "--no-cache", "--threads", "1")
            expected = self.read(name)
            for threads in "1", "3", "16":
                done = self.run_mien(*run, "--threads", threads)
                self.assertEqual(self.read(name), expected, (ending, threads))
                self.assertGreater(self.summary(done, r"([0-9]+) duplicates")[0], 400)

    def test_other_formats_have_what_jsonl_has_of_the_text(self):
        self.write("long.txt", b"\n".join(self.texts(60, 3)) + b"\n")
        for pool in "max", "mean":
            options = [*self.SPLIT, "--pool", pool]
            rows, _ = self.label("long.txt", *options, "--scores", "all")
            self.run_mien("label", *MODEL, "long.txt", *options, "-o", "out.npy")
            _, shape, data = fixtures.read_npy(os.path.join(self.folder, "out.npy"))
            self.assertEqual(list(shape), [60, 3])
            self.assertEqual(array.array("f", data), array.array("f", [s for row in rows for s in row["all_scores"]]))
            names = ["joy", "love", "anger"]
            self.run_mien("label", *MODEL, "long.txt", *options, "-o", "out.bits")
            _, _, data = fixtures.read_npy(os.path.join(self.folder, "out.bits"))
            words = [sum(1 << names.index(label) for label in row["labels"]) for row in rows]
            self.assertEqual(list(array.array("I", data)), words)
            done = self.run_mien("label", *MODEL, "long.txt", *options, "--output-format", "csv")
            listed = [line.split(",")[2] for line in done.stdout.decode().splitlines()[1:]]
            self.assertEqual(listed, ["|".join(row["labels"]) for row in rows])

    def test_places_are_of_the_text_and_not_of_its_json(self):
        text = "caf\u00e9 \"joy\" \\ love! " * 6
        self.write("long.jsonl", json.dumps({"text": text}).encode() + b"\n")
        for offsets, read in ("bytes", text.encode()), ("chars", text):
            rows, _ = self.label("long.jsonl", *self.SPLIT, "--offsets", offsets)
            self.assertGreater(len(rows[0]["spans"]), 2)
            for span in rows[0]["spans"]:
                found = read[span["start"] : span["end"]]
                found = found if offsets == "chars" else found.decode()
                self.assertEqual(found, text.split(" caf")[0].rstrip())

    def test_a_text_of_too_many_spans_is_cut(self):
        self.write("long.txt", b"joy! " * 70000 + b"\njoy\n")
        rows, done = self.label("long.txt", *self.SPLIT)
        self.assertEqual(len(rows[0]["spans"]), 65536)
        self.assertTrue(rows[0]["truncated"])
        self.assertEqual(rows[0]["spans"][-1]["end"], 5 * 70000)
        self.assertEqual({span["end"] - span["start"] for span in rows[0]["spans"][:-1]}, {4})
        self.assertIn(b" 1 truncated, 1 split, 65534 duplicates", done.stderr)

    def test_a_text_with_a_span_that_is_not_finite_is_bad(self):
        header_bytes = int.from_bytes(fixtures.FILES["encoder/model.safetensors"][:8], "little")
        weights = bytearray(fixtures.FILES["encoder/model.safetensors"])
        first = 8 + header_bytes + 4 * fixtures.HIDDEN * fixtures.VOCABULARY.index("hate")
        weights[first : first + 4] = b"\x00\x00\xc0\x7f"
        self.write("encoder/model.safetensors", weights)
        self.write("long.txt", b"joy! " * 20 + b"hate! joy!\n" + b"joy! " * 20 + b"\n")
        rows, _ = self.label("long.txt", *self.SPLIT)
        self.assertEqual(rows[0], {"row": 0, "error": "line 1: its embedding is not finite"})
        self.assertEqual(len(rows[1]["spans"]), 20)

    def test_parts_go_on_with_the_same_way_only(self):
        self.write("long.txt", b"\n".join(self.texts(50, 4)) + b"\n")
        run = ["label", *MODEL, "long.txt", "-o", "parts.jsonl", "--part-rows", "7", "--resume"]
        self.run_mien("label", *MODEL, "long.txt", "-o", "whole.jsonl", *self.SPLIT)
        self.run_mien(*run, *self.SPLIT)
        self.run_mien(*run, *self.SPLIT)
        for options, difference in (
            (["--long", "truncate"], b'settings.long: expected "split", found "truncate"'),
            ([*self.SPLIT, "--pool", "mean"], b'settings.pool: expected "max", found "mean"'),
            ([*self.SPLIT, "--offsets", "chars"], b'settings.offsets: expected "bytes", found "chars"'),
        ):
            self.assertIn(difference, self.run_mien(*run, *options, code=3).stderr)
        self.run_mien("merge", "parts.jsonl", "-o", "merged.jsonl")
        self.assertEqual(self.read("merged.jsonl"), self.read("whole.jsonl"))

    def test_options_that_have_no_meaning_are_refused(self):
        self.write("long.txt", b"joy\n")
        self.write("rows.f32", array.array("f", [0] * fixtures.HIDDEN).tobytes())
        for options, part in (
            (["long.txt", "--pool", "max"], b"option '--pool' is for '--long split'"),
            (["long.txt", "--long", "truncate", "--offsets", "bytes"], b"option '--offsets' is for '--long split'"),
            (["long.txt", *self.SPLIT, "--offsets", "chars", "--output-format", "csv"], b"only jsonl output holds spans"),
            (["--text", "joy", *self.SPLIT, "--max-tokens", "5"], b"option '--long' is for INPUTs"),
            (["rows.f32", *self.SPLIT], b"option '--long' is for inputs of text, found embeddings"),
            (["long.txt", "--long", "cut"], b"'cut'"),
        ):
            self.assertIn(part, self.run_mien("label", *MODEL, *options, code=2).stderr)
        for command in "embed", "tokenize":
            self.assertIn(b"option '--long'", self.run_mien(command, *MODEL[:2], "long.txt", *self.SPLIT, code=2).stderr)


if __name__ == "__main__":
    MIEN = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=0)
