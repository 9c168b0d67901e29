# SPDX-License-Identifier: Apache-2.0
"""mien evaluate and mien thresholds on real rows, and what golden files can't show of them.

evaluate.py COMMAND SOURCE_DIR [HEAD EMBEDDINGS]

Of a head of models/heads, with the embeddings of GoEmotions' test split, every figure of its reference_metrics.json is
reproduced, and its published thresholds. Without arguments that is the head whose embeddings are here."""

import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import fixtures

MIEN, SOURCE = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
NAME = sys.argv[3] if len(sys.argv) > 3 else "all-MiniLM-L6-v2"
REFERENCE = os.path.join(SOURCE, "tests/data/heads", NAME)
EMBEDDINGS = os.path.abspath(sys.argv[4]) if len(sys.argv) > 4 else os.path.join(REFERENCE, "test.embeddings.npy")
HEAD = os.path.join(SOURCE, "models/heads", NAME)
TEST = os.path.join(SOURCE, "models/goemotions/test.tsv")
REAL = ["--head", HEAD, "--embeddings", EMBEDDINGS, "--data", TEST]
SMALL = ["--scores", "labelled/scores.npy", "--data", "labelled/rows.tsv"]
TOLERANCE = 1e-9
# The reference's weights were float32.
ROUNDED = 1e-8
KEYS = {"precision": "precision", "recall": "recall", "f1": "f1-score"}


class Evaluate(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        fixtures.write_files(self.temporary.name)

    def tearDown(self):
        self.temporary.cleanup()

    def path(self, name):
        return os.path.join(self.temporary.name, name)

    def run_mien(self, *arguments, code=0):
        # Portable code rounds in one way on every machine: no score is on another side of a threshold.
        done = subprocess.run([MIEN, *arguments], cwd=self.temporary.name, capture_output=True, text=True, timeout=300,
                              env={**os.environ, "MIEN_ISA": "portable"})
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout

    def evaluate(self, *arguments):
        return json.loads(self.run_mien("evaluate", "--json", "-q", *arguments))

    def write_json(self, name, value):
        with open(self.path(name), "w", encoding="utf-8") as file:
            json.dump(value, file)

    # ---- Reference figures ------------------------------------------------------------------------------------------

    def check_scheme(self, expected, scheme, name):
        report = scheme["report"]
        self.assertEqual(set(report), set(expected["per_label"]) | {f"{way} avg" for way in
                                                                    ("micro", "macro", "weighted", "samples")})
        for label, figures in expected["per_label"].items():
            self.assertEqual(figures["support"], report[label]["support"])
            self.assertEqual(figures["threshold"], report[label]["threshold"])
            for key, own in KEYS.items():
                self.assertAlmostEqual(figures[key], report[label][own], delta=TOLERANCE, msg=f"{name}: {label}: {key}")
        for way in ("macro", "weighted"):
            for figure, own in zip(expected[way], KEYS.values()):
                self.assertAlmostEqual(figure, report[f"{way} avg"][own], delta=ROUNDED, msg=f"{name}: {way}: {own}")

    def test_reference_figures_are_reproduced(self):
        with open(os.path.join(REFERENCE, "reference_metrics.json"), encoding="utf-8") as file:
            reference = json.load(file)
        per_label = reference["tuned_on_dev"]["per_label"]
        self.write_json("dev.json", {label: figures["threshold"] for label, figures in per_label.items()})
        found = self.evaluate(*REAL, "--thresholds", "dev.json", "--tuned-on-data", "--resamples", "0")
        self.assertEqual(found["rows"], reference["rows"])
        names = {"tuned_on_dev": "thresholds", "fixed_0.5": "fixed_0.5", "tuned_on_test": "tuned_on_this_data"}
        for name, own in names.items():
            self.check_scheme(reference[name], found["schemes"][own], name)
            self.assertEqual(found["schemes"][own]["tuned_on_this_data"], name == "tuned_on_test")

    def test_published_thresholds_are_reproduced_and_known_as_tuned_here(self):
        with open(os.path.join(HEAD, "thresholds.json"), encoding="utf-8") as file:
            published = json.load(file)
        self.assertEqual(json.loads(self.run_mien("thresholds", *REAL, "-q")), published)
        found = self.evaluate(*REAL, "--resamples", "0")
        self.assertTrue(found["schemes"]["thresholds"]["tuned_on_this_data"])
        tables = self.run_mien("evaluate", *REAL, "--resamples", "0", "-q", "--errors", "2")
        headings = [line for line in tables.splitlines() if line.startswith("Thresholds per label")]
        self.assertEqual(len(headings), 7)
        for heading in headings:
            self.assertIn("(as tuned on this very data: flattering)", heading)

    # ---- Intervals ----------------------------------------------------------------------------------------------------

    def test_intervals_hold_figures_and_are_the_same_for_any_number_of_threads(self):
        runs = [self.evaluate(*REAL, "--resamples", "100", "--seed", "5", "--threads", str(n)) for n in (1, 2, 5)]
        self.assertEqual(runs[0], runs[1])
        self.assertEqual(runs[0], runs[2])
        for scheme in runs[0]["schemes"].values():
            for way in ("micro avg", "macro avg", "weighted avg", "samples avg"):
                low, high = scheme["intervals"][way]["f1-score"]
                figure = scheme["report"][way]["f1-score"]
                self.assertTrue(low < figure < high and high - low < 0.1, (way, low, figure, high))
        other = self.evaluate(*REAL, "--resamples", "100", "--seed", "6")
        self.assertNotEqual(runs[0]["schemes"]["thresholds"]["intervals"], other["schemes"]["thresholds"]["intervals"])
        self.assertEqual(runs[0]["schemes"]["thresholds"]["report"], other["schemes"]["thresholds"]["report"])

    def test_a_comparison_is_paired(self):
        """What is the same but for one label differs by little, however far each figure's own interval goes."""
        scores = [list(row) for row in fixtures.LABELLED_SCORES]
        scores[0][0] = 0.25
        with open(self.path("other.npy"), "wb") as file:
            file.write(fixtures.matrix(scores, columns=3))
        compare = ["--compare", "labelled/scores.npy", "other.npy", "--labels-of", "labelled/names.txt"]
        found = self.evaluate("--data", "labelled/rows.tsv", *compare, "--resamples", "300")
        difference = found["differences"]["schemes"]["fixed_0.5"]["micro avg"]["recall"]
        own = [found[which]["schemes"]["fixed_0.5"] for which in "ab"]
        self.assertAlmostEqual(difference["difference"], -0.1)
        self.assertAlmostEqual(own[1]["report"]["micro avg"]["recall"] - own[0]["report"]["micro avg"]["recall"], -0.1)
        self.assertEqual(difference["share_above"], 0)
        low, high = difference["interval"]
        self.assertTrue(-0.35 < low < -0.1 and high == 0, (low, high))
        for which in own:
            low, high = which["intervals"]["micro avg"]["recall"]
            self.assertGreater(high - low, 0.4)

    def test_columns_of_a_comparison_are_matched_by_name(self):
        order = [2, 0, 1]
        with open(self.path("other.npy"), "wb") as file:
            file.write(fixtures.matrix([[row[i] for i in order] for row in fixtures.LABELLED_SCORES], columns=3))
        self.write_json("other.npy.labels.json", {"labels": ["anger", "joy", "love"]})
        found = self.evaluate("--data", "labelled/rows.tsv", "--compare", "labelled/scores.npy", "other.npy",
                              "--resamples", "0")
        self.assertEqual(found["a"]["schemes"], found["b"]["schemes"])
        self.assertEqual(found["a"]["scores"], found["b"]["scores"])

    # ---- Forms --------------------------------------------------------------------------------------------------------

    def test_csv_has_the_figures_of_json(self):
        arguments = [*SMALL, "--thresholds", "labelled/thresholds.json", "--resamples", "50"]
        found = self.evaluate(*arguments)
        lines = list(csv.DictReader(self.run_mien("evaluate", "--format", "csv", "-q", *arguments).splitlines()))
        self.assertEqual(len(lines), 2 * (3 + 4))
        for line in lines:
            expected = found["schemes"][line["scheme"]]["report"][line["name"]]
            for key in ("precision", "recall", "f1-score", "support", "threshold"):
                if key in expected:
                    self.assertAlmostEqual(float(line[key]), expected[key], delta=1e-14)

    def test_rows_in_jsonl_and_by_number_are_the_same(self):
        by_name = self.evaluate("--scores", "labelled/scores.npy", "--data", "labelled/rows.jsonl", "--resamples", "0")
        by_number = self.evaluate(*SMALL, "--resamples", "0")
        self.assertEqual(by_name["schemes"], by_number["schemes"])

    def test_mistakes_name_rows_that_are_wrong(self):
        found = self.evaluate(*REAL, "--resamples", "0", "--errors", "50")["errors"]
        with open(TEST, encoding="utf-8") as file:
            lines = file.read().split("\n")
        with open(os.path.join(SOURCE, "models/goemotions/labels.txt"), encoding="utf-8") as file:
            names = file.read().split()
        self.assertEqual(len(found["wrongly_given"]), 50)
        for kind, is_given in (("wrongly_given", True), ("wrongly_not_given", False)):
            scores = [mistake["score"] for mistake in found[kind]]
            self.assertEqual(scores, sorted(scores, reverse=is_given))
            for mistake in found[kind]:
                text, numbers, id_ = lines[mistake["line"] - 1].split("\t")
                self.assertEqual(mistake["row"], mistake["line"] - 1)
                self.assertEqual((text, id_), (mistake["text"], mistake["id"]))
                self.assertEqual({names[int(n)] for n in numbers.split(",")}, set(mistake["labels"]))
                self.assertEqual(mistake["label"] in mistake["labels"], not is_given)
                self.assertEqual(mistake["score"] > mistake["threshold"], is_given)
        rows = [pair["rows"] for pair in found["given_in_place_of_others"]]
        self.assertEqual(rows, sorted(rows, reverse=True))

    def test_one_row_and_labels_of_one_class(self):
        with open(self.path("one.npy"), "wb") as file:
            file.write(fixtures.matrix([[0.75, 0.25, 0.5]], columns=3))
        with open(self.path("one.tsv"), "w") as file:
            file.write("text\tjoy\n")
        found = self.evaluate("--scores", "one.npy", "--labels-of", "labelled/names.txt", "--data", "one.tsv",
                              "--resamples", "20")
        self.assertEqual(found["scores"]["roc_auc"]["mean"], None)
        self.assertEqual(found["scores"]["roc_auc"]["of_labels"], 0)
        self.assertEqual(found["scores"]["roc_auc"]["interval"], [None, None])
        self.assertEqual(found["scores"]["average_precision"]["labels"], {"joy": 1.0, "love": None, "anger": None})
        self.assertEqual(found["scores"]["average_precision"]["of_labels"], 1)
        self.assertEqual(found["schemes"]["fixed_0.5"]["subset_accuracy"], 1)
        self.assertEqual(found["schemes"]["fixed_0.5"]["report"]["love"],
                         {"precision": 0, "recall": 0, "f1-score": 0, "support": 0, "threshold": 0.5})

    def test_texts_and_names_are_no_markup_and_tell_terminals_nothing(self):
        name, text = "r\x1b[31m.tsv", "*a* <script>\x1b[31m\u009b31m | `b`"
        named = ["--labels-of", "labelled/names.txt"]
        known = self.evaluate(*SMALL, *named, "--resamples", "0")
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(f"{text}\t{known['labels'][0]}\n" * known["rows"])
        arguments = ["evaluate", "--scores", "labelled/scores.npy", *named, "--data", name, "--resamples", "0", "--errors",
                     "1", "-q"]
        shown = self.run_mien(*arguments)
        self.assertTrue(shown.startswith("r?[31m.tsv: "), shown[:40])
        self.assertIn("*a* <script>", shown)
        self.assertFalse({"\x1b", "\u009b"} & set(shown))
        self.assertIn("\\*a\\* \\<script> \\[31m  31m \\| \\`b\\`", self.run_mien(*arguments, "--format", "markdown"))

    # ---- Ends ---------------------------------------------------------------------------------------------------------

    def test_an_interrupted_run_leaves_nothing(self):
        for earlier in (None, "before\n"):
            if earlier:
                with open(self.path("card.md"), "w") as file:
                    file.write(earlier)
            before = sorted(os.listdir(self.temporary.name))
            run = subprocess.Popen([MIEN, "evaluate", *REAL, "--resamples", "1000000", "-o", "card.md"],
                                   cwd=self.temporary.name, stderr=subprocess.PIPE)
            time.sleep(2)
            run.send_signal(signal.SIGINT)
            _, stderr = run.communicate(timeout=300)
            self.assertEqual(run.returncode, 5, stderr)
            self.assertIn(b"interrupted", stderr)
            self.assertEqual(sorted(os.listdir(self.temporary.name)), before)
            if earlier:
                with open(self.path("card.md")) as file:
                    self.assertEqual(file.read(), earlier)

    def test_bad_input_leaves_an_output_as_it_was(self):
        with open(self.path("out"), "w") as file:
            file.write("before\n")
        for command in ("evaluate", "thresholds"):
            for scores in ("labelled/nan.npy", "labelled/short.npy", "labelled/logits.npy", "cut.npy", "text.npy"):
                self.run_mien(command, "--scores", scores, "--labels-of", "labelled/names.txt", "--data",
                              "labelled/rows.tsv", "-o", "out", code=3)
            for data in ("labelled/unknown.tsv", "labelled/number.tsv", "labelled/empty.tsv"):
                self.run_mien(command, "--scores", "more.npy", "--labels-of", "labelled/names.txt", "--data", data,
                              "-o", "out", code=3)
        with open(self.path("out")) as file:
            self.assertEqual(file.read(), "before\n")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
