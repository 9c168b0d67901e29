# SPDX-License-Identifier: Apache-2.0
"""mien pack, and models from what it wrote: packs.py COMMAND [TEST...]"""

import json
import math
import os
import resource
import struct
import sys
import unittest

import behaviour
import fixtures
from behaviour import ENCODER, LABEL_TEXTS

PACK = ["pack", *ENCODER, "--head", "texthead/model.onnx", "--labels", "texthead/labels.txt"]


class Packs(unittest.TestCase):
    setUp, tearDown = behaviour.Behaviour.setUp, behaviour.Behaviour.tearDown
    files, path, run_mien = behaviour.Behaviour.files, behaviour.Behaviour.path, behaviour.Behaviour.run_mien

    def pack(self, *arguments, expect=0, base=None):
        done = self.run_mien(*(base or PACK), "-o", "a.safetensors", *arguments)
        self.assertEqual(done.returncode, expect, done.stderr)
        return done.stderr.decode()

    def header(self):
        with open(self.path("a.safetensors"), "rb") as file:
            length = struct.unpack("<Q", file.read(8))[0]
            text = file.read(length).decode()
            self.assertEqual((8 + length) % 64, 0)
            return json.loads(text), os.path.getsize(self.path("a.safetensors")) - 8 - length

    def test_a_pack_is_a_safetensors_file(self):
        """As the format's description asks for it: types, shapes, data without gaps, strings as metadata."""
        types = {"F32": 4, "F16": 2, "BF16": 2, "I8": 1, "U8": 1}
        for dtype, type_ in (("f32", "F32"), ("f16", "F16"), ("bf16", "BF16"), ("int8", "I8")):
            self.pack("--dtype", dtype, "--license", "mit", "-q")
            header, size = self.header()
            metadata = header.pop("__metadata__")
            self.assertTrue(all(isinstance(value, str) for value in metadata.values()))
            self.assertEqual(
                {key: metadata[key] for key in ("format", "mien_pack_version", "dtype", "license")},
                {"format": "mien", "mien_pack_version": "1", "dtype": dtype, "license": "mit"},
            )
            self.assertEqual(json.loads(metadata["config"])["head"]["labels"], ["joy", "love", "anger"])
            at = 0
            for name, tensor in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
                begin, end = tensor["data_offsets"]
                self.assertEqual(begin, at, name)
                self.assertEqual(end - begin, types[tensor["dtype"]] * math.prod(tensor["shape"]), name)
                if name.startswith("layers.") or name == "embeddings.word":
                    self.assertEqual(begin % 64, 0, name)
                at = end
            self.assertEqual(at, size)
            self.assertEqual(header["embeddings.word"]["dtype"], type_)

    def test_a_pack_stands_for_what_it_was_made_of(self):
        self.pack("--dtype", "f32")
        for command, of_files, more in (
            ("label", [*LABEL_TEXTS[1:]], ["--scores", "all", "texts.txt"]),
            ("embed", ENCODER, ["--output-format", "f32", "texts.txt"]),
            ("tokenize", ENCODER, ["texts.txt"]),
        ):
            expected = self.run_mien(command, *of_files, "-q", *more)
            found = self.run_mien(command, "--model", "a.safetensors", "-q", *more)
            self.assertEqual((found.returncode, found.stderr), (0, b""))
            self.assertEqual(found.stdout, expected.stdout, command)
        found = self.run_mien("embed", "--encoder", "a.safetensors", "-q", "--output-format", "f32", "texts.txt")
        expected = self.run_mien("embed", *ENCODER, "-q", "--output-format", "f32", "texts.txt")
        self.assertEqual(found.stdout, expected.stdout)

    def test_the_packs_dtype_runs(self):
        self.pack("--dtype", "f16")
        for more, dtype in (([], "f16"), (["--dtype", "f32"], "f32")):
            done = self.run_mien("label", "--model", "a.safetensors", *more, "texts.txt")
            self.assertIn(f"dtype {dtype}, ".encode(), done.stderr)
        # A pack of a pack needs no --dtype.
        done = self.run_mien("pack", "--model", "a.safetensors", "-o", "b.safetensors")
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.path("a.safetensors"), "rb") as a, open(self.path("b.safetensors"), "rb") as b:
            self.assertEqual(a.read(), b.read())

    def test_inspect_shows_a_pack(self):
        self.pack("--dtype", "int8", "--license", "mit")
        found = json.loads(self.run_mien("inspect", "--json", "a.safetensors").stdout)
        expected = {"format": "pack", "pack_version": 1, "license": "mit", "dtype": "int8", "thresholds_from": "found",
                    "labels": ["joy", "love", "anger"], "dim": fixtures.HIDDEN, "producer": "fixtures"}
        self.assertEqual({key: found[key] for key in expected}, expected)
        self.assertEqual(found["encoder"]["max_tokens"], fixtures.POSITIONS)
        text = self.run_mien("inspect", "--model", "a.safetensors").stdout.decode()
        for line in ("licence       mit", "dtype         int8", "max tokens    16", "    1  love   0.06"):
            self.assertIn(line + "\n", text)

    def test_the_licence_is_said_or_its_lack(self):
        self.assertIn("warning: the encoder's licence is not known", self.pack("--dtype", "f32"))
        card = "---\ntags:\n- x\nlicense: \"apache-2.0\"\n---\nlicense: none\n"
        with open(self.path("encoder/README.md"), "w", encoding="utf-8") as file:
            file.write(card)
        self.assertIn("licence apache-2.0\n", self.pack("--dtype", "f32"))
        self.assertEqual(self.header()[0]["__metadata__"]["license"], "apache-2.0")
        # A pack's own goes on; what is given is over both.
        base = ["pack", "--model", "a.safetensors"]
        done = self.run_mien(*base, "-o", "b.safetensors")
        self.assertIn(b"licence apache-2.0\n", done.stderr)
        done = self.run_mien(*base, "-o", "b.safetensors", "--license", "mit")
        self.assertIn(b"licence mit\n", done.stderr)

    def test_no_head_is_packed_where_none_is_wanted(self):
        self.pack("--no-head", "--dtype", "f32", base=["pack", *ENCODER])
        self.assertNotIn("thresholds", self.header()[0])
        done = self.run_mien("label", "--model", "a.safetensors", "texts.txt")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.pack("--no-head", "--threshold", "0.5", "--dtype", "f32", base=["pack", *ENCODER], expect=2)

    def test_what_is_read_is_not_written_over(self):
        self.pack("--dtype", "f32")
        for target in ("a.safetensors", "texthead/model.onnx", "encoder/model.safetensors", "encoder/vocab.txt"):
            base = ["pack", "--model", "a.safetensors"] if target == "a.safetensors" else PACK
            with open(self.path(target), "rb") as file:
                before = file.read()
            done = self.run_mien(*base, "--dtype", "f32", "-o", target)
            self.assertEqual(done.returncode, 2, done.stderr)
            with open(self.path(target), "rb") as file:
                self.assertEqual(file.read(), before)
        # An earlier pack is.
        self.pack("--dtype", "f16")
        self.assertEqual(self.header()[0]["__metadata__"]["dtype"], "f16")
        done = self.run_mien("label", "--model", "a.safetensors", "texts.txt", "-o", "a.safetensors", "--output-format",
                             "jsonl")
        self.assertEqual(done.returncode, 2, done.stderr)

    def test_a_failed_pack_leaves_nothing(self):
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        done = self.run_mien(*PACK, "--dtype", "f32", "-o", "a.safetensors", preexec_fn=limit)
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertEqual(self.files(), self.before)

    def test_usage_is_checked(self):
        for arguments, message in (
            ([*PACK, "-o", "a.safetensors"], b"expected --dtype f32, f16, bf16 or int8"),
            ([*PACK, "--dtype", "bf16x3", "-o", "a.safetensors"], b"pack f32, and run it in bf16x3"),
            ([*PACK, "--dtype", "f32"], b"expected -o FILE"),
            (["pack", "--model", "encoder", "--dtype", "f32", "-o", "a", "x"], b"expected no arguments, found 'x'"),
        ):
            done = self.run_mien(*arguments)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(message, done.stderr)
        self.pack("--dtype", "f32")
        done = self.run_mien("label", "--model", "a.safetensors", *ENCODER, "texts.txt")
        self.assertEqual((done.returncode, b"the model is a pack" in done.stderr), (2, True), done.stderr)
        done = self.run_mien("label", "--encoder", "a.safetensors", "texts.txt")
        self.assertEqual((done.returncode, b"--model for that of the pack" in done.stderr), (2, True), done.stderr)


if __name__ == "__main__":
    behaviour.MIEN = os.path.abspath(sys.argv.pop(1))
    unittest.main()
