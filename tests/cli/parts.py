# SPDX-License-Identifier: Apache-2.0
"""Outputs in parts: whatever ends a run, and wherever, its parts and those of a run that goes on are the one output.

parts.py COMMAND WRITE_FAULTS [TEST...]: WRITE_FAULTS is the library that is made of write_faults.c."""

import fcntl
import gzip
import json
import os
import resource
import shutil
import signal
import struct
import subprocess
import sys
import time
import unittest

import fixtures

MIEN = WRITE_FAULTS = ""
LABEL = ["label", "--head", "head/model.onnx", "--labels", "head/labels.txt"]
LABEL_TEXTS = ["label", "--encoder", "encoder", "--head", "texthead/model.onnx", "--labels", "texthead/labels.txt"]
SECONDS = 120  # more than any run takes, under sanitizers too
KILLS = 50
# What is no part of the output: when files were changed, and locks.
ASIDE = ("inputs.json", ".inputs.lock")


class Parts(fixtures.InFolder):
    # Runs in parts wait for the disk again and again, which is nothing that a process killed here is about.
    PLACE = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

    def run_mien(self, *arguments, **more):
        more = {"stdin": subprocess.DEVNULL, **more}
        return subprocess.run([MIEN, *arguments], cwd=self.folder, capture_output=True, timeout=SECONDS, **more)

    def start(self, *arguments, **more):
        more = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
        return subprocess.Popen([MIEN, *arguments], cwd=self.folder, **more)

    def do(self, *arguments, code=0, **more):
        """The stderr of a run that ends with `code`."""
        done = self.run_mien(*arguments, **more)
        self.assertEqual(done.returncode, code, (arguments, done.stderr.decode()))
        return done.stderr.decode()

    def bytes_of(self, *names):
        with open(self.path(*names), "rb") as file:
            return file.read()

    def write_rows(self, name, n, bad=0.01):
        rows = [
            [fixtures.NAN] * 4 if self.random.random() < bad else fixtures.ROWS[self.random.randrange(4)]
            for _ in range(n)
        ]
        self.write(name, fixtures.matrix(rows))

    def write_texts(self):
        """Inputs of every format of text, with bad rows among them; their names."""
        words = fixtures.WORDS
        texts = [" ".join(self.random.choices(words, k=self.random.randrange(5))) for _ in range(200)]
        self.write("a.txt", "\n".join(texts[:60]).encode())
        lines = [json.dumps({"text": text if i % 9 else None, "n": i}) for i, text in enumerate(texts[60:130])]
        self.write("b.jsonl", "\n\n".join(lines).encode() + b"\n")
        self.write("c.csv", ("text,n\n" + "".join(f'"{text},\n""",{i}\n' for i, text in enumerate(texts[130:]))).encode())
        return ["a.txt", "b.jsonl", "c.csv"]

    def files_of(self, folder):
        """Their bytes by their names; of a folder None."""
        names = [name for name in os.listdir(self.path(folder)) if name not in ASIDE]
        return {n: None if os.path.isdir(self.path(folder, n)) else self.bytes_of(folder, n) for n in names}

    def assert_same_files(self, found, expected, why=None):
        self.assertEqual(sorted(found), sorted(expected), why)
        for name, bytes_ in expected.items():
            self.assertEqual(found[name], bytes_, (name, why))

    def assert_merged(self, folder, one):
        """The folder's parts merged are the file, and the sidecars."""
        ending = os.path.splitext(one)[1]
        self.do("merge", folder, "-o", "merged" + ending)
        self.assertEqual(self.bytes_of("merged" + ending), self.bytes_of(one), folder)
        for sidecar in (".labels.json", ".rows.json"):
            if os.path.exists(self.path(one + sidecar)):
                self.assertEqual(self.bytes_of("merged" + ending + sidecar), self.bytes_of(one + sidecar))

    # ---- What is written ------------------------------------------------------------------------------------------

    def kinds_of_run(self):
        """(name, ending, arguments) of runs of every content and format."""
        self.write_rows("rows_a.npy", 230)
        self.write_rows("rows_b.npy", 0)
        self.write_rows("rows_c.npy", 45)
        texts = self.write_texts()
        rows = ["rows_a.npy", "rows_b.npy", "rows_c.npy"]
        encoder = ["--encoder", "encoder"]
        for format_ in ("jsonl", "csv", "npy", "bits"):
            yield f"rows_{format_}", format_, [*LABEL, *rows]
        for format_ in ("jsonl", "csv", "npy", "bits"):
            kept = ["--keep", "n"] if format_ in ("jsonl", "csv") else []
            yield f"texts_{format_}", format_, [*LABEL_TEXTS, *kept, *texts]
        for format_ in ("npy", "f32"):
            yield f"embed_{format_}", format_, ["embed", *encoder, *texts]
        yield "tokenize", "jsonl", ["tokenize", *encoder, *texts]

    def test_parts_and_shards_merged_are_one_run(self):
        for name, ending, arguments in self.kinds_of_run():
            one = f"{name}.{ending}"
            self.do(*arguments, "-o", one)
            for part_rows in (1000, 64, 17):
                folder = f"{name}_{part_rows}.{ending}"
                self.do(*arguments, "-o", folder, "--part-rows", str(part_rows))
                self.assert_merged(folder, one)
            for by in ("rows", "files"):
                folder = f"{name}_{by}.{ending}"
                for shard in self.random.sample(range(1, 8), 7):
                    self.do(*arguments, "-o", folder, "--shard", f"{shard}/7", "--shard-by", by, "--part-rows", "13")
                self.assert_merged(folder, one)

    def test_compressed_parts_merged_are_one_run(self):
        """And merged to a name that is not compressed they are the run that is not."""
        self.write_rows("rows.npy", 230)
        self.write("rows.npy.gz", gzip.compress(self.bytes_of("rows.npy")))
        for ending in ("jsonl.gz", "jsonl.zst", "csv.gz", "csv.zst", "npy.gz", "npy.zst", "bits.gz", "bits.zst"):
            plain = ending.split(".")[0]
            self.do(*LABEL, "rows.npy", "-o", f"plain.{plain}")
            self.do(*LABEL, "rows.npy", "-o", f"one.{ending}")
            if ending.endswith(".gz"):
                self.assertEqual(gzip.decompress(self.bytes_of(f"one.{ending}")), self.bytes_of(f"plain.{plain}"))
            self.do(*LABEL, "rows.npy", "-o", f"parts.{ending}", "--part-rows", "64")
            for shard in (2, 3, 1):
                self.do(*LABEL, "rows.npy.gz", "-o", f"shards.{ending}", "--shard", f"{shard}/3", "--part-rows", "13")
            for folder in (f"parts.{ending}", f"shards.{ending}"):
                self.do("merge", folder, "-o", f"merged.{ending}")
                self.assertEqual(self.bytes_of(f"merged.{ending}"), self.bytes_of(f"one.{ending}"), folder)
                self.do("merge", folder, "-o", f"merged.{plain}")
                self.assertEqual(self.bytes_of(f"merged.{plain}"), self.bytes_of(f"plain.{plain}"), folder)
            names = [name for name in os.listdir(self.path(f"parts.{ending}")) if name.startswith("part-0")]
            self.assertTrue(all(name.endswith((f".{ending}", ".labels.json")) for name in names), names)

    def test_an_output_format_may_say_how_it_is_compressed(self):
        self.write_rows("rows.npy", 30)
        self.do(*LABEL, "rows.npy", "-o", "one.jsonl")
        for name, arguments in (("a", ["--output-format", "jsonl.gz"]), ("b.gz", ["--output-format", "jsonl"])):
            self.do(*LABEL, "rows.npy", "-o", name, *arguments)
            self.assertEqual(gzip.decompress(self.bytes_of(name)), self.bytes_of("one.jsonl"))
        piped = self.run_mien(*LABEL, "rows.npy", "--output-format", "jsonl.gz")
        self.assertEqual(gzip.decompress(piped.stdout), self.bytes_of("one.jsonl"))
        self.assertIn("expected jsonl|csv|npy|bits", self.do(*LABEL, "rows.npy", "--output-format", "jsonl.xz", code=2))
        self.assertIn("expected jsonl|csv|npy|bits", self.do(*LABEL, "rows.npy", "--output-format", ".gz", code=2))
        self.do(*LABEL, "rows.npy", "-o", "out", "--output-format", "csv.zst", "--part-rows", "9")
        self.assertTrue(os.path.exists(self.path("out", "part-00003.csv.zst")))

    def test_compressed_inputs_and_outputs_can_be_gone_on_with(self):
        """Inputs are known by their bytes as they lie there."""
        self.write("in.txt.gz", gzip.compress(b"a b\n" * 100))
        run = [*LABEL_TEXTS, "in.txt.gz", "-o", "out.jsonl.zst", "--part-rows", "30"]
        self.do(*run)
        expected = self.files_of("out.jsonl.zst")
        os.unlink(self.path("out.jsonl.zst", "part-00002.jsonl.zst"))
        self.do(*run, "--resume")
        self.assert_same_files(self.files_of("out.jsonl.zst"), expected)
        self.write("in.txt.gz", gzip.compress(b"a b\n" * 100, 1))  # the same rows in other bytes
        self.assertIn("in.txt.gz: has changed", self.do(*run, "--resume", code=3))

    def test_parts_have_their_rows_and_the_manifest_says_so(self):
        self.write_rows("rows.npy", 250)
        self.do(*LABEL, "rows.npy", "-o", "out.npy", "--part-rows", "100")
        lines = [json.loads(line) for line in self.bytes_of("out.npy", "manifest.jsonl").splitlines()]
        header, *parts, end = lines
        self.assertEqual([(p["file"], p["first_row"], p["rows"]) for p in parts],
                         [("part-00000.npy", 0, 100), ("part-00001.npy", 100, 100), ("part-00002.npy", 200, 50)])  # fmt: skip
        self.assertEqual((end["done"], end["rows"], header["rows"], header["inputs"][0]["rows"]), (True, 250, 250, 250))
        self.assertEqual(end["bad_rows"], sum(p["bad_rows"] for p in parts))
        for p in parts:
            _, shape, _ = fixtures.read_npy(self.path("out.npy", p["file"]))
            sidecar = json.loads(self.bytes_of("out.npy", p["file"] + ".labels.json"))
            self.assertEqual(shape, (p["rows"], 3))
            self.assertEqual(sidecar["first_row"], p["first_row"])
            self.assertEqual(len(sidecar["bad_rows"]), p["bad_rows"])
            self.assertTrue(all(p["first_row"] <= row < p["first_row"] + p["rows"] for row in sidecar["bad_rows"]))

    def test_no_rows_are_one_part_without_rows(self):
        for ending in ("jsonl", "csv", "npy", "bits"):
            self.do(*LABEL, "zero.npy", "-o", f"no_rows.{ending}")
            self.do(*LABEL, "zero.npy", "-o", f"no_rows_in_parts.{ending}", "--part-rows", "5")
            self.assert_merged(f"no_rows_in_parts.{ending}", f"no_rows.{ending}")
            for shard in (1, 2, 3):
                self.do(*LABEL, "one.npy", "-o", f"a_row_in_shards.{ending}", "--shard", f"{shard}/3")
            self.do(*LABEL, "one.npy", "-o", f"a_row.{ending}")
            self.assert_merged(f"a_row_in_shards.{ending}", f"a_row.{ending}")

    def test_all_shards_at_once_share_a_folder(self):
        texts = self.write_texts()
        self.do(*LABEL_TEXTS, *texts, "-o", "one.jsonl")
        runs = [self.start(*LABEL_TEXTS, *texts, "-o", "out.jsonl", "--part-rows", "9", "--shard", f"{i}/8", "--resume")
                for i in range(1, 9)]  # fmt: skip
        for run in runs:
            _, stderr = run.communicate(timeout=SECONDS)
            self.assertEqual(run.returncode, 0, stderr)
        self.assert_merged("out.jsonl", "one.jsonl")

    def test_a_stream_is_written_in_parts_and_can_not_be_gone_on_with(self):
        run = [*LABEL_TEXTS, "-", "-o", "out.jsonl"]
        self.do(*run, "--part-rows", "3", input=b"a\n" * 8, stdin=None)
        self.do(*LABEL_TEXTS, "-", "-o", "one.jsonl", input=b"a\n" * 8, stdin=None)
        self.assert_merged("out.jsonl", "one.jsonl")
        self.assertIn("found a stream among the inputs", self.do(*run, "--resume", code=2))
        self.assertIn("found a stream among the inputs", self.do(*run, "--shard", "1/2", code=2))

    # ---- Runs that end early --------------------------------------------------------------------------------------

    def prepare(self, n, part_rows, ending="npy"):
        """A run of some parts, with what it gives when nothing ends it."""
        self.write_rows("rows.npy", n)
        arguments = [*LABEL, "rows.npy", "--threads", "2", "--part-rows", str(part_rows)]
        start = time.monotonic()
        self.do(*arguments, "-o", f"expected.{ending}")
        self.seconds = time.monotonic() - start
        return [*arguments, "-o", f"out.{ending}"], self.files_of(f"expected.{ending}")

    def test_a_run_that_is_killed_at_any_moment_goes_on_to_the_same_bytes(self):
        run, expected = self.prepare(6000, 100)
        unfinished = 0
        for kill in range(KILLS):
            wait = self.random.uniform(0, self.seconds)
            process = self.start(*run, "--resume")
            time.sleep(wait)
            process.kill()
            process.communicate(timeout=SECONDS)
            found = self.files_of("out.npy") if os.path.exists(self.path("out.npy")) else {}
            unfinished += sorted(found) != sorted(expected)
            self.do(*run, "--resume")
            self.assert_same_files(self.files_of("out.npy"), expected, f"kill {kill} after {wait:.4f} s")
            shutil.rmtree(self.path("out.npy"))
        self.assertGreater(unfinished, KILLS // 4, "most runs were over before they were killed")

    def test_a_run_that_is_killed_again_and_again_ends(self):
        run, expected = self.prepare(6000, 100, "csv")
        code, kills = -9, 0
        while code == -9:
            process = self.start(*run, "--resume")
            time.sleep(self.random.uniform(0, self.seconds))
            process.kill()
            process.communicate(timeout=SECONDS)
            code, kills = process.returncode, kills + 1
            self.assertLess(kills, 1000)
        self.assertEqual(code, 0)
        self.assert_same_files(self.files_of("out.csv"), expected, f"{kills} kills")

    def test_a_signal_ends_the_part_in_hand_and_the_run_can_go_on(self):
        run, expected = self.prepare(20000, 100)
        for number in (signal.SIGINT, signal.SIGTERM):
            process = self.start(*run)
            manifest, size = self.path("out.npy", "manifest.jsonl"), 0
            while process.poll() is None and size < 2000:
                size = os.path.getsize(manifest) if os.path.exists(manifest) else 0
            process.send_signal(number)
            _, stderr = process.communicate(timeout=SECONDS)
            self.assertEqual(process.returncode, 5, stderr)
            self.assertRegex(stderr.decode(), r"out\.npy: interrupted\nmien: out\.npy: \d+ parts are done, \d+00 of 20000 rows: --resume goes on\n$")  # fmt: skip
            found = self.files_of("out.npy")
            parts = [json.loads(line) for line in found["manifest.jsonl"].splitlines()[1:]]
            self.assertEqual({p["rows"] for p in parts}, {100})
            names = {p["file"] for p in parts} | {p["file"] + ".labels.json" for p in parts}
            self.assertEqual(set(found), names | {"manifest.jsonl"})
            self.do(*run, "--resume")
            self.assert_same_files(self.files_of("out.npy"), expected)
            shutil.rmtree(self.path("out.npy"))

    def test_every_write_may_fail_and_the_run_can_go_on(self):
        if fixtures.is_sanitized(MIEN):
            self.skipTest("the sanitizer must be loaded before everything else")
        run, expected = self.prepare(50, 15)
        run += ["--threads", "1"] if "--threads" not in run else []
        environment = {**os.environ, "LD_PRELOAD": WRITE_FAULTS}
        count = self.path("count")
        self.do(*run, env={**environment, "MIEN_FAULT_COUNT": count})
        shutil.rmtree(self.path("out.npy"))
        with open(count) as file:
            n_calls = int(file.read())
        self.assertGreater(n_calls, 60)
        failures = 0
        for call in range(1, n_calls + 1):
            done = self.run_mien(*run, env={**environment, "MIEN_FAULT_AT": str(call)})
            self.assertIn(done.returncode, (0, 4), (call, done.stderr))
            if done.returncode == 4:
                failures += 1
                self.assertRegex(done.stderr.decode(), r"(?m)^mien: .*(No space left on device|cannot be)", call)
            else:
                self.assert_same_files(self.files_of("out.npy"), expected, f"call {call}")
            self.do(*run, "--resume")
            self.assert_same_files(self.files_of("out.npy"), expected, f"call {call}")
            shutil.rmtree(self.path("out.npy"))
        self.assertGreater(failures, n_calls // 3)

    def test_a_write_that_fails_in_a_merge_leaves_no_output(self):
        if fixtures.is_sanitized(MIEN):
            self.skipTest("the sanitizer must be loaded before everything else")
        run, _ = self.prepare(50, 15)
        self.do(*run)
        environment = {**os.environ, "LD_PRELOAD": WRITE_FAULTS}
        self.do("merge", "out.npy", "-o", "whole.npy", env={**environment, "MIEN_FAULT_COUNT": self.path("count")})
        os.rename(self.path("whole.npy"), self.path("expected"))
        with open(self.path("count")) as file:
            n_calls = int(file.read())
        for call in range(1, n_calls + 1):
            done = self.run_mien("merge", "out.npy", "-o", "whole.npy", env={**environment, "MIEN_FAULT_AT": str(call)})
            self.assertIn(done.returncode, (0, 4), (call, done.stderr))
            self.assertEqual(os.path.exists(self.path("whole.npy")), done.returncode == 0)
            if done.returncode == 0:
                self.assertEqual(self.bytes_of("whole.npy"), self.bytes_of("expected"))
                os.unlink(self.path("whole.npy"))

    def test_a_file_beyond_the_limit_is_told_and_the_run_can_go_on(self):
        run, expected = self.prepare(3000, 1000)
        limit = len(expected["part-00000.npy"]) - 1
        stderr = self.do(*run, code=4, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        self.assertIn("part-00000.npy: cannot be written: File too large", stderr)
        self.do(*run, "--resume")
        self.assert_same_files(self.files_of("out.npy"), expected)

    def test_a_full_disk_is_told_and_the_run_can_go_on(self):
        run, expected = self.prepare(30000, 1000, "jsonl")
        disk = self.path("disk")
        os.mkdir(disk)
        size = sum(len(bytes_) for bytes_ in expected.values()) // 2
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "mien-test", disk], capture_output=True)
        if done.returncode:
            self.skipTest(f"no file system can be mounted here: {done.stderr.decode().strip()}")
        try:
            run[-1] = "disk/out.jsonl"
            self.assertIn("No space left on device", self.do(*run, code=4))
            parts = len(os.listdir(self.path("disk", "out.jsonl"))) - len(ASIDE) - 1
            self.assertGreater(parts, 5)
            subprocess.run(["mount", "-o", f"remount,size={8 * size}", disk], check=True)
            stderr = self.do(*run, "--resume")
            self.assertIn(f"mien: {30000 - 1000 * parts} rows", stderr)
            self.assert_same_files(self.files_of("disk/out.jsonl"), expected)
        finally:
            subprocess.run(["umount", disk], check=True)

    def test_bad_rows_of_all_parts_count_for_the_limit(self):
        self.write_rows("rows.npy", 400, bad=0)
        data = bytearray(self.bytes_of("rows.npy"))
        for row in (10, 110, 210):
            at = len(data) - (400 - row) * 16
            data[at : at + 4] = struct.pack("<f", fixtures.NAN)
        self.write("rows.npy", bytes(data))
        run = [*LABEL, "rows.npy", "-o", "out.jsonl", "--part-rows", "100", "--max-bad-rows"]
        stderr = self.do(*run, "1", code=3)
        self.assertIn("row 110: not finite: column 0 is NaN: expected at most 1 bad rows, found 2", stderr)
        self.assertIn("1 parts are done, 100 of 400 rows", stderr)
        self.assertIn("row 210: not finite: column 0 is NaN: expected at most 2 bad rows, found 3",
                      self.do(*run, "2", "--resume", code=3))  # fmt: skip
        self.do(*run, "3", "--resume")
        self.do(*LABEL, "rows.npy", "-o", "one.jsonl")
        self.assert_merged("out.jsonl", "one.jsonl")

    # ---- What is refused ------------------------------------------------------------------------------------------

    def test_another_run_is_refused_with_the_differences(self):
        texts = self.write_texts()
        run = [*LABEL_TEXTS, *texts, "-o", "out.jsonl"]
        self.do(*run, "--part-rows", "50")
        before = self.files_of("out.jsonl")
        changes = {
            ("--part-rows", "51"): "part_rows: expected 50, found 51",
            ("--part-rows", "50", "--threshold", "joy=0.75"): "thresholds.joy: expected 0.3, found 0.75",
            ("--part-rows", "50", "--top-k", "2"): "settings.top_k: expected 0, found 2",
            ("--part-rows", "50", "--max-tokens", "8"): "settings.max_tokens: expected 16, found 8",
            ("--part-rows", "50", "--output-format", "csv"): 'settings.output_format: expected "jsonl", found "csv"',
            ("--part-rows", "50", "--keep", "n"): 'settings.keep[0]: expected nothing, found "n"',
            ("--part-rows", "50", "--dtype", "int8"): 'settings.dtype: expected "f32", found "int8"',
        }
        for change, message in changes.items():
            self.assertIn(message, self.do(*run, *change, "--resume", code=3))
        if "avx2" in self.run_mien("inspect", "--cpu").stdout.decode():
            stderr = self.do(*run, "--part-rows", "50", "--resume", code=3, env={**os.environ, "MIEN_ISA": "portable"})
            self.assertIn('found "portable"', stderr)
        head = self.bytes_of("texthead/model.onnx")
        nearly = [[*fixtures.TEXT_WEIGHTS[0][:-1], fixtures.TEXT_WEIGHTS[0][-1] + 0.125], *fixtures.TEXT_WEIGHTS[1:]]
        self.write("texthead/model.onnx", fixtures.fused_head(nearly, fixtures.TEXT_BIAS))
        self.assertIn("model.head: expected", self.do(*run, "--part-rows", "50", "--resume", code=3))
        self.write("texthead/model.onnx", head)
        self.write("encoder/vocab.txt", self.bytes_of("encoder/vocab.txt").replace(b"happy", b"cheery"))
        self.assertIn("model.encoder: expected", self.do(*run, "--part-rows", "50", "--resume", code=3))
        self.assert_same_files(self.files_of("out.jsonl"), before)

    def test_int8_goes_on_with_any_instruction_set(self):
        texts = self.write_texts()
        run = [*LABEL_TEXTS, "--dtype", "int8", *texts, "-o", "out.jsonl", "--part-rows", "50"]
        self.do(*run)
        os.unlink(self.path("out.jsonl", "part-00002.jsonl"))
        before = self.files_of("out.jsonl")
        self.do(*run, "--resume", env={**os.environ, "MIEN_ISA": "portable"})
        after = self.files_of("out.jsonl")
        self.assertEqual(after["manifest.jsonl"], before["manifest.jsonl"])

    def test_a_changed_input_is_refused_and_one_that_was_touched_is_not(self):
        self.write_rows("rows.npy", 300)
        run = [*LABEL, "rows.npy", "-o", "out.jsonl", "--part-rows", "100"]
        self.do(*run)
        os.unlink(self.path("out.jsonl", "part-00001.jsonl"))
        expected = self.bytes_of("out.jsonl", "manifest.jsonl")
        os.utime(self.path("rows.npy"))
        self.do(*run, "--resume")
        self.assertEqual(self.bytes_of("out.jsonl", "manifest.jsonl"), expected)
        data = bytearray(self.bytes_of("rows.npy"))
        data[-1] ^= 1
        self.write("rows.npy", bytes(data))
        self.assertRegex(self.do(*run, "--resume", code=3), r"rows\.npy: has changed: expected bytes of xxh3 \w{32}, found \w{32}")
        os.unlink(self.path("rows.npy"))
        self.assertIn("rows.npy: No such file", self.do(*run, "--resume", code=3))

    def test_an_input_that_changes_while_it_is_read_ends_the_run(self):
        self.write("text.txt", b"I am so happy today\n" * 20000)
        run = [*LABEL_TEXTS, "text.txt", "-o", "out.jsonl", "--part-rows", "200", "--threads", "1"]
        for change in ("grow", "cut", "write"):
            process = self.start(*run)
            manifest = self.path("out.jsonl", "manifest.jsonl")
            while process.poll() is None and not (os.path.exists(manifest) and os.path.getsize(manifest) > 2000):
                time.sleep(0.001)
            before = self.bytes_of("text.txt")
            if change == "grow":
                with open(self.path("text.txt"), "ab") as file:
                    file.write(b"love\n")
            elif change == "cut":
                os.truncate(self.path("text.txt"), len(before) // 2)
            else:
                with open(self.path("text.txt"), "r+b") as file:
                    file.write(b"X")
            _, stderr = process.communicate(timeout=SECONDS)
            self.assertEqual(process.returncode, 3, stderr)
            self.assertRegex(stderr.decode(), r"text\.txt: has changed: expected .*\n.*parts are done", change)
            self.write("text.txt", before)
            self.do(*run, "--resume")
            self.do(*LABEL_TEXTS, "text.txt", "-o", "one.jsonl")
            self.assert_merged("out.jsonl", "one.jsonl")
            shutil.rmtree(self.path("out.jsonl"))

    def test_a_folder_is_one_runs(self):
        self.write_rows("rows.npy", 30)
        run = [*LABEL, "rows.npy", "-o", "out.jsonl"]
        self.do(*run, "--part-rows", "10")
        self.assertIn("there is a run already, with 3 parts done, which are all", self.do(*run, "--part-rows", "10", code=2))
        self.assertIn("all 3 parts are done already", self.do(*run, "--part-rows", "10", "--resume"))
        self.assertIn("holds a whole run already", self.do(*run, "--shard", "1/2", code=2))
        run[-1] = "shards.jsonl"
        self.do(*run, "--shard", "1/2")
        self.assertIn("expected shards of 2, as are there", self.do(*run, "--shard", "1/3", code=2))
        self.assertIn("holds shards of 2", self.do(*run, "--part-rows", "10", code=2))
        self.assertIn("other inputs", self.do(*LABEL, "more.npy", "-o", "shards.jsonl", "--shard", "2/2", code=3))
        self.write("file.jsonl", b"")
        self.assertIn("expected a folder", self.do(*LABEL, "rows.npy", "-o", "file.jsonl", "--part-rows", "9", code=2))
        os.mkdir(self.path("own.jsonl"))
        self.write("own.jsonl/part-00000.jsonl", b"mine\n")
        stderr = self.do(*LABEL, "rows.npy", "-o", "own.jsonl", "--part-rows", "9", code=2)
        self.assertIn("expected no parts without a manifest, found part-00000.jsonl", stderr)
        self.assertEqual(self.bytes_of("own.jsonl", "part-00000.jsonl"), b"mine\n")
        self.do(*LABEL, "folder", "-o", "folder", "--output-format", "jsonl", "--part-rows", "9", code=2)

    def test_a_shard_of_another_run_is_refused_before_it_works(self):
        self.write_rows("rows.npy", 30)
        run = [*LABEL, "rows.npy", "-o", "out.jsonl"]
        self.do(*run, "--shard", "2/3")
        before = self.files_of("out.jsonl")
        changes = {("--threshold", "0.9"): "thresholds.joy: expected 0.5, found 0.9",
                   ("--shard-by", "files"): 'shard.by: expected "rows", found "files"',
                   ("--top-k", "2"): "settings.top_k: expected 0, found 2"}  # fmt: skip
        for change, message in changes.items():
            self.assertIn(f"shard-2-of-3.manifest.jsonl: not of the same run: {message}", self.do(*run, "--shard", "3/3", *change, code=3))
        self.assert_same_files(self.files_of("out.jsonl"), before)

    def test_instruction_sets_of_the_same_bits_are_one_run(self):
        texts = self.write_texts()
        has = [isa for isa in ("avx2", "avx512", "neon") if f"{isa} ".encode() in self.run_mien("inspect", "--cpu").stdout]
        run = [*LABEL_TEXTS, *texts, "-o"]
        self.do(*run, "one.jsonl")
        for shard, isa in enumerate((has or [""])[:2] * 2, 1):
            self.run_mien(*run, "out.jsonl", "--shard", f"{shard}/{2 * len(has[:2]) or 2}", env={**os.environ, "MIEN_ISA": isa})
        self.assert_merged("out.jsonl", "one.jsonl")

    def test_neither_merge_nor_statistics_replace_what_the_folder_keeps(self):
        self.write_rows("rows.npy", 30)
        run = [*LABEL, "rows.npy", "-o", "out.npy", "--part-rows", "10"]
        self.do(*run)
        before = self.files_of("out.npy")
        for name in ("manifest.jsonl", "inputs.json", "part-00000.npy", "part-00000.npy.labels.json"):
            self.assertIn("called as a file of the parts", self.do(*run, "--resume", "--stats", f"out.npy/{name}", code=2))
        self.do("merge", "out.npy", "-o", "out.npy/manifest.jsonl", code=2)
        self.do(*LABEL, "rows.npy", "-o", "lines.jsonl", "--part-rows", "10")
        lines = self.files_of("lines.jsonl")
        stderr = self.do("merge", "lines.jsonl", "-o", "lines.jsonl/manifest.jsonl", code=2)
        self.assertIn("is a manifest of the parts", stderr)
        self.assert_same_files(self.files_of("lines.jsonl"), lines)
        self.assert_same_files(self.files_of("out.npy"), before)
        os.unlink(self.path("out.npy", "part-00002.npy"))
        self.do(*run, "--resume", "--stats", "out.npy/stats.json")
        self.assertEqual(json.loads(self.bytes_of("out.npy", "stats.json"))["rows"], 10)

    def test_two_processes_do_not_write_the_same_parts(self):
        self.write_rows("rows.npy", 30)
        run = [*LABEL, "rows.npy", "-o", "out.jsonl", "--part-rows", "10", "--resume"]
        self.do(*run)
        os.unlink(self.path("out.jsonl", "part-00001.jsonl"))
        with open(self.path("out.jsonl", "manifest.jsonl"), "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.assertIn("another process is writing these parts", self.do(*run, code=4))
        self.do(*run)

    def test_a_damaged_part_is_made_again_and_never_merged(self):
        run, expected = self.prepare(300, 100)
        self.do(*run)
        for name in ("part-00001.npy", "part-00002.npy.labels.json"):
            data = bytearray(self.bytes_of("out.npy", name))
            data[-2] ^= 1
            for damage in (bytes(data), bytes(data[:-1]), None):
                os.unlink(self.path("out.npy", name)) if damage is None else self.write(f"out.npy/{name}", damage)
                self.assertIn(f"out.npy/{name}: ", self.do("merge", "out.npy", "-o", "merged.npy", code=3))
                self.assertFalse(os.path.exists(self.path("merged.npy")))
                self.assertIn(f"out.npy/{name}: ", self.do(*run, "--resume"))
                self.assert_same_files(self.files_of("out.npy"), expected)

    def test_a_part_that_cannot_be_read_now_costs_no_other(self):
        run, expected = self.prepare(300, 100)
        self.do(*run)
        name = self.path("out.npy", "part-00000.npy")
        os.rename(name, self.path("aside"))
        os.symlink("part-00000.npy", name)  # to itself
        self.assertIn("part-00000.npy: ", self.do(*run, "--resume", code=3))
        os.replace(self.path("aside"), name)
        self.assert_same_files(self.files_of("out.npy"), expected)

    def test_a_torn_manifest_is_gone_on_with_and_a_wrong_one_refused(self):
        run, expected = self.prepare(300, 100)
        whole = expected["manifest.jsonl"]
        lines = whole.splitlines(keepends=True)
        for cut in self.random.sample(range(len(whole)), 25):
            self.do(*run, "--resume")
            self.write("out.npy/manifest.jsonl", whole[:cut])
            if cut < len(lines[0]):  # what is left is no run's
                self.assertIn("expected no parts without a manifest", self.do(*run, "--resume", code=2))
                shutil.rmtree(self.path("out.npy"))
                continue
            self.do(*run, "--resume")
            self.assert_same_files(self.files_of("out.npy"), expected, f"cut at {cut}")
        self.do(*run, "--resume")
        for wrong, message in (
            (b"".join([lines[0], lines[2], *lines[3:]]), ":2: expected the line of the next part"),
            (b"".join([*lines, lines[1]]), ":6: expected nothing behind the last line"),
            (b"".join([*lines[:3], lines[4]]), ":4: expected the sums of the parts before"),
            (b"".join([*lines[:2], b"{}\n", *lines[2:]]), ":3: expected the line of the next part"),
            (b"".join([*lines[:2], b"x\n", *lines[2:]]), ":3:1:1: "),
            (b"{}\n" + b"".join(lines[1:]), ":1: expected a manifest's header"),
        ):
            self.write("out.npy/manifest.jsonl", wrong)
            self.assertIn(f"out.npy/manifest.jsonl{message}", self.do(*run, "--resume", code=3))
            self.assertIn(f"out.npy/manifest.jsonl{message}", self.do("merge", "out.npy", "-o", "m.npy", code=3))

    def test_no_damage_to_a_manifest_is_more_than_an_error(self):
        self.write_rows("rows.npy", 60)
        self.do(*LABEL, "rows.npy", "-o", "out.bits", "--part-rows", "20")
        self.do("merge", "out.bits", "-o", "expected.bits", "-q")
        whole = self.bytes_of("out.bits", "manifest.jsonl")
        refused = 0
        for _ in range(200):
            data = bytearray(whole)
            for _ in range(self.random.choice((1, 1, 2, 8))):
                at, n = self.random.randrange(len(data)), self.random.randrange(4)
                data[at : at + n] = self.random.choice((b"", b"9", b"-", b"\0", b'"', b"\n", b"[]", b"99999999999999"))
            self.write("out.bits/manifest.jsonl", bytes(data))
            done = self.run_mien("merge", "out.bits", "-o", "merged.bits", "-q")
            self.assertIn(done.returncode, (0, 3), (bytes(data), done.stderr))
            if done.returncode == 0:
                self.assertEqual(self.bytes_of("merged.bits"), self.bytes_of("expected.bits"), bytes(data))
            refused += done.returncode == 3
        self.assertGreater(refused, 100)

    def test_a_merge_wants_all_of_one_run(self):
        self.write_rows("rows.npy", 100)
        self.assertIn("expected a folder of parts with a manifest", self.do("merge", "folder", code=3))
        self.assertIn("expected a folder of parts", self.do("merge", "nowhere", code=3))
        self.do("merge", code=2)
        run = [*LABEL, "rows.npy", "-o", "out.csv", "--part-rows", "20", "--shard"]
        for shard in (1, 2, 4):
            self.do(*run, f"{shard}/5")
        self.assertIn("expected all 5 shards, found 3: missing are 3, 5", self.do("merge", "out.csv", code=3))
        self.do(*run, "3/5")
        self.do(*run, "5/5")
        manifest = "out.csv/shard-3-of-5.manifest.jsonl"
        whole = self.bytes_of(manifest)
        lines = whole.splitlines(keepends=True)
        self.write(manifest, b"".join(lines[:-1]))
        self.assertIn(f"{manifest}: not done: 1 parts are, with 20 rows", self.do("merge", "out.csv", code=3))
        other = json.loads(lines[0])
        other["settings"]["top_k"] = 3
        self.write(manifest, json.dumps(other).encode() + b"\n" + b"".join(lines[1:]))
        stderr = self.do("merge", "out.csv", code=3)
        self.assertIn(f"{manifest}: not of the same run: settings.top_k: expected 0, found 3", stderr)
        self.write(manifest, whole)
        self.assertIn("expected a name that ends in .csv", self.do("merge", "out.csv", "-o", "x.jsonl", code=2))
        part = "out.csv/shard-1-of-5.part-00000.csv"
        self.assertIn("the output is a part", self.do("merge", "out.csv", "-o", part, code=2))
        self.do(*LABEL, "rows.npy", "-o", "one.csv")
        self.assert_merged("out.csv", "one.csv")
        self.assertEqual(self.run_mien("merge", "out.csv", "-q").stdout, self.bytes_of("one.csv"))


if __name__ == "__main__":
    MIEN, WRITE_FAULTS = (os.path.abspath(path) for path in sys.argv[1:3])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
