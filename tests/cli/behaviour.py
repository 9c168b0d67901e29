# SPDX-License-Identifier: Apache-2.0
"""What golden files can't show of the command: signals, closed pipes, terminals, memory.

behaviour.py COMMAND [TEST...]"""

import os
import pty
import re
import resource
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import time
import unittest

import json
import math
import random

import fixtures

MIEN = ""
LABEL = ["label", "--head", "head/model.onnx", "--labels", "head/labels.txt"]
ENCODER = ["--encoder", "encoder"]
LABEL_TEXTS = ["label", *ENCODER, "--head", "texthead/model.onnx", "--labels", "texthead/labels.txt"]
SECONDS = 60  # more than any run takes, under sanitizers too
START_SECONDS = 0.3  # in which a run has started
OWN_MEBIBYTES = 0  # what a run of this command takes beyond the limits below


class Behaviour(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = self.temporary.name
        fixtures.write_files(self.folder)
        self.before = self.files()

    def tearDown(self):
        self.temporary.cleanup()

    def files(self):
        return sorted(os.path.join(base, name) for base, _, names in os.walk(self.folder) for name in names)

    def path(self, name):
        return os.path.join(self.folder, name)

    def run_mien(self, *arguments, **more):
        return subprocess.run(
            [MIEN, *arguments], cwd=self.folder, capture_output=True, timeout=SECONDS, stdin=subprocess.DEVNULL, **more
        )

    def start(self, *arguments, **more):
        more = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
        return subprocess.Popen([MIEN, *arguments], cwd=self.folder, **more)

    def wait_for(self, condition):
        end = time.monotonic() + SECONDS
        while not condition():
            self.assertLess(time.monotonic(), end, "waited in vain")
            time.sleep(0.01)

    def has_temporary(self):
        return any(name.startswith(".mien-") for name in os.listdir(self.folder))

    def write_many(self, name, n, bad=()):
        row = [struct.pack("<4f", *fixtures.ROWS[i % 4]) for i in range(4)]
        data = bytearray(b"".join(row) * (n // 4))
        for i in bad:
            data[16 * i : 16 * i + 4] = struct.pack("<f", fixtures.NAN)
        with open(self.path(name), "wb") as file:
            file.write(fixtures.npy((n // 4 * 4, fixtures.D), data=bytes(data)))

    # ---- Signals ------------------------------------------------------------------------------------------------

    def check_signal(self, number, output):
        with open(self.path("out.jsonl"), "w") as file:
            file.write("before\n")
        before = self.files()
        run = self.start(*LABEL, "--input-format", "f32", "-", "--threads", "3", "-o", output)
        run.stdin.write(fixtures.raw(fixtures.ROWS) * 50000)
        run.stdin.flush()
        self.wait_for(self.has_temporary)
        for _ in range(2):  # as timeout(1) does: to the command, and to its group
            run.send_signal(number)
            time.sleep(0.02)
        _, stderr = self.finish(run)
        self.assertEqual(run.returncode, 5, stderr)
        self.assertIn(b"interrupted", stderr)
        self.assertEqual(self.files(), before)
        with open(self.path("out.jsonl")) as file:
            self.assertEqual(file.read(), "before\n")

    def finish(self, run):
        """Waits with stdin open: the command must not depend on its end."""
        self.wait_for(lambda: run.poll() is not None)
        out = run.stdout.read(), run.stderr.read()
        for pipe in (run.stdin, run.stdout, run.stderr):
            try:
                pipe.close()
            except BrokenPipeError:
                pass
        return out

    def test_sigint_leaves_the_target_and_no_temporary_file(self):
        self.check_signal(signal.SIGINT, "out.jsonl")

    def test_sigterm_leaves_no_sidecar(self):
        self.check_signal(signal.SIGTERM, "out.npy")

    def test_sigint_ends_a_wait_for_a_reader_that_does_not_read(self):
        self.write_many("many.npy", 200000)
        run = self.start(*LABEL, "many.npy")
        time.sleep(START_SECONDS)  # the pipe is full long before
        run.send_signal(signal.SIGINT)
        self.wait_for(lambda: run.poll() is not None)
        self.assertEqual(run.returncode, 5)
        self.finish(run)

    def test_sigint_ends_a_wait_for_a_fifo_without_a_reader(self):
        os.mkfifo(self.path("fifo"))
        run = self.start(*LABEL, "rows.npy", "-o", "fifo")
        time.sleep(START_SECONDS)
        self.assertIsNone(run.poll())
        run.send_signal(signal.SIGINT)
        self.finish(run)
        self.assertEqual(run.returncode, 5)

    def test_sigint_ends_a_wait_for_a_fifo_without_a_writer(self):
        os.mkfifo(self.path("fifo"))
        run = self.start(*LABEL, "--input-format", "npy", "fifo", "-o", "out.jsonl")
        self.wait_for(self.has_temporary)
        run.send_signal(signal.SIGINT)
        self.finish(run)
        self.assertEqual(run.returncode, 5)
        self.assertFalse(self.has_temporary())

    def test_an_ignored_sigint_stays_ignored(self):
        run = self.start(
            *LABEL, "--input-format", "f32", "-", "-o", "out.csv",
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        )
        self.wait_for(self.has_temporary)
        run.send_signal(signal.SIGINT)
        run.stdin.close()
        self.wait_for(lambda: run.poll() is not None)
        self.assertEqual(run.returncode, 0)
        run.stdout.close()
        run.stderr.close()

    # ---- Pipes and disks ----------------------------------------------------------------------------------------

    def test_a_closed_pipe_is_an_error_and_not_a_death(self):
        self.write_many("many.npy", 200000)
        run = self.start(*LABEL, "--threads", "4", "many.npy")
        run.stdout.read(100)
        run.stdout.close()
        stderr = run.stderr.read()
        self.assertEqual(run.wait(SECONDS), 4)
        self.assertIn(b"mien: stdout: cannot be written: Broken pipe", stderr)
        run.stderr.close()
        run.stdin.close()

    def test_a_file_beyond_its_limit_leaves_nothing(self):
        self.write_many("many.npy", 40000)
        before = self.files()
        for output in ("out.jsonl", "out.npy", "out.bits"):
            limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))
            done = self.run_mien(*LABEL, "many.npy", "-o", output, preexec_fn=limit)
            self.assertEqual(done.returncode, 4, done.stderr)
            self.assertIn(b"File too large", done.stderr)
            self.assertEqual(self.files(), before)

    def test_a_slow_stream_is_read_to_its_end(self):
        data = fixtures.FILES["bad.npy"]
        run = self.start(*LABEL, "--input-format", "npy", "-", "--threads", "2")
        for i in range(0, len(data), 7):
            run.stdin.write(data[i : i + 7])
            run.stdin.flush()
        out, _ = run.communicate(timeout=SECONDS)
        self.assertEqual(out, self.run_mien(*LABEL, "bad.npy").stdout)
        self.assertEqual(run.returncode, 0)

    def test_a_broken_run_leaves_the_target(self):
        with open(self.path("out.csv"), "w") as file:
            file.write("before\n")
        self.assertEqual(self.run_mien(*LABEL, "--on-bad-row", "fail", "bad.npy", "-o", "out.csv").returncode, 3)
        with open(self.path("out.csv")) as file:
            self.assertEqual(file.read(), "before\n")

    def test_a_replaced_file_keeps_its_permissions_and_links_to_it(self):
        with open(self.path("out.csv"), "w") as file:
            file.write("before\n")
        os.chmod(self.path("out.csv"), 0o640)
        os.symlink("out.csv", self.path("link.csv"))
        self.assertEqual(self.run_mien(*LABEL, "rows.npy", "-o", "link.csv").returncode, 0)
        self.assertTrue(os.path.islink(self.path("link.csv")))
        self.assertEqual(stat.S_IMODE(os.stat(self.path("out.csv")).st_mode), 0o640)
        with open(self.path("out.csv")) as file:
            self.assertTrue(file.read().startswith("row,id,labels,error\n0,"))

    def test_a_new_file_has_the_mode_that_the_umask_gives(self):
        done = self.run_mien(*LABEL, "rows.npy", "-o", "out.npy", preexec_fn=lambda: os.umask(0o027))
        self.assertEqual(done.returncode, 0)
        for name in ("out.npy", "out.npy.labels.json"):
            self.assertEqual(stat.S_IMODE(os.stat(self.path(name)).st_mode), 0o640)

    def test_output_appended_by_the_shell_is_kept(self):
        with open(self.path("out.jsonl"), "ab") as file:
            file.write(b"before\n")
            file.flush()
            subprocess.run([MIEN, *LABEL, "--quiet", "one.npy"], cwd=self.folder, stdout=file, check=True)
        with open(self.path("out.jsonl"), "rb") as file:
            self.assertTrue(file.read().startswith(b'before\n{"row":0,'))

    # ---- Order, threads, memory ---------------------------------------------------------------------------------

    def test_bytes_do_not_depend_on_threads(self):
        bad = (0, 1, 4095, 40000, 99999, 199999)
        self.write_many("many.npy", 200000, bad)
        for name, more in (("out.jsonl", ["--scores", "all"]), ("out.csv", []), ("out.npy", []), ("out.bits", [])):
            seen = set()
            for threads in ("1", "2", "7", "32"):
                done = self.run_mien(*LABEL, *more, "--threads", threads, "many.npy", "-o", name)
                self.assertEqual(done.returncode, 0, done.stderr)
                with open(self.path(name), "rb") as file:
                    found = file.read()
                if name.endswith(("npy", "bits")):
                    with open(self.path(name + ".labels.json"), "rb") as file:
                        found += file.read()
                    self.assertTrue(found.endswith(b'"bad_rows":[0,1,4095,40000,99999,199999]}\n'))
                seen.add(found)
            self.assertEqual(len(seen), 1, name)

    def test_rows_of_many_files_are_counted_in_order(self):
        os.mkdir(self.path("parts"))
        for i in range(300):
            with open(self.path(f"parts/{i:03}.npy"), "wb") as file:
                file.write(fixtures.matrix([fixtures.ROWS[i % 4]] * (i % 3)))
        done = self.run_mien(*LABEL, "--threads", "8", "parts", "parts/*9.npy")
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = re.findall(rb'\{"row":(\d+),"file":"parts/(\d+).npy"', done.stdout)
        names = [*range(300), *(i for i in range(300) if i % 10 == 9)]
        expected = [i for i in names for _ in range(i % 3)]
        self.assertEqual([int(number) for number, _ in rows], list(range(len(expected))))
        self.assertEqual([int(name) for _, name in rows], expected)

    def test_the_first_failure_in_row_order_is_told(self):
        self.write_many("many.npy", 400000, (100001, 250000, 399999))
        for _ in range(5):
            done = self.run_mien(*LABEL, "--on-bad-row", "fail", "--threads", "8", "many.npy", "-o", "out.jsonl")
            self.assertEqual(done.returncode, 3)
            self.assertIn(b"many.npy: row 100001: not finite: column 0 is NaN", done.stderr)

    def test_memory_does_not_grow_with_rows(self):
        if fixtures.is_sanitized(MIEN):
            self.skipTest("sanitizers have memory of their own")
        script = (
            "import resource, subprocess, sys\n"
            "run = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE)\n"
            "block = bytes(1 << 20)\n"
            "for _ in range(256): run.stdin.write(block)\n"
            "run.stdin.close()\n"
            "code = run.wait()\n"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)\n"
            "sys.exit(code)\n"
        )
        command = [MIEN, *LABEL, "--threads", "4", "--input-format", "f32", "-", "-o", "out.jsonl"]
        done = subprocess.run(
            [sys.executable, "-c", script, *command], cwd=self.folder, capture_output=True, timeout=SECONDS
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"16777216 rows", done.stderr)
        self.assertLess(int(done.stdout), OWN_MEBIBYTES + 64, "MiB")

    def peak_mebibytes(self, *arguments):
        script = (
            "import resource, subprocess, sys\n"
            "code = subprocess.call(sys.argv[1:])\n"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)\n"
            "sys.exit(code)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, MIEN, *arguments], cwd=self.folder, capture_output=True, timeout=SECONDS
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return int(done.stdout) - OWN_MEBIBYTES

    def write_head_of(self, n_labels, dim):
        with open(self.path("many.onnx"), "wb") as file:
            file.write(fixtures.fused_head([[0.125 * (i % 7 + 1)] * dim for i in range(n_labels)], [0.0] * n_labels))
        with open(self.path("many.txt"), "w") as file:
            file.write("".join(f"label {i}\n" for i in range(n_labels)))
        return ["label", "--head", "many.onnx", "--labels", "many.txt", "--threads", "4", "--input-format", "f32"]

    def test_memory_does_not_grow_with_labels_to_a_number(self):
        if fixtures.is_sanitized(MIEN):
            self.skipTest("sanitizers have memory of their own")
        label = self.write_head_of(1000, 1)
        with open(self.path("many.f32"), "wb") as file:
            file.write(struct.pack("<20000f", *(i % 100 for i in range(20000))))
        for more in (["--output-format", "csv", "--scores", "all"], ["--output-format", "jsonl", "--top-k", "1000"],
                     ["--output-format", "jsonl"]):
            self.assertLess(self.peak_mebibytes(*label, *more, "many.f32", "-o", "/dev/null"), 100, more)
        self.assertLess(self.peak_mebibytes(*label, "many.f32", "-o", "out.npy"), 100)
        label = self.write_head_of(5000, 4)
        with open(self.path("few.f32"), "wb") as file:
            file.write(bytes(160))
        self.assertLess(self.peak_mebibytes(*label, "few.f32", "-o", "out.jsonl"), 100)

    # ---- Files that a run reads, and names that lead elsewhere --------------------------------------------------

    def check_refused(self, expected, *arguments, code=2):
        before = {name: os.path.exists(name) and open(name, "rb").read() for name in self.files()}
        done = self.run_mien(*arguments)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn(expected, done.stderr)
        after = {name: os.path.exists(name) and open(name, "rb").read() for name in self.files()}
        self.assertEqual(after, before)

    def test_a_sidecar_does_not_replace_what_the_run_reads(self):
        for name, more in (("labels", ["--head", "head/model.onnx", "--labels", "out.npy.labels.json"]),
                           ("thresholds", [*LABEL[1:], "--thresholds", "out.npy.labels.json"])):
            source = {"labels": "head/labels.txt", "thresholds": "head/thresholds.json"}[name]
            with open(self.path("out.npy.labels.json"), "wb") as file:
                file.write(fixtures.FILES[source])
            self.check_refused(b"out.npy.labels.json: the output is a file of the model", "label", *more, "rows.npy",
                               "-o", "out.npy")
        with open(self.path("out.bits.labels.json"), "wb") as file:
            file.write(fixtures.FILES["rows.f32"])
        self.check_refused(b"the same file as input", *LABEL, "--input-format", "f32", "out.bits.labels.json",
                           "-o", "out.bits")
        with open(self.path("both.npy"), "wb") as file:
            file.write(b"before")
        os.symlink("both.npy", self.path("both.npy.labels.json"))
        self.check_refused(b"the same file as the output", *LABEL, "rows.npy", "-o", "both.npy")

    def test_a_file_in_the_folder_of_the_head_is_kept(self):
        with open(self.path("head/model.onnx.data"), "wb") as file:
            file.write(b"weights")
        os.symlink("head/model.onnx.data", self.path("link.jsonl"))
        os.symlink("head", self.path("other"))
        for name in ("head/model.onnx.data", "other/model.onnx.data", "link.jsonl"):
            self.check_refused(b"may be a file of the model", *LABEL, "rows.npy", "--output-format", "jsonl",
                               "-o", name)
        # Named in the head, as external data is: the fixtures' producer stands in it.
        os.mkdir(self.path("named"))
        with open(self.path("named/model.onnx"), "wb") as file:
            file.write(fixtures.FILES["head/model.onnx"].replace(b"fixtures", b"data.npy"))
        with open(self.path("named/data.npy"), "wb") as file:
            file.write(b"weights")
        self.check_refused(b"may be a file of the model", "label", "--head", "named", "--labels",
                           "head/labels.txt", "rows.npy", "-o", "named/data.npy")

    def test_an_earlier_output_beside_the_head_is_replaced(self):
        for name in ("head/out.npy", "head/out.jsonl", "head/out.bits"):
            for rows in ("one.npy", "rows.npy"):
                done = self.run_mien(*LABEL, rows, "-o", name)
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_names_that_are_too_long_are_known_before_work_starts(self):
        for name in ("x" * 260 + ".jsonl", "x" * 248 + ".npy"):  # the second one's sidecar
            self.check_refused(b"File name too long", *LABEL, "rows.npy", "bad.npy", "--on-bad-row", "fail", "-o", name,
                               code=4)

    def test_a_link_to_nothing_is_refused(self):
        os.symlink("absent.jsonl", self.path("link.jsonl"))
        self.check_refused(b"link.jsonl: expected a file to write, found a link to nothing", *LABEL, "rows.npy", "-o",
                           "link.jsonl")
        self.assertTrue(os.path.islink(self.path("link.jsonl")))

    def test_names_of_descriptors_are_not_renamed_over(self):
        with open(self.path("out"), "wb") as file:
            file.write(b"before\n")
            file.flush()
            run = lambda *more: subprocess.run(
                [MIEN, *LABEL, "one.npy", *more], cwd=self.folder, stdout=file, stderr=subprocess.PIPE, timeout=SECONDS
            )
            self.assertEqual(run("--quiet", "-o", "/dev/stdout").returncode, 0)
            for name in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
                done = run("--output-format", "npy", "-o", name)
                self.assertEqual(done.returncode, 2, done.stderr)
        with open(self.path("out"), "rb") as file:
            self.assertTrue(file.read().startswith(b'before\n{"row":0,'))
        self.assertEqual(len(self.files()), len(self.before) + 1)

    def test_a_file_that_claims_no_size_is_read(self):
        name = "/proc/sys/kernel/random/boot_id"
        if not os.path.exists(name):
            self.skipTest(f"no {name}")
        self.check_refused(b"expected a multiple of 16 bytes (rows of 4 numbers), found 37", *LABEL, "--input-format",
                           "f32", name, code=3)
        with open(name, "rb") as file:
            done = subprocess.run([MIEN, *LABEL, "--input-format", "f32", "-"], cwd=self.folder, stdin=file,
                                  capture_output=True, timeout=SECONDS)
        self.assertEqual(done.returncode, 3, done.stderr)

    def test_messages_show_no_control_or_invalid_bytes(self):
        for option in ("--threads", "--input-format", "--threshold", "--dtype", "--\x1bodd"):
            done = self.run_mien(*LABEL, option, b"\x1b[31m\xff\x9b", "rows.npy")
            self.assertEqual(done.returncode, 2)
            self.assertNotIn(b"\x1b", done.stderr)
            done.stderr.decode()
        os.mkdir(self.path("a\x1b[1m"))
        with open(self.path("a\x1b[1m/model.onnx"), "wb") as file:
            file.write(fixtures.FILES["head/model.onnx"])
        done = self.run_mien("label", "--head", "a\x1b[1m", "--labels", "head/labels.txt", "rows.npy")
        self.assertIn(b"no thresholds given", done.stderr)
        self.assertNotIn(b"\x1b", done.stderr)

    # ---- Terminals ----------------------------------------------------------------------------------------------

    def on_terminal(self, *arguments, stdin=None, environment=None, stdout_too=True):
        try:
            master, slave = pty.openpty()
        except OSError as error:
            self.skipTest(f"no pseudo-terminals: {error}")
        run = subprocess.Popen(
            [MIEN, *arguments], cwd=self.folder, stdin=stdin or subprocess.DEVNULL,
            stdout=slave if stdout_too else subprocess.DEVNULL, stderr=slave,
            env={**os.environ, "MIEN_ISA": "portable", **(environment or {})},
        )
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
        return shown.replace(b"\r\n", b"\n").decode()

    def test_a_terminal_shows_text_for_people(self):
        shown = self.on_terminal(*LABEL, "--quiet", "bad.npy", environment={"NO_COLOR": "1"})
        expected = (
            "       0  joy 0.881  anger 0.378\n"
            "       1  bad row: column 1 is NaN\n"
            "       2  love 0.924  anger 0.881  joy 0.731\n"
            "       3  bad row: column 3 is -infinity\n"
            "       4  anger 0.999  love 0.679\n"
        )
        self.assertEqual(shown, expected)

    def test_a_terminal_shows_colours_unless_told_not_to(self):
        environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        os.environ.clear()
        os.environ.update(environment)
        self.assertIn("\x1b[1;36mjoy\x1b[0m", self.on_terminal(*LABEL, "one.npy"))

    def test_a_score_shown_short_is_on_the_side_of_its_label(self):
        shown = self.on_terminal(
            *LABEL, "--quiet", "--threshold", "0.881", "--threshold", "joy=0.8807", "one.npy",
            environment={"NO_COLOR": "1"},
        )
        self.assertEqual(shown, "       0  joy 0.881\n")
        shown = self.on_terminal(
            *LABEL, "--quiet", "--top-k", "1", "--threshold", "0.8805", "rows.npy", environment={"NO_COLOR": "1"}
        )
        self.assertIn("       0  joy 0.881\n", shown)
        shown = self.on_terminal(
            *LABEL, "--quiet", "--top-k", "1", "--threshold", "0.8809", "one.npy", environment={"NO_COLOR": "1"}
        )
        self.assertEqual(shown, "       0  joy 0.880797\n")

    def test_progress_is_shown_on_a_terminal_only(self):
        def run(**more):
            feeder = subprocess.Popen(
                [sys.executable, "-c",
                 "import sys, time\nfor _ in range(8): sys.stdout.buffer.write(bytes(1 << 20)); time.sleep(0.1)"],
                stdout=subprocess.PIPE,
            )
            shown = more.pop("how")(stdin=feeder.stdout)
            feeder.stdout.close()
            feeder.wait()
            return shown

        arguments = [*LABEL, "--input-format", "f32", "-", "-o", "out.bits"]
        shown = run(how=lambda stdin: self.on_terminal(*arguments, stdin=stdin))
        self.assertRegex(shown, r"\r\x1b\[K\d+ rows, \d+ rows/s")
        self.assertTrue(shown.split("\x1b[K")[-1].startswith("mien: 524288 rows"), shown)
        quiet = run(how=lambda stdin: self.on_terminal(*arguments, "--quiet", stdin=stdin))
        self.assertEqual(quiet, "")

    # ---- Texts --------------------------------------------------------------------------------------------------

    def random_texts(self, n, seed=1):
        numbers = random.Random(seed)
        words = [*fixtures.WORDS, "", "unknown", "\u00e9", "!", "\U0001f600"]
        return [" ".join(numbers.choices(words, k=numbers.randrange(30))) for _ in range(n)]

    def write_lines(self, name, lines):
        with open(self.path(name), "w", newline="") as file:
            file.write("".join(line + "\n" for line in lines))

    def labels_of(self, *arguments):
        done = self.run_mien(*LABEL_TEXTS, "--scores", "all", *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_texts_have_the_same_labels_whatever_the_threads_and_the_neighbours(self):
        texts = self.random_texts(1500)
        self.write_lines("many.txt", texts)
        expected = self.labels_of("many.txt", "--threads", "1")
        self.assertEqual([row["row"] for row in expected], list(range(len(texts))))
        self.assertGreater(len({str(row["scores"]) for row in expected}), 1000)
        for threads in ("2", "7"):
            self.assertEqual(self.labels_of("many.txt", "--threads", threads), expected)
        numbers, lines, kept = random.Random(2), [], []
        for i, text in enumerate(texts):
            while numbers.random() < 0.4:
                lines.append(numbers.choice(['{"text":null}', "{}", "nonsense", "[1]"]))
                kept.append(None)
            lines.append(json.dumps({"text": text, "n": i}))
            kept.append(i)
        self.write_lines("some.jsonl", lines)
        found = self.labels_of("some.jsonl", "--keep", "n", "--threads", "3")
        self.assertEqual(len(found), len(kept))
        for row, (i, result) in enumerate(zip(kept, found)):
            self.assertEqual(result["row"], row)
            if i is None:
                self.assertIn(f"line {row + 1}: ", result["error"])
            else:
                self.assertEqual({**result, "row": i}, {**expected[i], "n": i})

    def test_scores_of_texts_are_those_of_their_embeddings(self):
        self.write_lines("many.txt", self.random_texts(600))
        done = self.run_mien("embed", *ENCODER, "many.txt", "-o", "many.npy")
        self.assertEqual(done.returncode, 0, done.stderr)
        texts = self.labels_of("many.txt")
        done = self.run_mien(*LABEL_TEXTS[:1], *LABEL_TEXTS[3:], "--scores", "all", "many.npy")
        self.assertEqual(done.returncode, 0, done.stderr)
        embeddings = [json.loads(line) for line in done.stdout.splitlines()]
        for row in texts:
            row.pop("truncated", None)
        self.assertEqual(texts, embeddings)

    def test_bad_rows_of_embeddings_are_nan_and_listed(self):
        for name in ("out.npy", "out.f32"):
            done = self.run_mien("embed", *ENCODER, "texts.jsonl", "-o", name)
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(self.path(name), "rb") as file:
                data = file.read()
            data = data if name.endswith("f32") else fixtures.read_npy(self.path(name))[2]
            numbers = struct.unpack(f"<{6 * fixtures.HIDDEN}f", data)
            for row in range(6):
                values = numbers[row * fixtures.HIDDEN : (row + 1) * fixtures.HIDDEN]
                bad = row in (1, 2, 5)
                self.assertEqual({math.isnan(value) for value in values}, {bad}, row)
                if not bad:
                    self.assertAlmostEqual(sum(value * value for value in values), 1, 5)
            with open(self.path(name + ".rows.json")) as file:
                self.assertEqual(json.load(file), {"bad_rows": [1, 2, 5]})

    def test_values_of_jsonl_are_kept_byte_for_byte(self):
        values = ["1e400", "-0.10", "12345678901234567890123", '"\\u00e9\\ud83d\\ude00"', "[1, [2,\t3]]", '{"a":{}}', "null"]
        lines = [f'{{ "v" : {value} , "text":"a","row":1}}' for value in values]
        self.write_lines("values.jsonl", lines)
        done = self.run_mien(*LABEL_TEXTS, "--keep", "all", "values.jsonl")
        self.assertEqual(done.returncode, 0, done.stderr)
        for line, value in zip(done.stdout.decode().splitlines(), values):
            self.assertIn(f',"v":{value},"input_row":1,"labels":', line)

    def test_a_stream_is_answered_line_by_line(self):
        run = self.start(*LABEL_TEXTS, "-", "--threads", "3")
        for i, line in enumerate((b"\n", b"a\n", b"I am happy\n", b"\n", b"I hate this\n")):
            run.stdin.write(line)
            run.stdin.flush()
            self.assertEqual(json.loads(run.stdout.readline())["row"], i)
        run.communicate(timeout=SECONDS)
        self.assertEqual(run.returncode, 0)

    def test_sigint_ends_a_wait_for_texts(self):
        run = self.start(*LABEL_TEXTS, "-", "-o", "out.jsonl")
        run.stdin.write(b"a\n")
        run.stdin.flush()
        self.wait_for(self.has_temporary)
        run.send_signal(signal.SIGINT)
        self.finish(run)
        self.assertEqual(run.returncode, 5)
        self.assertFalse(self.has_temporary())

    def feed_long_row(self, before, after, *arguments):
        """The run of a row of 1 GiB between others, and the most memory it took, in MiB."""
        script = (
            "import resource, subprocess, sys\n"
            "run = subprocess.Popen(sys.argv[4:], stdin=subprocess.PIPE)\n"
            "run.stdin.write(sys.argv[2].encode())\n"
            "block = b'word ' * (1 << 18)\n"
            "for _ in range(int(sys.argv[1]) * (1 << 20) // len(block)): run.stdin.write(block)\n"
            "run.stdin.write(sys.argv[3].encode())\n"
            "run.stdin.close()\n"
            "code = run.wait()\n"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024, file=sys.stderr)\n"
            "sys.exit(code)\n"
        )
        size = "64" if fixtures.is_sanitized(MIEN) else "1024"
        done = subprocess.run(
            [sys.executable, "-c", script, size, before, after, MIEN, *arguments], cwd=self.folder,
            capture_output=True, timeout=SECONDS,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.decode().splitlines(), int(done.stderr.split()[-1])

    def test_a_row_of_a_gigabyte_costs_a_bounded_part_of_memory(self):
        tokenize = ["tokenize", *ENCODER, "--quiet", "-", "--input-format"]
        for form, before, after, line in (("text", "a\n", "\nb\n", 2), ("csv", 'text\na\n"', '"\nb\n', 3),
                                          ("jsonl", '{"text":"a"}\n{"text":"', '"}\n{"text":"b"}\n', 2)):
            rows, mebibytes = self.feed_long_row(before, after, *tokenize, form)
            self.assertEqual(
                rows,
                ['{"row":0,"ids":[2,18,3]}',
                 f'{{"row":1,"error":"line {line}: longer than 16777216 bytes"}}',
                 '{"row":2,"ids":[2,25,3]}'],
            )  # fmt: skip
            if not fixtures.is_sanitized(MIEN):
                self.assertLess(mebibytes, OWN_MEBIBYTES + 100)

    def test_a_text_of_many_tokens_is_cut_and_told(self):
        self.write_lines("long.txt", ["happy " * 100000, "happy"])
        rows = self.labels_of("long.txt")
        self.assertEqual(rows[0].get("truncated"), True)
        self.assertNotIn("truncated", rows[1])
        done = self.run_mien("tokenize", *ENCODER, "long.txt")
        ids = json.loads(done.stdout.splitlines()[0])["ids"]
        self.assertEqual(ids, [2, *[8] * 100000, 3])

    def test_files_of_the_encoder_are_kept(self):
        os.symlink("encoder/vocab.txt", self.path("link.jsonl"))
        self.check_refused(b"is a file of the encoder", *LABEL_TEXTS, "texts.txt", "-o", "link.jsonl")
        with open(self.path("encoder/pytorch_model.bin"), "wb") as file:
            file.write(b"weights")
        self.check_refused(b"may be a file of the model", *LABEL_TEXTS, "texts.txt", "--output-format", "jsonl", "-o",
                           "encoder/pytorch_model.bin")
        os.rename(self.path("encoder/vocab.txt"), self.path("vocab.npy.rows.json"))
        os.symlink("../vocab.npy.rows.json", self.path("encoder/vocab.txt"))
        self.check_refused(b"is a file of the encoder", "embed", *ENCODER, "texts.txt", "-o", "vocab.npy")
        for _ in range(2):
            self.assertEqual(self.run_mien(*LABEL_TEXTS, "texts.txt", "-o", "encoder/out.jsonl").returncode, 0)

    def test_a_terminal_shows_texts_with_their_labels(self):
        self.write_lines("odd.txt", ["I am so happy", "\x1b[31mred\x07 \u202eturned\ttab", "word " * 40])
        shown = self.on_terminal(*LABEL_TEXTS, "--quiet", "odd.txt", environment={"NO_COLOR": "1", "COLUMNS": "80"})
        lines = shown.splitlines()
        self.assertRegex(lines[0], r"^       0  I am so happy {22}  [a-z-]")
        self.assertTrue(lines[1].startswith("       1  \ufffd[31mred\ufffd turned tab  "), lines[1])
        self.assertRegex(lines[2], r"^       2  (word ){6}word\u2026  ")

    def test_a_terminal_shows_scores_as_bars(self):
        environment = {"NO_COLOR": "1", "LC_ALL": "C", "COLUMNS": "60"}
        shown = self.on_terminal(*LABEL_TEXTS, "--quiet", "--text", "happy", "--text", "a\nb", environment=environment)
        self.assertTrue(shown.startswith("happy\n"), shown)
        self.assertIn("\n\na b\n", shown)
        bars = [line for line in shown.splitlines() if re.match(r"^[* ] (joy|love|anger) +#* +0\.[0-9]+$", line)]
        self.assertEqual(len(bars), 6, shown)
        self.assertTrue(all(len(line) <= 60 for line in bars), shown)
        environment = {**environment, "LC_ALL": "C.UTF-8"}
        self.assertIn("\u2588", self.on_terminal(*LABEL_TEXTS, "--text", "happy", environment=environment))

    def test_a_terminal_asks_for_texts(self):
        try:
            keyboard, stdin = pty.openpty()
        except OSError as error:
            self.skipTest(f"no pseudo-terminals: {error}")
        os.write(keyboard, b"happy\n\nthank you\n\x04")
        shown = self.on_terminal(*LABEL_TEXTS, stdin=stdin, environment={"NO_COLOR": "1", "LC_ALL": "C"})
        os.close(keyboard)
        os.close(stdin)
        self.assertEqual(len(re.findall(r"(?m)^(?:> )*[* ] (?:joy|love|anger) ", shown)), 6, shown)
        self.assertTrue(shown.endswith("> \n"), shown)

    # ---- Instruction sets -----------------------------------------------------------------------------------------

    def test_inspect_says_why_an_instruction_set_is_missing_and_what_runs(self):
        found = json.loads(self.run_mien("inspect", "--cpu", "--json").stdout)
        for line in found["isas"]:
            self.assertEqual(line["available"], "reason" not in line, line)
        available = {line["isa"] for line in found["isas"] if line["available"]}
        self.assertEqual(set(found["runs"]), {"head", "f32", "bf16x3", "bf16", "int8"})
        self.assertLessEqual(set(found["runs"].values()), available)
        missing = next(line for line in found["isas"] if not line["available"])
        refused = self.run_mien("inspect", "--cpu", env={**os.environ, "MIEN_ISA": missing["isa"]})
        self.assertEqual(refused.returncode, 4)
        self.assertIn(missing["reason"].encode(), refused.stderr)

    # ---- Benchmarks ---------------------------------------------------------------------------------------------

    def check_bench(self, subject, keys, *arguments):
        run = self.run_mien("bench", subject, "--json", "--seconds", "0", "--threads", "2", *arguments)
        self.assertEqual(run.returncode, 0, run.stderr)
        found = json.loads(run.stdout)
        self.assertEqual({line["threads"] for line in found["results"]}, {1, 2})
        self.assertIn("portable", {line["isa"] for line in found["results"]})
        # Bytes in 10^9 a second are 0 to three decimals where a sanitizer slows a small encoder down.
        self.assertTrue(all(line[key] > 0 or key == "gb_per_s" for line in found["results"] for key in keys), found)
        self.assertGreater(found["peak_gflop_per_s"], 0)
        self.assertGreater(found["read_gb_per_s"], 0)
        return found

    def test_bench_measures_heads_and_encoders(self):
        self.check_bench("head", ("rows_per_s", "gb_per_s"), "--rows", "1000")
        keys = ("texts_per_s", "tokens_per_s", "gb_per_s", "gop_per_s", "peak")
        for dtype in ("f32", "int8"):
            found = self.check_bench("encoder", keys, *ENCODER, "--tokens", "3", "--dtype", dtype, "--profile")
            self.assertEqual({line["dtype"] for line in found["results"]}, {dtype})
            self.assertEqual({peak["products"] for peak in found["peaks"]}, {dtype})
            profiles = [line["profile"] for line in found["results"] if "profile" in line]
            self.assertTrue(profiles and all(abs(sum(shares.values()) - 1) < 0.01 for shares in profiles), profiles)
        for arguments in (["encoder", "--rows", "5"], ["head", "--tokens", "5"], ["head", "--profile"], ["tail"], []):
            self.assertEqual(self.run_mien("bench", *arguments).returncode, 2)
        refused = self.run_mien("bench", "encoder", *ENCODER, "--tokens", "1000")
        self.assertIn(b"--tokens: expected at most", refused.stderr)
        self.assertEqual(refused.returncode, 2)


if __name__ == "__main__":
    MIEN = os.path.abspath(sys.argv.pop(1))
    unittest.main()
