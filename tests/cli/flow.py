# SPDX-License-Identifier: Apache-2.0
"""What flows through a run: every row once and in order, whatever the inputs and the workers; and what the run tells of it.

flow.py COMMAND [--rounds N] [TEST...]"""

import csv
import io
import json
import os
import random
import signal
import struct
import subprocess
import sys
import time
import unittest

import fixtures

MIEN = ""
LABEL = ["label", "--head", "head/model.onnx", "--labels", "head/labels.txt"]
LABEL_TEXTS = ["label", "--encoder", "encoder", "--head", "texthead/model.onnx", "--labels", "texthead/labels.txt"]
SECONDS = 120  # more than any run takes, under sanitizers too
ROUNDS = 25  # of random inputs, of texts and of embeddings
MOST_ROWS = 3000
BINS = 20
STAGES = ["read", "parse", "tokenize", "forward", "format", "write", "wait"]


class Flow(fixtures.InFolder):
    def do(self, *arguments, code=0, **more):
        more = {"stdin": subprocess.DEVNULL, **more}
        done = subprocess.run([MIEN, *arguments], cwd=self.folder, capture_output=True, timeout=SECONDS, **more)
        self.assertEqual(done.returncode, code, (arguments, done.stderr.decode()))
        return done

    def read_rows(self, name):
        return [json.loads(line) for line in self.read(name).splitlines()]

    # ---- Random inputs: each writes a file and returns (id or None, whether it is good) of its rows -----------------

    def random_text(self, numbers):
        """Mostly short; now and then one that takes a worker long."""
        most = 2000 if numbers.random() < 0.01 else 20
        return " ".join(numbers.choices([*fixtures.WORDS, "\u00e9", "\U0001f600", '"', ","], k=numbers.randrange(most)))

    def write_text(self, name, numbers, n):
        self.write(name, "".join(self.random_text(numbers) + "\n" for _ in range(n)).encode())
        return [(None, True)] * n

    def write_jsonl(self, name, numbers, n):
        lines, rows = [], []
        for _ in range(n):
            row = {"id": numbers.randrange(10**9), "text": self.random_text(numbers)}
            bad = numbers.choice(["null", "missing", "number", "broken", "array"]) if numbers.random() < 0.1 else None
            if bad == "null":
                row["text"] = None
            elif bad == "missing":
                del row["text"]
            elif bad == "number":
                row["text"] = 7
            line = json.dumps(row, ensure_ascii=numbers.random() < 0.5)
            lines.append({"broken": line[:-1], "array": "[]"}.get(bad, line))
            rows.append((None if bad in ("broken", "array") else row["id"], bad is None))
        self.write(name, ("\n".join(lines) + "\n" * (n > 0)).encode())
        return rows

    def write_csv(self, name, numbers, n):
        out, rows = io.StringIO(), []
        lines = csv.writer(out)
        lines.writerow(["id", "text"])
        for _ in range(n):
            number, bad = str(numbers.randrange(10**9)), numbers.random() < 0.1
            lines.writerow([number, self.random_text(numbers) + numbers.choice(["", "\n"])] + ["more"] * bad)
            rows.append((None if bad else number, not bad))
        self.write(name, out.getvalue().encode())
        return rows

    def write_tsv(self, name, numbers, n):
        lines, rows = ["id\ttext"], []
        for _ in range(n):
            number, bad = str(numbers.randrange(10**9)), numbers.random() < 0.1
            lines.append(f"{number}\t{self.random_text(numbers)}" + "\tmore" * bad)
            rows.append((None if bad else number, not bad))
        self.write(name, ("\n".join(lines) + "\n").encode())
        return rows

    def random_embeddings(self, numbers, n):
        rows, good = [], []
        for _ in range(n):
            row = list(numbers.choice(fixtures.ROWS))
            good.append(numbers.random() >= 0.1)
            if not good[-1]:
                row[numbers.randrange(fixtures.D)] = numbers.choice([fixtures.NAN, float("inf")])
            rows.append(row)
        return b"".join(struct.pack("<4f", *row) for row in rows), [(None, is_good) for is_good in good]

    def write_npy(self, name, numbers, n):
        data, rows = self.random_embeddings(numbers, n)
        self.write(name, fixtures.npy((n, fixtures.D), data=data))
        return rows

    def write_f32(self, name, numbers, n):
        data, rows = self.random_embeddings(numbers, n)
        self.write(name, data)
        return rows

    def write_inputs(self, numbers, formats):
        """Names of files, and for all of their rows (file, id, whether good)."""
        names, rows = [], []
        for i in range(numbers.randrange(1, 6)):
            ending = numbers.choice(formats)
            name = f"in-{i}.{ending}"
            n = numbers.choice([0, 1, numbers.randrange(MOST_ROWS)])
            found = getattr(self, "write_" + {"txt": "text"}.get(ending, ending))(name, numbers, n)
            names.append(name)
            rows += [(name, *row) for row in found]
        return names, rows

    # ---- Every row once, in order ------------------------------------------------------------------------------------

    def check_rows(self, found, names, rows, has_ids):
        self.assertEqual([row["row"] for row in found], list(range(len(rows))))
        for row, (name, number, is_good) in zip(found, rows):
            self.assertEqual(row.get("file"), name if len(names) > 1 else None, row)
            self.assertEqual("error" not in row, is_good, row)
            if has_ids and number is not None:
                self.assertEqual(row.get("id"), number, row)

    def check_round(self, numbers, label, formats):
        names, rows = self.write_inputs(numbers, formats)
        has_ids = "csv" in formats
        ids = []
        if any(name.endswith("jsonl") for name in names):
            ids += ["--id-field", "id"]
        if any(name.endswith(("csv", "tsv")) for name in names):
            ids += ["--id-column", "id"]
        threads = [str(numbers.randrange(1, 33)) for _ in range(2)]
        run = [*label, *ids, *names, "--stats", "stats.json"]
        for one in threads:
            self.do(*run, "--threads", one, "-o", f"{one}.jsonl")
        whole = self.read(f"{threads[0]}.jsonl")
        self.assertEqual(self.read(f"{threads[1]}.jsonl"), whole)
        self.check_rows([json.loads(line) for line in whole.splitlines()], names, rows, has_ids)
        stats = json.loads(self.read("stats.json"))
        n_bad = sum(not is_good for _, _, is_good in rows)
        self.assertEqual((stats["rows"], stats["bad_rows"]), (len(rows), n_bad))
        # Parts cut chunks elsewhere.
        self.do(*run, "--threads", threads[0], "--part-rows", str(numbers.randrange(1, 400)), "-o", "parts.jsonl")
        self.do("merge", "parts.jsonl", "-o", "merged.jsonl")
        self.assertEqual(self.read("merged.jsonl"), whole)
        for name in os.listdir(self.path("parts.jsonl")):
            os.remove(self.path("parts.jsonl", name))

    def test_texts_keep_their_order_ids_and_count(self):
        for seed in range(ROUNDS):
            with self.subTest(seed=seed):
                self.check_round(random.Random(seed), LABEL_TEXTS, ["txt", "jsonl", "csv", "tsv"])

    def test_embeddings_keep_their_order_and_count(self):
        for seed in range(ROUNDS):
            with self.subTest(seed=seed):
                self.check_round(random.Random(seed), LABEL, ["npy", "f32"])

    def test_a_stream_in_pieces_is_the_file(self):
        for seed in range(ROUNDS):
            numbers = random.Random(seed)
            with self.subTest(seed=seed):
                self.write_jsonl("in.jsonl", numbers, numbers.randrange(MOST_ROWS))
                self.do(*LABEL_TEXTS, "--id-field", "id", "in.jsonl", "-o", "file.jsonl")
                run = subprocess.Popen(
                    [MIEN, *LABEL_TEXTS, "--id-field", "id", "--input-format", "jsonl", "-", "-o", "stream.jsonl",
                     "--threads", str(numbers.randrange(1, 17))],
                    cwd=self.folder, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL,
                )
                left = self.read("in.jsonl")
                while left:
                    size = numbers.choice([1, 100, 10000, 200000])
                    run.stdin.write(left[:size])
                    run.stdin.flush()
                    left = left[size:]
                run.stdin.close()
                self.assertEqual(run.wait(SECONDS), 0)
                # A row's explanation and all else are the same: a stream has one file as well.
                self.assertEqual(self.read("stream.jsonl"), self.read("file.jsonl"))

    # ---- Statistics --------------------------------------------------------------------------------------------------

    def check_stats(self, stats, rows):
        """That the statistics are those of rows with all scores."""
        good = [row for row in rows if "error" not in row]
        self.assertEqual(stats["rows"], len(rows))
        self.assertEqual(stats["bad_rows"], len(rows) - len(good))
        self.assertEqual(stats["truncated"], sum("truncated" in row for row in rows))
        self.assertEqual(stats["labels"], sum(len(row["labels"]) for row in good))
        self.assertEqual(stats["histogram_bins"], BINS)
        for i, label in enumerate(stats["label_scores"]):
            bins = [0] * BINS
            for row in good:
                # As float32: numbers in the output are those.
                bins[min(BINS - 1, int(struct.unpack("<f", struct.pack("<f", row["all_scores"][i] * BINS))[0]))] += 1
            self.assertEqual(label["histogram"], bins)
            self.assertEqual(label["rows"], sum(label["label"] in row["labels"] for row in good))
        self.assertEqual(list(stats["stage_seconds"]), STAGES)
        self.assertAlmostEqual(sum(stats["stage_seconds"].values()), stats["threads"] * stats["seconds"], delta=1e-3)
        self.assertIn(stats["bottleneck"], STAGES)

    def test_statistics_are_those_of_the_output(self):
        numbers = random.Random(1)
        self.write_jsonl("in.jsonl", numbers, 2000)
        for more in ([], ["--top-k", "2"], ["--min-labels", "1"]):
            run = [*LABEL_TEXTS, "in.jsonl", *more, "--max-tokens", "12", "--stats", "stats.json"]
            self.do(*run, "-o", "out.jsonl", "--scores", "all")
            stats = json.loads(self.read("stats.json"))
            self.assertEqual((stats["outcome"], stats["error"]), ("done", None))
            self.assertEqual(stats["inputs"], [{"path": "in.jsonl", "format": "jsonl"}])
            self.assertEqual(stats["bytes"], os.path.getsize(self.path("in.jsonl")))
            self.assertGreater(stats["tokens"], 2 * stats["rows"] - 2 * stats["bad_rows"])
            self.check_stats(stats, self.read_rows("out.jsonl"))
            # Whatever the format; one that lists labels has them chosen the same way.
            for name in ("out.csv", "out.bits") if "--top-k" not in more else ("out.csv",):
                self.do(*run, "-o", name)
                self.assertEqual(json.loads(self.read("stats.json"))["label_scores"], stats["label_scores"])

    def test_statistics_of_a_run_that_fails_are_those_of_the_rows_before(self):
        self.write_jsonl("in.jsonl", random.Random(2), 1000)
        self.do(*LABEL_TEXTS, "in.jsonl", "-o", "out.jsonl", "--max-bad-rows", "20", "--stats", "stats.json", code=3)
        stats = json.loads(self.read("stats.json"))
        self.assertEqual(stats["outcome"], "failed")
        self.assertIn("bad rows", stats["error"])
        self.assertLess(stats["rows"], 1000)
        self.assertFalse(os.path.exists(self.path("out.jsonl")))

    def test_statistics_of_a_run_that_is_interrupted_are_there(self):
        for more in ([], ["--part-rows", "1000"]):
            run = subprocess.Popen(
                [MIEN, *LABEL, "--input-format", "f32", "-", "-o", "out" + "-parts" * bool(more) + ".jsonl", *more,
                 "--stats", "stats.json"],
                cwd=self.folder, stdin=subprocess.PIPE, stderr=subprocess.PIPE,
            )
            run.stdin.write(fixtures.raw(fixtures.ROWS) * 50000)
            run.stdin.flush()
            time.sleep(0.5)
            run.send_signal(signal.SIGINT)
            self.assertEqual(run.wait(SECONDS), 5, run.stderr.read())
            run.stdin.close()
            run.stderr.close()
            self.assertEqual(json.loads(self.read("stats.json"))["outcome"], "interrupted")
            os.remove(self.path("stats.json"))

    def test_statistics_of_parts_are_those_of_this_run(self):
        self.write("in.npy", fixtures.npy((1000, fixtures.D), data=fixtures.raw(fixtures.ROWS) * 250))
        run = [*LABEL, "in.npy", "-o", "out.jsonl", "--resume", "--part-rows", "300", "--stats", "stats.json"]
        self.do(*run)
        self.assertEqual(json.loads(self.read("stats.json"))["rows"], 1000)
        # Without its last part and end, the manifest of a run that has that part to do.
        lines = self.read("out.jsonl/manifest.jsonl").splitlines(keepends=True)
        self.write("out.jsonl/manifest.jsonl", b"".join(lines[:-2]))
        self.do(*run)
        self.assertEqual(json.loads(self.read("stats.json"))["rows"], 100)

    def test_statistics_replace_nothing_that_the_run_reads_or_writes(self):
        self.write("in.npy", fixtures.npy((4, fixtures.D), data=fixtures.raw(fixtures.ROWS)))
        for name in ("in.npy", "out.jsonl", "head/model.onnx", "head/labels.txt"):
            self.do(*LABEL, "in.npy", "-o", "out.jsonl", "--stats", name, code=2)
        self.assertFalse(os.path.exists(self.path("out.jsonl")))

    # ---- Progress ----------------------------------------------------------------------------------------------------

    def tell(self, *arguments):
        """What a run of some seconds tells on a stderr that is no terminal."""
        run = subprocess.Popen(
            [MIEN, *LABEL, "--input-format", "f32", "-", "-o", "out.bits", *arguments],
            cwd=self.folder, stdin=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for _ in range(25):
            run.stdin.write(fixtures.raw(fixtures.ROWS) * 20000)
            run.stdin.flush()
            time.sleep(0.1)
        run.stdin.close()
        self.assertEqual(run.wait(SECONDS), 0)
        told = run.stderr.read().decode()
        run.stderr.close()
        return told.splitlines()

    def test_progress_is_a_line_now_and_then(self):
        lines = self.tell("--log-every", "1")
        self.assertGreaterEqual(len(lines), 2, lines)
        self.assertLessEqual(len(lines), 5, lines)
        for line in lines[:-1]:
            self.assertRegex(line, r"^mien: \d+ rows, \d+ rows/s, [\d.]+ ?[kMG]?B/s$")
        self.assertEqual(len(self.tell()), 1)
        self.assertEqual(self.tell("--log-every", "1", "--quiet"), [])

    def test_progress_is_json_where_it_is_asked_for(self):
        lines = [json.loads(line) for line in self.tell("--log-every", "1", "--log-format", "json")]
        self.assertGreaterEqual(len(lines), 2, lines)
        for line in lines[:-1]:
            self.assertEqual(line["event"], "progress")
            self.assertGreater(line["rows_per_s"], 0)
            self.assertAlmostEqual(line["bytes_per_s"] / line["rows_per_s"], 4 * fixtures.D, delta=0.1)
            self.assertEqual(line["tokens_per_s"], 0)
        self.assertEqual(lines[-1]["event"], "summary")
        self.assertEqual(lines[-1]["rows"], 25 * 80000)


if __name__ == "__main__":
    MIEN = os.path.abspath(sys.argv.pop(1))
    if fixtures.is_sanitized(MIEN):
        ROUNDS //= 3
    if sys.argv[1:2] == ["--rounds"]:
        ROUNDS = int(sys.argv.pop(2))
        del sys.argv[1]
    unittest.main()
