#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What runs when no model is named, and what names stand for: the command in a tree of its own, as an installed one.
shipped.py MIEN"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import fixtures

MIEN = os.path.abspath(sys.argv.pop(1))
WHOLE = ["--encoder", "encoder", "--head", "texthead", "--labels", "texthead/labels.txt"]


class Shipped(unittest.TestCase):
    def setUp(self):
        self.work = tempfile.TemporaryDirectory()
        self.addCleanup(self.work.cleanup)
        fixtures.write_files(self.work.name)
        self.mien = self.path("installed/bin/mien")
        self.models = self.path("installed/share/mien/models")
        for folder in (os.path.dirname(self.mien), self.models):
            os.makedirs(folder)
        shutil.copy(MIEN, self.mien)

    def path(self, *names):
        return os.path.join(self.work.name, *names)

    def ship(self):
        """A model called as the default one, another one, and a head."""
        for name, dtype in (("goemotions-small", "int8"), ("goemotions-tiny", "f32")):
            os.makedirs(os.path.join(self.models, name))
            self.run_mien("pack", *WHOLE, "--quiet", "--dtype", dtype, "--license", "mit",
                          "-o", os.path.join(self.models, name, "model.safetensors"))
        shutil.copytree(self.path("texthead"), os.path.join(self.models, "heads", "encoder"))
        shutil.copytree(self.path("texthead"), os.path.join(self.models, "some-linear"))

    def run_mien(self, *arguments, code=0):
        done = subprocess.run([self.mien, *arguments], cwd=self.work.name, capture_output=True, text=True, timeout=120,
                              stdin=subprocess.DEVNULL, check=False)
        self.assertEqual(done.returncode, code, (arguments, done.stderr))
        return done

    def label(self, *model):
        done = self.run_mien("label", "--scores", "all", *model, "--text", "I am so happy today!")
        return json.loads(done.stdout)["all_scores"], done.stderr

    def test_labels_by_the_default(self):
        self.ship()
        scores, summary = self.label()
        self.assertIn("dtype int8", summary)
        self.assertEqual(scores, self.label("--model", os.path.join(self.models, "goemotions-small/model.safetensors"))[0])
        self.assertEqual(scores, self.label("--model", "goemotions-small")[0])
        self.assertEqual(scores, self.label("--model", os.path.join(self.models, "goemotions-small"))[0])
        self.assertEqual(scores, self.label("--head", "goemotions-small")[0])

    def test_labels_files_by_the_default(self):
        self.ship()
        self.assertIn("dtype int8", self.run_mien("label", "texts.txt").stderr)

    def test_other_names(self):
        self.ship()
        self.assertIn("dtype f32", self.label("--model", "goemotions-tiny")[1])
        self.assertIn("goemotions-tiny/model.safetensors", self.run_mien("inspect", "goemotions-tiny").stdout)

    def test_every_command_has_the_default(self):
        self.ship()
        pack = os.path.join(self.models, "goemotions-small/model.safetensors")
        self.assertIn(pack, self.run_mien("inspect").stdout)
        self.run_mien("embed", "texts.txt", "-o", "default.npy")
        self.run_mien("embed", "--encoder", pack, "texts.txt", "-o", "named.npy")
        with open(self.path("default.npy"), "rb") as default, open(self.path("named.npy"), "rb") as named:
            self.assertEqual(default.read(), named.read())
        self.assertEqual(self.run_mien("tokenize", "texts.txt").stdout,
                         self.run_mien("tokenize", "--encoder", "encoder", "texts.txt").stdout)
        self.run_mien("pack", "--no-head", "--quiet", "--encoder", "goemotions-small", "-o", "encoder.safetensors")
        done = self.run_mien("pack", *WHOLE, "-o", "none.safetensors", code=2)
        self.assertIn("expected --dtype", done.stderr)
        self.run_mien("pack", "--quiet", "-o", "again.safetensors")
        with open(self.path("again.safetensors"), "rb") as again, open(pack, "rb") as first:
            self.assertEqual(again.read(), first.read())
        found = json.loads(self.run_mien("bench", "encoder", "--json", "--seconds", "0", "--threads", "1").stdout)
        self.assertEqual((found["layers"], found["hidden"]), (2, fixtures.HIDDEN))

    def test_the_default_is_not_written_over(self):
        self.ship()
        pack = os.path.join(self.models, "goemotions-small/model.safetensors")
        os.symlink(pack, self.path("link.safetensors"))
        os.link(pack, self.path("hard.safetensors"))
        for target in (pack, "link.safetensors", "hard.safetensors"):
            for arguments in (["label", "--text", "love", "--output-format", "jsonl"], ["pack"], ["tokenize", "texts.txt"],
                              ["embed", "texts.txt", "--output-format", "f32"]):
                self.assertRegex(self.run_mien(*arguments, "-o", target, code=2).stderr,
                                 "the output is a file of the (model|encoder)")

    def test_a_head_by_its_encoder(self):
        self.ship()
        done = self.run_mien("label", "--encoder", "encoder", "--labels", "texthead/labels.txt", "--text", "love")
        self.assertEqual(done.stdout, self.run_mien("label", *WHOLE, "--text", "love").stdout)
        self.assertNotIn("warning", done.stderr)  # thresholds lie beside the head that was shipped

    def test_a_head_by_the_name_of_its_folder(self):
        self.ship()
        done = self.run_mien("label", "--encoder", "encoder", "--head", "some-linear", "--labels", "texthead/labels.txt",
                             "--text", "love")
        self.assertEqual(done.stdout, self.run_mien("label", *WHOLE, "--text", "love").stdout)
        self.assertIn("no-linear: no such file", self.run_mien("label", "--encoder", "encoder", "--head", "no-linear",
                                                               "--text", "love", code=3).stderr)

    def test_files_go_before_names(self):
        self.ship()
        shutil.copy(os.path.join(self.models, "goemotions-tiny/model.safetensors"), self.path("goemotions-small"))
        self.assertIn("dtype f32", self.label("--model", "goemotions-small")[1])
        self.assertIn("dtype int8", self.label()[1])
        # What is so called is not passed over for being broken.
        os.mkdir(self.path("goemotions-tiny"))
        name = ["--model", "goemotions-tiny", "--text", "love"]
        self.assertIn("expected a pack (model.safetensors) or a head", self.run_mien("label", *name, code=3).stderr)
        with open(self.path("goemotions-tiny", "model.safetensors"), "w", encoding="utf-8") as file:
            file.write("version https://git-lfs.github.com/spec/v1\n")
        self.assertIn("goemotions-tiny/model.safetensors: expected a pack", self.run_mien("label", *name, code=3).stderr)
        os.symlink("nowhere", self.path("goemotions-large"))
        self.run_mien("label", "--model", "goemotions-large", "--text", "love", code=3)
        os.remove(self.path("goemotions-small"))
        os.symlink("nowhere", self.path("goemotions-small"))
        self.run_mien("label", "--model", "goemotions-small", "--text", "love", code=3)

    def test_a_broken_shipped_model_says_so(self):
        self.ship()
        pack = os.path.join(self.models, "goemotions-small/model.safetensors")
        with open(pack, "w", encoding="utf-8") as file:
            file.write("<html>not found</html>")
        for arguments in (["label", "texts.txt"], ["embed", "texts.txt", "-o", "x.npy"], ["inspect"]):
            self.assertIn(f"{pack}: expected a pack", self.run_mien(*arguments, code=3).stderr)

    def test_names_that_are_none(self):
        self.ship()
        for arguments in (["label", "--model", "goemotion-small", "texts.txt"], ["label", "--head", "bge", "texts.txt"],
                          ["embed", "--encoder", "goemotion", "texts.txt", "-o", "x.npy"], ["inspect", "goemotion"],
                          ["pack", "--model", "goemotion", "-o", "x"]):
            self.assertIn(": no such file or folder", self.run_mien(*arguments, code=3).stderr)

    def test_embeddings_need_a_name(self):
        self.ship()
        self.run_mien("embed", "texts.txt", "-o", "rows.npy")
        self.assertIn("--head or --model", self.run_mien("label", "rows.npy", code=2).stderr)
        self.assertEqual(len(self.run_mien("label", "--model", "goemotions-small", "rows.npy").stdout.splitlines()), 5)

    def test_nothing_is_shipped(self):
        for arguments in (["label", "--text", "love"], ["embed", "texts.txt", "-o", "x.npy"], ["tokenize", "texts.txt"],
                          ["inspect"], ["bench", "encoder"], ["pack", "-o", "x"]):
            self.assertIn("no model was shipped with this command", self.run_mien(*arguments, code=2).stderr)
        for arguments in (["--model", "goemotions-small"], ["--head", "goemotions-small"]):
            done = self.run_mien("label", *arguments, "--text", "love", code=3)
            self.assertIn("goemotions-small: no such file or folder", done.stderr)
        self.assertIn("no head is shipped for encoder 'encoder'",
                      self.run_mien("label", "--encoder", "encoder", "--text", "love", code=2).stderr)

    def test_random_weights_are_no_model(self):
        for option in (["--model", "x"], ["--threshold", "0.5"]):
            self.assertIn("goes without a model", self.run_mien("bench", "encoder", "--random", *option, code=2).stderr)
        self.assertIn("'--head' is for head", self.run_mien("bench", "encoder", "--head", "x", code=2).stderr)
        self.assertIn("is for encoder", self.run_mien("bench", "head", "--random", code=2).stderr)


if __name__ == "__main__":
    unittest.main()
