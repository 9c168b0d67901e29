# SPDX-License-Identifier: Apache-2.0
"""Reports: the same of results in every format, counts that are those of the rows, and corrections that are right or
not made. report.py COMMAND [TEST...]"""

import collections
import datetime
import html
import json
import os
import subprocess
import sys
import unittest

import fixtures

MIEN = ""
SECONDS = 120
MODEL = ["--head", "head/model.onnx", "--labels", "head/labels.txt"]
LABELS = ["joy", "love", "anger"]


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


class Report(fixtures.InFolder):
    def run_mien(self, *arguments, **more):
        more = {"stdin": subprocess.DEVNULL, **more}
        return subprocess.run([MIEN, *arguments], cwd=self.folder, capture_output=True, timeout=SECONDS, **more)

    def do(self, *arguments, code=0, **more):
        done = self.run_mien(*arguments, **more)
        self.assertEqual(done.returncode, code, (arguments, done.stderr.decode()))
        return done

    def numbers(self, *arguments, **more):
        return json.loads(self.do("report", "--json", "-q", *arguments, **more).stdout)

    def page(self, *arguments):
        self.do("report", "-q", *arguments, "-o", "page.html")
        with open(self.path("page.html"), encoding="utf-8") as file:
            return file.read()

    def write_metrics(self, tp, fp, fn, rows, name="metrics.json", thresholds=None, labels=LABELS):
        figures = {"precision": tp / (tp + fp), "recall": tp / (tp + fn), "support": tp + fn}
        per_label = {label: {**figures, "threshold": (thresholds or {}).get(label)} for label in labels}
        self.write(name, json.dumps({"split": "test", "rows": rows, "per_label": per_label}))

    # ---- What is read ---------------------------------------------------------------------------------------------

    def test_every_format_gives_the_same_report(self):
        rows = [fixtures.ROWS[self.random.randrange(4)] for _ in range(200)]
        rows[7] = rows[190] = [fixtures.NAN] * 4
        self.write("in.npy", fixtures.matrix(rows))
        expected = None
        for ending in ("jsonl", "csv", "npy", "bits", "jsonl.zst", "csv.gz", "npy.zst", "bits.gz"):
            for parts in ([], ["--part-rows", "70"], ["--shard", "1/2"]):
                with self.subTest(ending=ending, parts=parts):
                    name = f"{parts[0][2:] if parts else 'one'}.{ending}"
                    label = ["label", *MODEL, "in.npy", "-q", "--scores", "all", "-o", name]
                    label = [a for a in label if a not in ("--scores", "all")] if "bits" in ending else label
                    self.do(*label, *parts)
                    if parts[:1] == ["--shard"]:
                        self.do(*label, "--shard", "2/2")
                    found = self.numbers(name, *([] if parts else MODEL))
                    expected = expected or found
                    for key in ("rows", "bad_rows", "without_labels", "pairs"):
                        self.assertEqual(found[key], expected[key], key)
                    for a, b in zip(found["labels"], expected["labels"]):
                        for key in ("label", "rows", "threshold"):
                            self.assertEqual(a[key], b[key])
                        if "bits" not in ending:
                            self.assertEqual(a["scores"], b["scores"])
                            self.assertEqual(sum(a["scores"]), 198)
        self.assertEqual((expected["rows"], expected["bad_rows"]), (200, 2))

    def test_counts_are_those_of_the_rows(self):
        rows = []
        for i in range(500):
            given = [label for label in LABELS if self.random.random() < 0.4]
            rows.append({"row": i, "labels": given, "scores": [round(self.random.uniform(0.5, 1), 3) for _ in given]})
            if i % 50 == 3:
                rows[-1]["truncated"] = True
        rows.append({"row": 500, "error": "no text"})
        self.write("a.jsonl", lines(rows[:200]))
        self.write("b.jsonl", lines(rows[200:]))
        found = self.numbers("a.jsonl", "b.jsonl")
        self.assertEqual((found["rows"], found["bad_rows"], found["truncated"]), (501, 1, 10))
        good = rows[:500]
        self.assertEqual(found["without_labels"], sum(not row["labels"] for row in good))
        by_name = {label["label"]: label for label in found["labels"]}
        for label in LABELS:
            n = sum(label in row["labels"] for row in good)
            self.assertEqual((by_name[label]["rows"], by_name[label]["share"]), (n, n / 500))
            scores = [s for row in good for l, s in zip(row["labels"], row["scores"]) if l == label]
            self.assertEqual(sum(by_name[label]["given_scores"]), n)
            self.assertEqual(by_name[label]["given_scores"][19], sum(s >= 0.95 for s in scores))
        for pair in found["pairs"]:
            a, b = pair["labels"]
            n = sum(a in row["labels"] and b in row["labels"] for row in good)
            self.assertEqual(pair["rows"], n)
            self.assertAlmostEqual(pair["lift"], n * 500 / by_name[a]["rows"] / by_name[b]["rows"])
        self.assertEqual(len(found["pairs"]), 3)
        again = self.numbers("-", "--input-format", "jsonl", stdin=open_all(self, "a", "b"))
        self.assertEqual(again["labels"], found["labels"])

    def test_no_rows_are_a_report_too(self):
        self.write("none.jsonl", "")
        self.assertEqual(self.numbers("none.jsonl")["rows"], 0)
        self.assertIn("Labels of 0 rows", self.page("none.jsonl"))

    def test_labels_that_are_not_those_of_the_default_model(self):
        self.write("own.jsonl", lines({"labels": ["mine"] if i % 2 else ["joy"], "scores": [0.9]} for i in range(10)))
        found = self.numbers("own.jsonl")
        self.assertEqual([label["label"] for label in found["labels"]], ["joy", "mine"])
        self.assertIn("not those of", found["uncorrected"])
        self.assertEqual([label["corrected"] for label in found["labels"]], [None, None])
        self.do("label", *MODEL, "rows.npy", "-q", "--part-rows", "10", "-o", "own.bits")
        self.assertIn("not those of", self.numbers("own.bits")["uncorrected"])

    def test_columns_of_the_default_model_and_labels_of_another(self):
        """The columns have scores of what was assumed; labels that are met are more than there are columns."""
        self.write("none.jsonl", "")
        names = [label["label"] for label in self.numbers("none.jsonl")["labels"]]
        self.assertGreater(len(names), 20)
        for n in (1, 40, 1000 - len(names)):
            given = [f"q{i}" for i in range(n)]
            self.write("x.csv", ",".join(["row,id,labels,error,x", *names]) + "\n" +
                       ",".join(["0", "", "|".join(given), "", "", *["0.5"] * len(names)]) + "\n")
            found = self.numbers("x.csv")
            self.assertEqual({label["label"] for label in found["labels"] if label["rows"]}, set(given))
            self.assertEqual([label["scores"] for label in found["labels"]], [None] * n)

    def test_arrays_without_their_labels_are_not_those_of_the_default_model(self):
        for ending in ("npy", "bits"):
            self.do("label", *MODEL, "rows.npy", "-q", "-o", f"whole.{ending}")
            os.rename(self.path(f"whole.{ending}"), self.path(f"alone.{ending}"))
            done = self.do("report", f"alone.{ending}", "--json", code=3)
            self.assertIn(f"labels in alone.{ending}.labels.json, which is not there: say --model",
                          done.stderr.decode())
            self.assertEqual(self.numbers(f"alone.{ending}", *MODEL)["rows"], 4)
        # 28 columns could be of any 28 labels.
        self.write("guess.npy", fixtures.matrix([[0.5] * 28], columns=28))
        self.assertIn("which is not there", self.do("report", "guess.npy", "--json", code=3).stderr.decode())

    def test_what_is_no_result_is_refused(self):
        self.write("arrays.npy", fixtures.matrix([[0.5, 0.5]], columns=2))
        refused = {
            "x.jsonl": [
                ('{"labels":["joy"]', "x.jsonl:1:"),
                ("[1]", "expected a JSON object"),
                ('{"text":"a"}', "expected labels or an error"),
                ('{"labels":"joy"}', "expected labels or an error"),
                ('{"labels":[1]}', "expected strings"),
                ('{"labels":["joy","joy"]}', "every label once"),
                ('{"labels":["joy"],"scores":[2]}', "a number from 0 to 1"),
                ('{"labels":["joy"],"scores":[]}', "a number from 0 to 1"),
                ('{"labels":["a\\u0000b"]}', "without control characters"),
                ('{"labels":[""]}', "without control characters"),
                ('{"labels":[],"labels":[]}', "duplicate object key"),
                ('{"labels":["\udcff"]}', "x.jsonl:1:"),
                ('{"labels":[]}\n' + '{"labels":[' * 3000, "x.jsonl:2:"),
            ],
            "x.csv": [
                ("", "expected a header"),
                ("text,labels\na,joy\n", "expected a header that begins with"),
                ("row,id,labels,error\n0,,joy\n", "x.csv:2:"),
                ("row,id,labels,error\n0,,joy|joy,\n", "every label once"),
                ("row,id,labels,error\n0,,|,\n", "label ''"),
                ('row,id,labels,error\n0,,"joy,\n', "x.csv:2:"),
            ],
        }
        for name, cases in refused.items():
            for data, message in cases:
                with self.subTest(data=data[:60]):
                    self.write(name, data.encode("utf-8", "surrogateescape"))
                    done = self.do("report", name, "-o", "page.html", code=3)
                    self.assertIn(message, done.stderr.decode())
                    self.assertFalse(os.path.exists(self.path("page.html")))
        done = self.do("report", "arrays.npy", "-o", "page.html", *MODEL, code=3)
        self.assertIn("expected 3 columns of float32 for 3 labels, found 2", done.stderr.decode())
        done = self.do("report", "arrays.npy", "-o", "page.html", "--metrics", "x", code=3)
        self.assertIn("say --model", done.stderr.decode())
        self.do("report", "nowhere.jsonl", "-o", "page.html", code=3)
        self.do("report", "head", "-o", "page.html", code=3)
        self.assertFalse(os.path.exists(self.path("page.html")))

    def test_damaged_results_never_crash(self):
        self.write("in.npy", fixtures.matrix(fixtures.ROWS * 5))
        for ending in ("jsonl", "csv", "npy", "bits", "jsonl.zst"):
            scores = [] if ending == "bits" else ["--scores", "all"]
            self.do("label", *MODEL, "in.npy", "-q", *scores, "-o", f"whole.{ending}")
            with open(self.path(f"whole.{ending}"), "rb") as file:
                whole = file.read()
            for i in range(8):
                data = bytearray(whole[: self.random.randrange(len(whole))] if i % 2 else whole)
                for _ in range(3):
                    if data:
                        data[self.random.randrange(len(data))] = self.random.randrange(256)
                self.write(f"whole.{ending}", bytes(data))
                done = self.run_mien("report", "--json", "-q", f"whole.{ending}", *MODEL)
                self.assertIn(done.returncode, (0, 3), (ending, bytes(data), done.stderr))

    # ---- By a field -----------------------------------------------------------------------------------------------

    def test_dates_of_all_kinds_are_the_same_times(self):
        moments = [datetime.datetime(2024, 1, 1 + day, 12, tzinfo=datetime.timezone.utc) for day in range(10)]
        kinds = [
            lambda t: t.date().isoformat(),
            lambda t: t.isoformat(),
            lambda t: t.strftime("%Y-%m-%dT%H:%M:%S.123Z"),
            lambda t: t.astimezone(datetime.timezone(datetime.timedelta(hours=-5))).isoformat(),
            lambda t: int(t.timestamp()),
            lambda t: int(t.timestamp()) * 1000 + 7,
            lambda t: str(int(t.timestamp()) * 1000000),
            lambda t: int(t.timestamp()) * 1000000 + 7,
        ]
        for kind in kinds:
            rows = [{"labels": ["joy"] if i % 3 else [], "scores": [0.9][: i % 3], "at": kind(t)}
                    for i, t in enumerate(moments * 20)]
            self.write("dated.jsonl", lines(rows))
            found = self.numbers("dated.jsonl", "--by", "at")["by"]
            expected = [sum(bool(row["labels"]) for row in rows[day::10]) for day in range(10)]
            days = [f"2024-01-{day:02}" for day in range(1, 11)]
            self.assertEqual([group["start"][:10] for group in found["groups"]], days)
            self.assertEqual([group["labels"]["joy"] for group in found["groups"]], expected)
            self.assertEqual([group["rows"] for group in found["groups"]], [20] * 10)

    def test_many_years_are_few_points(self):
        rows = [{"labels": ["joy"], "scores": [0.9], "at": f"{1900 + i % 120}-{1 + i % 12:02}-{1 + i % 28:02}"}
                for i in range(9000)]
        self.random.shuffle(rows)
        self.write("dated.jsonl", lines(rows))
        found = self.numbers("dated.jsonl", "--by", "at")["by"]
        self.assertEqual((found["unit"], len(found["groups"])), ("year", 120))
        self.assertEqual([group["rows"] for group in found["groups"]], [75] * 120)
        self.assertEqual([group["start"] for group in found["groups"]], [str(1900 + i) for i in range(120)])

    def test_values_are_counted_and_the_rare_ones_are_one(self):
        names = [f"name {min(i % 50, i % 7)}" for i in range(2000)] + [f"rare {i}" for i in range(1500)]
        rows = [{"labels": ["joy"][: i % 2], "scores": [0.9][: i % 2], "who": name} for i, name in enumerate(names)]
        rows += [{"labels": [], "scores": []}, {"labels": [], "scores": [], "who": None}]
        self.write("named.jsonl", lines(rows))
        found = self.numbers("named.jsonl", "--by", "who")["by"]
        self.assertEqual(found["unit"], None)
        counts = collections.Counter(names)
        self.assertEqual(len(found["groups"]), 21)
        for group in found["groups"][:7]:
            self.assertEqual(group["rows"], counts[group["value"]])
        self.assertEqual(found["groups"][-1]["value"], None)
        self.assertEqual(sum(group["rows"] for group in found["groups"]), 3500)
        self.assertIn("2 rows without a value", self.page("named.jsonl", "--by", "who"))

    def test_numbers_are_told_apart_as_they_were_written(self):
        numbers = ["9007199254740993", "9007199254740992", "18446744073709551615", "18446744073709551614", "-1",
                   "1" * 40, "0.10", "1e999", "1" * 400]
        kept = "".join(f'{{"labels":["joy"],"scores":[0.9],"n":{n},"other":[{n}]}}\n' for n in numbers)
        self.write("numbers.jsonl", kept)
        for by in ("n", "other"):
            groups = self.numbers("numbers.jsonl", "--by", by)["by"]["groups"]
            shown = [(n if by == "n" else f"[{n}]")[:200] for n in numbers]
            self.assertEqual(sorted((group["value"], group["rows"]) for group in groups),
                             sorted((n, 1) for n in shown))
        self.assertEqual(self.numbers("numbers.jsonl")["rows"], 9)

    def test_a_field_that_is_not_there_is_told(self):
        self.write("a.jsonl", lines([{"labels": []}]))
        self.assertIn("--by: expected rows with the field 'at'",
                      self.do("report", "a.jsonl", "--json", "--by", "at", code=3).stderr.decode())

    # ---- Corrections ----------------------------------------------------------------------------------------------

    def write_given(self, given, rows, score=0.9):
        with_joy = {"labels": ["joy"], "scores": [score]}
        self.write("given.jsonl", lines([with_joy] * given + [{"labels": [], "scores": []}] * (rows - given)))

    def joy(self, *options):
        return next(label for label in self.numbers("given.jsonl", *options)["labels"] if label["label"] == "joy")

    def test_counts_are_corrected_by_what_was_measured(self):
        self.write_given(2750, 10000)  # of 3,000: 80% of them, and 5% of the others
        self.write_metrics(tp=800, fp=500, fn=200, rows=11000)
        joy = self.joy("--metrics", "metrics.json")
        self.assertEqual(joy["correction"], "corrected")
        self.assertAlmostEqual(joy["corrected"]["share"], 0.3)
        self.assertLess(joy["corrected"]["low"], 0.29)
        self.assertGreater(joy["corrected"]["high"], 0.31)
        page = self.page("given.jsonl", "--metrics", "metrics.json")
        self.assertIn("<strong>30.0%</strong>", page)
        self.assertIn("27.5% <span class=\"quiet\">(2,750)</span>", page)

    def test_figures_of_evaluate_correct_too(self):
        labelled = ["--scores", "labelled/scores.npy", "--data", "labelled/rows.tsv", "--thresholds",
                    "labelled/thresholds.json", "--json", "-q", "--resamples", "20"]
        self.write("figures.json", self.do("evaluate", *labelled).stdout)
        self.write_given(100, 1000)
        found = self.numbers("given.jsonl", "--metrics", "figures.json")
        self.assertEqual((found["measured"]["rows"], found["measured"]["tuned_on_this_data"]), (8, False))
        self.assertIn(self.joy("--metrics", "figures.json")["correction"], ("corrected", "not_identified"))

    def test_what_cannot_be_corrected_is_left(self):
        self.write_given(100, 1000)
        self.write_metrics(tp=100, fp=1000, fn=900, rows=11000)
        self.assertEqual(self.joy("--metrics", "metrics.json")["correction"], "not_identified")
        self.assertIn("cannot be told from chance", self.page("given.jsonl", "--metrics", "metrics.json"))
        self.write_metrics(tp=800, fp=5000, fn=200, rows=11000)
        self.write_given(100, 1000)  # of none true 500 would be
        self.assertEqual(self.joy("--metrics", "metrics.json")["correction"], "inconsistent")
        page = self.page("given.jsonl", "--metrics", "metrics.json")
        self.assertIn("contradicts what was measured</td>", page)
        self.assertNotIn("0% –", page)
        self.write_metrics(tp=800, fp=500, fn=200, rows=11000, labels=["love"])
        self.assertEqual(self.joy(*MODEL, "--metrics", "metrics.json")["correction"], "no_figures")
        self.write_metrics(tp=800, fp=500, fn=200, rows=11000, thresholds={"joy": 0.7})
        options = [*MODEL, "--threshold", "0.5", "--metrics", "metrics.json"]
        self.assertEqual(self.joy(*options)["correction"], "other_threshold")
        options[options.index("0.5")] = "0.7"
        self.assertEqual(self.joy(*options)["correction"], "corrected")

    def test_labels_below_their_thresholds_are_seen(self):
        self.write_given(100, 1000, score=0.4)
        self.write_metrics(tp=800, fp=500, fn=200, rows=11000)
        found = self.numbers("given.jsonl", *MODEL, "--threshold", "0.5", "--metrics", "metrics.json")
        self.assertIn("--top-k", found["uncorrected"])
        self.do("label", *MODEL, "--top-k", "2", "rows.npy", "-q", "--part-rows", "10", "-o", "top.jsonl")
        self.assertIn("--top-k", self.numbers("top.jsonl", "--metrics", "metrics.json")["uncorrected"])

    def test_all_scores_tell_how_labels_were_given(self):
        rows = [fixtures.ROWS[self.random.randrange(4)] for _ in range(40)]
        self.write("in.npy", fixtures.matrix(rows))
        self.write_metrics(tp=800, fp=500, fn=200, rows=11000)
        for ending in ("jsonl", "csv"):
            for rule in ([], ["--threshold", "0.999"], ["--threshold", "0.01"], ["--top-k", "1"], ["--min-labels", "1"]):
                with self.subTest(ending=ending, rule=rule):
                    self.do("label", *MODEL, *rule, "in.npy", "-q", "--scores", "all", "-o", f"given.{ending}")
                    found = self.numbers(f"given.{ending}", *MODEL, "--metrics", "metrics.json")
                    self.assertEqual("--top-k" in (found["uncorrected"] or ""), bool(rule))
                    self.assertFalse(any("--top-k" in what for what in found["assumed"]))

    def test_figures_at_other_thresholds_than_labels_were_given_by(self):
        self.write_given(100, 1000, score=0.6)
        for threshold, is_other in ((0.7, True), (0.6, False), (0.5, False)):
            self.write_metrics(tp=800, fp=500, fn=200, rows=11000, thresholds={"joy": threshold})
            found = self.numbers("given.jsonl", "--metrics", "metrics.json")
            self.assertEqual("other thresholds" in (found["uncorrected"] or ""), is_other)

    def test_texts_that_were_labelled_by_their_spans_are_not_corrected(self):
        self.write("short.txt", "joy\n" * 20)
        self.write("long.txt", "joy\n" * 20 + "i am so happy. " * 40)
        model = ["--head", "texthead/model.onnx", "--labels", "texthead/labels.txt"]
        names = fixtures.FILES["texthead/labels.txt"].decode().split()
        self.write_metrics(tp=800, fp=500, fn=200, rows=11000, labels=names)
        for name, options, ending, is_split in (("short", ["--long", "split"], "jsonl", False),
                                                ("long", ["--long", "split"], "jsonl", True),
                                                ("long", ["--long", "split", "--part-rows", "5"], "jsonl", True),
                                                ("long", ["--long", "split", "--part-rows", "5"], "csv", True),
                                                ("long", ["--part-rows", "5"], "csv", False)):
            with self.subTest(name=name, options=options, ending=ending):
                output = f"{name}{len(options)}.{ending}"
                self.do("label", "--encoder", "encoder", *model, f"{name}.txt", "-q", *options, "-o", output)
                found = self.numbers(output, *model, "--metrics", "metrics.json")
                self.assertEqual("by their spans" in (found["uncorrected"] or ""), is_split)
                self.assertEqual(any(label["corrected"] for label in found["labels"]), not is_split)
                page = self.page(output, *model, "--metrics", "metrics.json")
                self.assertEqual("<strong>not corrected</strong>: long texts" in page, is_split)
        self.do("label", "--encoder", "encoder", *model, "long.txt", "-q", "--long", "split", "-o", "one.csv")
        self.assertIn("no text was labelled by its spans", self.page("one.csv", *model, "--metrics", "metrics.json"))

    def test_manifests_say_which_model_gave_the_labels(self):
        self.write("some.txt", "I am so happy\n")
        for model in ("goemotions-small", "goemotions-tiny"):
            self.do("label", "--model", model, "some.txt", "-q", "--part-rows", "5", "-o", f"{model}.jsonl")
            self.do("label", "--model", model, "some.txt", "-q", "-o", f"{model}-alone.jsonl")
        small, tiny = self.numbers("goemotions-small.jsonl"), self.numbers("goemotions-tiny.jsonl")
        self.assertEqual((small["uncorrected"], small["assumed"]), (None, []))
        self.assertIn("the model is not goemotions-small; --model names it", tiny["uncorrected"])
        self.assertEqual((tiny["measured"], [label["corrected"] for label in tiny["labels"]]), (None, [None] * 28))
        found = self.numbers("goemotions-tiny.jsonl", "--model", "goemotions-tiny")
        self.assertEqual((found["uncorrected"], found["assumed"]), (None, []))
        self.assertIn("another model than the one that is named",
                      self.numbers("goemotions-small.jsonl", "--model", "goemotions-tiny", "--thresholds",
                                   thresholds_of(self, small))["uncorrected"])
        for results in (["goemotions-small-alone.jsonl"], ["goemotions-small.jsonl", "goemotions-small-alone.jsonl"]):
            self.assertIn("these are results of goemotions-small", self.numbers(*results)["assumed"])

    def test_what_results_do_not_tell_is_assumed_and_said(self):
        self.write_metrics(tp=800, fp=500, fn=200, rows=11000)
        options = [*MODEL, "--metrics", "metrics.json"]
        for ending in ("jsonl", "csv", "bits", "npy"):
            with self.subTest(ending=ending):
                self.do("label", *MODEL, "rows.npy", "-q", "-o", f"one.{ending}")
                self.do("label", *MODEL, "rows.npy", "-q", "--part-rows", "3", "-o", f"parts.{ending}")
                told = [any("--top-k" in what for what in self.numbers(f"{name}.{ending}", *options)["assumed"])
                        for name in ("one", "parts")]
                self.assertEqual(told, [ending != "npy", False])  # of scores the report gives the labels
        self.assertIn("it is assumed, that labels were given by the thresholds", self.page("one.csv", *options))
        self.assertNotIn("it is assumed", self.page("parts.csv", *options))
        self.assertEqual(self.numbers("one.csv", *MODEL)["assumed"], [])  # nothing is corrected
        for name, is_shown in (("one.csv", False), ("one.bits", False), ("one.npy", True), ("parts.csv", True)):
            self.assertEqual("A row is given every label whose score is above" in self.page(name, *MODEL), is_shown)
        # Figures without thresholds and no model: nothing to compare scores with.
        self.write_given(100, 1000)
        self.assertIn("it is assumed", self.page("given.jsonl", "--metrics", "metrics.json"))

    def test_figures_that_are_none_are_refused(self):
        self.write_given(1, 2)
        for text in ("", "[]", "{}", '{"rows":10,"per_label":{}}', '{"rows":10,"per_label":{"joy":{}}}',
                     '{"rows":10,"per_label":{"joy":{"precision":2,"recall":1,"support":5}}}',
                     '{"rows":10,"per_label":{"joy":{"precision":0.5,"recall":0.123,"support":5}}}',
                     '{"rows":10,"per_label":{"joy":{"precision":1e-300,"recall":1,"support":5}}}',
                     '{"rows":1e99,"per_label":{}}'):
            self.write("metrics.json", text)
            self.assertIn("metrics.json", self.do("report", "given.jsonl", "--json", "--metrics", "metrics.json",
                                                  code=3).stderr.decode())

    # ---- The page -------------------------------------------------------------------------------------------------

    def test_texts_labels_values_and_names_are_escaped(self):
        hostile = "<script>alert(1)</script>\"'&<!--"
        row = {"labels": [hostile], "text": hostile + "\u0001\r\n\u202e", "scores": [0.9], "at": hostile}
        self.write("<b>&\"'.jsonl", lines([row]))
        page = self.page("<b>&\"'.jsonl", "--by", "at")
        escaped = html.escape(hostile).replace("&#x27;", "&#39;")
        self.assertNotIn("<script", page)
        self.assertNotIn("<b>", page)
        self.assertNotIn("\u0001", page)
        self.assertGreaterEqual(page.count(escaped), 5)
        for outside in ("http:", "https:", "src=", "href=", "url(", "@import", "style=\""):
            self.assertNotIn(outside, page)

    def test_examples_are_of_the_label_and_each_is_as_likely(self):
        """Of 40 texts 4 are drawn; over many runs of rows in another order none is left out."""
        texts = [f"text number {i}." for i in range(40)]
        seen = collections.Counter()
        for _ in range(30):
            self.random.shuffle(texts)
            rows = [{"labels": ["joy"], "text": text, "scores": [0.9]} for text in texts]
            rows += [{"labels": [], "text": "of no label", "scores": []}] * 40
            self.write("a.jsonl", lines(rows))
            page = self.page("a.jsonl")
            found = [text for text in texts if text in page]
            self.assertEqual(len(found), 4)
            self.assertNotIn("of no label", page)
            seen.update(found)
        self.assertGreater(len(seen), 30)  # expected are 38
        self.write("a.jsonl", lines([{"labels": ["joy"], "text": "é" * 600, "scores": [0.9]}]))
        self.assertIn(">" + "é" * 512 + "…</bdi>", self.page("a.jsonl"))

    def test_an_output_that_is_an_input_is_refused(self):
        self.write("a.jsonl", lines([{"labels": []}]))
        self.assertIn("the output is an input", self.do("report", "a.jsonl", "-o", "./a.jsonl", code=2).stderr.decode())
        self.do("report", "a.jsonl", code=2)
        self.do("report", "-o", "page.html", code=2)
        self.do("report", "a.jsonl", "-o", "-", "--json", code=2)
        self.do("report", "a.jsonl", "-o", "nowhere/page.html", code=4)
        self.assertEqual(self.do("report", "a.jsonl", "-o", "-").stdout[:15], b"<!doctype html>")

    @unittest.skipIf(sys.platform != "linux", "memory is measured as Linux tells it")
    def test_memory_does_not_grow_with_rows(self):
        if fixtures.is_sanitized(MIEN):
            self.skipTest("sanitizers keep what was freed")
        kilobytes = []
        for n in (20_000, 200_000):
            with open(self.path("many.jsonl"), "w", encoding="utf-8") as file:
                for i in range(n):
                    file.write(f'{{"labels":["joy"],"scores":[0.9],"text":"text {i}","who":"{i}"}}\n')
            process = subprocess.Popen([MIEN, "report", "many.jsonl", "--by", "who", "-q", "-o", "p.html"],
                                       cwd=self.folder)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            self.assertEqual(process.returncode, 0)
            kilobytes.append(usage.ru_maxrss)
        self.assertLess(kilobytes[1], kilobytes[0] + 4096, kilobytes)


def thresholds_of(test, report):
    """A file of the thresholds that a report names."""
    test.write("own.json", json.dumps({label["label"]: label["threshold"] for label in report["labels"]}))
    return "own.json"


def open_all(test, *names):
    """Both files after each other, as a file that stdin can be."""
    data = b""
    for name in names:
        with open(test.path(f"{name}.jsonl"), "rb") as file:
            data += file.read()
    test.write("all", data)
    file = open(test.path("all"), "rb")
    test.addCleanup(file.close)
    return file


if __name__ == "__main__":
    MIEN = os.path.abspath(sys.argv[1])
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
