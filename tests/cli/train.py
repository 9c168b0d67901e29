# SPDX-License-Identifier: Apache-2.0
"""mien train: what it writes, that the same input has the same bytes, and what it must survive.

train.py COMMAND [TEST...]"""

import hashlib
import json
import math
import os
import pty
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

import fixtures

MIEN = ""
SECONDS = 120  # more than any run takes, under sanitizers too
LABELS = ["joy", "love", "anger"]
D = 5
NAMES = ["README.md", "model.onnx", "thresholds.json", "train.json"]


def examples(n, seed, labels=LABELS):
    """Rows of numbers, and labels that a line nearly tells."""
    numbers = random.Random(seed)
    rows, truth = [], []
    for _ in range(n):
        row = [numbers.gauss(0.2, 1) for _ in range(D)]
        rows.append(row)
        truth.append([label for k, label in enumerate(labels) if row[k] + 0.5 * numbers.gauss(0, 1) > 0.3 * (k + 1)])
    return rows, truth


def tsv(truth, words="i am so happy today"):
    return "".join(f"{words} {'love' if 'love' in row else 'hate'}\t{','.join(row)}\t{i}\n" for i, row in enumerate(truth))


class Train(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = self.temporary.name
        fixtures.write_files(self.folder)
        for name, n, seed in (("train", 120, 1), ("dev", 40, 2), ("test", 30, 3)):
            rows, truth = examples(n, seed)
            self.write(name + ".tsv", tsv(truth))
            self.write(name + ".npy", fixtures.matrix(rows, columns=D))
        self.write("labels.txt", "".join(label + "\n" for label in LABELS))

    def tearDown(self):
        self.temporary.cleanup()

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, content):
        with open(self.path(name), "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())

    def read(self, *names):
        with open(self.path(*names), "rb") as file:
            return file.read()

    def run_mien(self, *arguments, environment=None, **more):
        return subprocess.run(
            [MIEN, *arguments], cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS,
            env={**os.environ, "XDG_CACHE_HOME": self.path("cache"), **(environment or {})}, **more)

    ROWS = ["--data", "train.tsv", "--embeddings", "train.npy"]
    DEV = ["--dev", "dev.tsv", "--dev-embeddings", "dev.npy"]
    TEST = ["--test", "test.tsv", "--test-embeddings", "test.npy"]

    def train(self, *arguments, rows=ROWS, dev=DEV, out="out", environment=None):
        run = self.run_mien("train", *rows, *dev, "-o", out, *arguments, environment=environment)
        self.assertEqual((run.returncode, run.stdout), (0, b""), run.stderr.decode())
        return run.stderr.decode()

    def refused(self, code, words, *arguments, rows=ROWS, dev=DEV, out="out"):
        before = sorted(os.listdir(self.folder))
        run = self.run_mien("train", *rows, *dev, "-o", out, *arguments)
        error = run.stderr.decode()
        self.assertEqual(run.returncode, code, error)
        self.assertIn(words, error)
        self.assertEqual(sorted(os.listdir(self.folder)), before, "something was left behind")

    def folder_hash(self, name):
        return {file: hashlib.sha256(self.read(name, file)).hexdigest() for file in sorted(os.listdir(self.path(name)))}

    # ---- What is written ----

    def test_a_head_thresholds_a_card_and_every_setting_are_written(self):
        said = self.train(*self.TEST, "--C", "0.5,2", "--class-weight", "none,balanced")
        self.assertEqual(said, "mien: out: 3 labels of 5 numbers, learned from 120 rows\n")
        self.assertEqual(sorted(os.listdir(self.path("out"))), NAMES)
        thresholds = json.loads(self.read("out", "thresholds.json"))
        self.assertEqual(list(thresholds), LABELS)
        card = self.read("out", "README.md").decode()
        for words in ("| train | train.tsv |", "| dev | dev.tsv |", "## Figures: test", "## Figures: dev", "seed 0",
                      "tuned on this very data: flattering",
                      "mien train --data train.tsv --embeddings train.npy --dev dev.tsv --dev-embeddings dev.npy --test "
                      "test.tsv --test-embeddings test.npy --C 0.5,2 --class-weight none,balanced -o DIR"):
            self.assertIn(words, card)
        settings = json.loads(self.read("out", "train.json"))
        self.assertEqual(len(settings["tried"]), 4)
        self.assertEqual([label["label"] for label in settings["labels"]], LABELS)
        for label in settings["labels"]:
            self.assertTrue(label["converged"] and not label["constant"] and label["C"] in (0.5, 2), label)
            self.assertAlmostEqual(label["threshold"], thresholds[label["label"]], 6)

    def test_what_is_written_labels_rows_with_the_figures_of_its_card(self):
        self.train(*self.TEST)
        run = self.run_mien("evaluate", "--head", "out", "--data", "test.tsv", "--embeddings", "test.npy", "--resamples", "0",
                            "--format", "markdown", "--quiet")
        self.assertEqual(run.returncode, 0, run.stderr.decode())
        tables = [part for part in run.stdout.decode().split("\n### ") if part.startswith("Thresholds per label")]
        self.assertGreater(len(tables), 2)
        card = self.read("out", "README.md").decode()
        for table in tables:
            self.assertIn(table.strip(), card)

    def test_the_graph_runs_in_onnx_runtime_with_the_same_scores(self):
        try:
            import numpy
            import onnx
            import onnxruntime
        except ImportError as error:
            self.skipTest(str(error))
        self.train()
        model = onnx.load(self.path("out", "model.onnx"))
        onnx.checker.check_model(model, full_check=True)
        session = onnxruntime.InferenceSession(self.path("out", "model.onnx"), providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        self.assertEqual((names, session.get_inputs()[0].name), (LABELS, "logits"))
        rows = numpy.load(self.path("dev.npy"))
        outputs = session.run(names, {"logits": rows})
        self.assertEqual([output.shape for output in outputs], [(len(rows), 2)] * len(LABELS))
        run = self.run_mien("label", "--head", "out", "dev.npy", "-o", "scores.npy", "--quiet")
        self.assertEqual(run.returncode, 0, run.stderr.decode())
        scores = numpy.load(self.path("scores.npy"))
        self.assertLess(abs(scores - numpy.stack([output[:, 1] for output in outputs], 1)).max(), 2e-6)

    def test_the_same_input_has_the_same_bytes_for_any_number_of_threads(self):
        for more in ([], ["--cv", "3", "--seed", "7"]):
            outs = []
            for threads in ("1", "2", "5", "5"):
                out = f"out{len(outs)}{len(more)}"
                self.train(*self.TEST, *more, "--threads", threads, out=out)
                outs.append(self.folder_hash(out))
            self.assertEqual(outs[1:], outs[:1] * 3)

    def test_folds_depend_on_the_seed_and_do_without_dev(self):
        files = []
        for seed in ("1", "2"):
            self.train("--cv", "4", "--seed", seed, dev=[], out="out" + seed)
            settings = json.loads(self.read("out" + seed, "train.json"))
            self.assertEqual((settings["settings"]["selected_on"], settings["settings"]["thresholds"]["tuned_on"]),
                             ("out_of_fold", "out_of_fold"))
            files.append(settings["tried"])
        self.assertNotEqual(*files)

    def test_soft_targets_of_the_labels_themselves_change_nothing(self):
        _, truth = examples(120, 1)
        # Columns in another order than the labels', told by the file beside them.
        columns = LABELS[::-1]
        soft = [[float(label in row) for label in columns] for row in truth]
        self.write("soft.npy", fixtures.matrix(soft, columns=3))
        self.write("soft.npy.labels.json", json.dumps({"labels": columns}))
        self.write("half.npy", fixtures.matrix([[0.5] * 3] * 120, columns=3))
        self.train(out="hard")
        self.train("--soft", "soft.npy", "--soft-weight", "1", out="soft")
        self.train("--soft", "half.npy", "--soft-weight", "0.25", out="half")
        self.assertEqual(self.read("soft", "model.onnx"), self.read("hard", "model.onnx"))
        self.assertNotEqual(self.read("half", "model.onnx"), self.read("hard", "model.onnx"))
        self.refused(2, "is for --soft", "--soft-weight", "0.5")
        self.write("soft.npy", fixtures.matrix([[2.0] * 3] * 120, columns=3))
        self.refused(3, "expected a score in [0, 1]", "--soft", "soft.npy")

    # ---- Embeddings ----

    def embed(self, *arguments, out="out", code=0):
        run = self.run_mien("train", "--data", "train.tsv", "--dev", "dev.tsv", "--encoder", "encoder", "--C", "1", "-o", out,
                            *arguments)
        self.assertEqual(run.returncode, code, run.stderr.decode())
        return run.stderr.decode()

    def kept(self):
        folder = self.path("cache", "mien", "embeddings")
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []

    def test_embeddings_are_kept_by_what_they_were_made_of(self):
        self.embed("--no-cache", out="none")
        self.assertEqual(self.kept(), [])
        self.embed(out="first")
        first = self.kept()
        self.assertEqual(len(first), 2)
        self.embed(out="second")
        self.assertEqual(self.kept(), first)
        for out in ("first", "second"):
            self.assertEqual(self.read(out, "model.onnx"), self.read("none", "model.onnx"))
        self.embed("--max-tokens", "4", out="short")
        self.assertEqual(len(self.kept()), 4)
        config = json.loads(self.read("encoder", "config.json"))
        self.write("encoder/config.json", json.dumps({**config, "layer_norm_eps": 1e-6}))
        self.embed(out="other")
        self.assertEqual(len(self.kept()), 6)

    def test_what_is_kept_is_what_is_used_and_made_anew_where_it_is_broken(self):
        self.embed(out="first")
        whole = {name: self.read("cache/mien/embeddings", name) for name in self.kept()}
        for name, content in whole.items():
            columns = fixtures.read_npy(self.path("cache/mien/embeddings", name))[1]
            zeros = fixtures.npy(columns, data=bytes(4 * columns[0] * columns[1]))
            self.write("cache/mien/embeddings/" + name, zeros)
        self.embed(out="zeros")
        self.assertNotEqual(self.read("zeros", "model.onnx"), self.read("first", "model.onnx"))
        for name in whole:
            self.write("cache/mien/embeddings/" + name, b"broken")
        self.embed(out="again")
        self.assertEqual(self.read("again", "model.onnx"), self.read("first", "model.onnx"))
        self.assertEqual({name: self.read("cache/mien/embeddings", name) for name in self.kept()}, whole)

    def test_a_cache_that_cannot_be_written_is_done_without(self):
        self.write("cache", "a file")
        self.assertIn("note: embeddings are not kept", self.embed())

    # ---- What must survive ----

    def test_labels_that_no_row_or_every_row_has_are_constants(self):
        _, truth = examples(120, 1)
        self.write("train.tsv", tsv([[label for label in row if label != "love"] + ["calm"] for row in truth]))
        self.write("labels.txt", "joy\nlove\nanger\ncalm\n")
        said = self.train()
        self.assertIn("note: label 'love': no row that was learned from has it: its score is a constant", said)
        self.assertIn("note: label 'calm': every row that was learned from has it: its score is a constant", said)
        self.assertIn("note: label 'calm': no row has it: 0.5", said)
        labels = {label["label"]: label for label in json.loads(self.read("out", "train.json"))["labels"]}
        self.assertEqual({name for name, label in labels.items() if label["constant"]}, {"love", "calm"})
        run = self.run_mien("label", "--head", "out", "dev.npy", "--scores", "all", "--quiet")
        self.assertEqual(run.returncode, 0, run.stderr.decode())
        scores = [json.loads(line)["all_scores"] for line in run.stdout.decode().splitlines()]
        self.assertEqual(len({(row[1], row[3]) for row in scores}), 1)
        self.assertLess(scores[0][1], 0.02)
        self.assertGreater(scores[0][3], 0.98)

    def test_one_row_is_enough(self):
        rows, truth = examples(1, 5)
        self.write("one.tsv", tsv([["joy"]]))
        self.write("one.npy", fixtures.matrix(rows, columns=D))
        self.train(rows=["--data", "one.tsv", "--embeddings", "one.npy"])
        self.refused(3, "expected at least 2 rows for as many folds, found 1", "--cv", "2",
                     rows=["--data", "one.tsv", "--embeddings", "one.npy"], dev=[], out="folds")

    def test_rows_that_are_none_are_told_by_their_line(self):
        good = tsv(examples(2, 1)[1])
        for bad, words in (("x\t7\ty\n", "label '7': expected a name or a number below 3"), ("x\thate\ty\n", "'hate'"),
                           ("only a text\n", "expected")):
            self.write("bad.tsv", good + bad)
            self.refused(3, "bad.tsv:3: ", "--encoder", "encoder", rows=["--data", "bad.tsv"])
            self.refused(3, words, "--encoder", "encoder", rows=["--data", "bad.tsv"])
            self.refused(3, "bad.tsv:3: ", "--encoder", "encoder", dev=["--dev", "bad.tsv"])
        self.write("empty.tsv", "")
        self.refused(3, "empty.tsv: expected rows with labels, found none", "--encoder", "encoder", rows=["--data", "empty.tsv"])

    def test_embeddings_of_another_size_or_that_are_no_numbers_are_refused(self):
        rows, _ = examples(120, 1)
        wide = [row + [0.0] for row in rows]
        self.write("train.npy", fixtures.matrix(wide, columns=D + 1))
        self.refused(3, "dev.npy: expected rows of 6 numbers, found 5")
        self.write("train.npy", fixtures.matrix(rows, columns=D))
        self.refused(3, "train.npy: expected rows of 32 numbers, found 5", "--encoder", "encoder")
        self.write("train.npy", fixtures.matrix(rows[:-1], columns=D))
        self.refused(3, "train.npy: expected 120 rows, found 119")
        rows[7][2] = math.nan
        self.write("train.npy", fixtures.matrix(rows, columns=D))
        self.refused(3, "train.npy: row 7, column 2: expected a finite float32, found NaN")

    def test_data_beyond_memory_is_refused_with_both_figures(self):
        rows, columns = 120, 1 << 34
        header = fixtures.npy((rows, columns))
        self.write("train.npy", header)
        try:
            os.truncate(self.path("train.npy"), len(header) + 4 * rows * columns)
        except OSError as error:
            self.skipTest(f"no sparse files of this size: {error}")
        self.refused(4, f"120 rows of {columns} numbers take {4 * rows * columns} bytes of memory: expected at most ")

    def test_a_folder_that_is_there_is_kept_unless_it_is_to_be_replaced(self):
        self.train("--C", "1")
        before = self.folder_hash("out")
        self.refused(2, "out: it is there already: --force replaces what training made")
        self.train("--C", "1", "--force", out="out/")
        self.assertEqual(self.folder_hash("out"), before)
        self.train("--C", "2", "--force")
        self.assertNotEqual(self.folder_hash("out"), before)
        self.write("out/notes.txt", "mine")
        self.refused(2, "replaces a folder of training's files only", "--force")
        self.refused(2, "replaces a folder of training's files only", "--force", out="train.tsv")
        self.refused(4, "no/such: the folder can't be written to", out="no/such/folder")
        self.assertEqual([name for name in os.listdir(self.folder) if name.startswith("out.")], [])

    def test_options_that_do_not_go_together_are_usage_errors(self):
        self.refused(2, "expected --dev or --cv", dev=[])
        self.refused(2, "expected --data", rows=[])
        self.refused(2, "expected --encoder for the texts of --test, or --test-embeddings", "--test", "test.tsv")
        self.refused(2, "option '--test-embeddings' is for --test", "--test-embeddings", "test.npy")
        self.refused(2, "are the same file", dev=["--dev", "train.tsv", "--dev-embeddings", "train.npy"])
        self.refused(2, "are the same file", dev=["--dev", "./train.tsv", "--dev-embeddings", "train.npy"])
        self.refused(2, "option '--C': expected numbers from 1e-6 to 1e6", "--C", "1,0")
        self.refused(2, "option '--C': 1 is given twice", "--C", "1,2,1")
        self.refused(2, "option '--class-weight': expected none, balanced or numbers", "--class-weight", "heavy")
        self.refused(2, "option '--select': expected average-precision|f1", "--select", "accuracy")
        self.refused(2, "option '--cv' is given twice", "--cv", "3", "--cv", "4")
        self.refused(2, "option '--dtype' is for --encoder", "--dtype", "f32")
        self.refused(2, "--objective fbeta needs --beta", "--objective", "fbeta")

    def test_an_interrupted_training_leaves_nothing(self):
        numbers = random.Random(4)
        n, wide = 20000, 96
        self.write("large.tsv", tsv([[label for label in LABELS if numbers.random() < 0.3] for _ in range(n)]))
        data = struct.pack(f"<{n * wide}f", *(numbers.gauss(0, 1) for _ in range(n * wide)))
        self.write("large.npy", fixtures.npy((n, wide), data=data))
        before = sorted(os.listdir(self.folder))
        for sent in (signal.SIGINT, signal.SIGTERM):
            run = subprocess.Popen(
                [MIEN, "train", "--data", "large.tsv", "--embeddings", "large.npy", "--cv", "50", "-o", "out"],
                cwd=self.folder, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
            time.sleep(0.7)
            run.send_signal(sent)
            error = run.communicate(timeout=SECONDS)[1].decode()
            self.assertEqual(run.returncode, 5, error)
            self.assertIn("interrupted", error)
            self.assertEqual(sorted(os.listdir(self.folder)), before)

    def test_a_terminal_is_shown_the_loss_of_every_iteration(self):
        try:
            master, slave = pty.openpty()
        except OSError as error:
            self.skipTest(f"no pseudo-terminals: {error}")
        run = subprocess.Popen([MIEN, "train", *self.ROWS, *self.DEV, "--C", "1,2", "-o", "out"], cwd=self.folder,
                               stdin=subprocess.DEVNULL, stderr=slave)
        os.close(slave)
        shown = b""
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError:
                break
            if not piece:
                break
            shown += piece
        os.close(master)
        self.assertEqual(run.wait(SECONDS), 0)
        for words in ("fit 1 of 3 (C 1, class weight none): iteration ", "fit 3 of 3 (the head): iteration ", "loss "):
            self.assertIn(words, shown.decode())


if __name__ == "__main__":
    MIEN = os.path.abspath(sys.argv[1])
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
