# SPDX-License-Identifier: Apache-2.0
"""Inputs as they are met: compressed, in pieces, interrupted, broken, unreadable, and changing while they are read.

streams.py COMMAND READ_FAULTS [TEST...]: READ_FAULTS is the library that is made of read_faults.c."""

import gzip
import json
import os
import subprocess
import sys
import unittest

import fixtures

MIEN = READ_FAULTS = ""
LABEL = ["label", "--head", "head/model.onnx", "--labels", "head/labels.txt"]
LABEL_TEXTS = ["label", "--encoder", "encoder", "--head", "texthead/model.onnx", "--labels", "texthead/labels.txt"]
SECONDS = 120  # more than any run takes, under sanitizers too
TEXTS = [" ".join(fixtures.WORDS[(i * k) % len(fixtures.WORDS)] for k in range(i % 5)) for i in range(120)]
FORMATS = {
    "text": "\n".join(TEXTS).encode(),
    "jsonl": b"".join(json.dumps({"text": t if i % 9 else None}).encode() + b"\n" for i, t in enumerate(TEXTS)),
    "csv": b"text,n\n" + b"".join(f'"{t},\n""",{i}\n'.encode() for i, t in enumerate(TEXTS)),
    "tsv": b"text\tn\n" + b"".join(f"{t}\t{i}\n".encode() for i, t in enumerate(TEXTS)),
}
ENDINGS = {"text": "txt", "jsonl": "jsonl", "csv": "csv", "tsv": "tsv", "npy": "npy", "f32": "f32"}
MATRIX = fixtures.matrix([fixtures.ROWS[i % 4] if i % 11 else [fixtures.NAN] * 4 for i in range(90)])
FORMATS["npy"] = MATRIX
FORMATS["f32"] = MATRIX[128:]


def label(format_):
    return LABEL if format_ in ("npy", "f32") else LABEL_TEXTS


class Streams(fixtures.InFolder):
    def bytes_of(self, *names):
        with open(self.path(*names), "rb") as file:
            return file.read()

    def run_mien(self, *arguments, fault=None, **more):
        """`fault`: the shim's variables."""
        more = {"stdin": subprocess.DEVNULL, **more}
        if fault:
            # Before a sanitizer's library, whose own functions it then calls.
            sanitizer = ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), "verify_asan_link_order=0"]))
            more["env"] = {**os.environ, "LD_PRELOAD": READ_FAULTS, "ASAN_OPTIONS": sanitizer, **fault}
        return subprocess.run([MIEN, *arguments], cwd=self.folder, capture_output=True, timeout=SECONDS, **more)

    def do(self, *arguments, code=0, **more):
        """The stdout of a run that is done, or the stderr of one that ends with another `code`."""
        done = self.run_mien(*arguments, **more)
        self.assertEqual(done.returncode, code, (arguments, done.stderr.decode()))
        return done.stdout if code == 0 else done.stderr.decode()

    def compressed(self, data, ending):
        return gzip.compress(data) if ending == "gz" else self.zstd(data)

    def zstd(self, data):
        """One frame of raw blocks (RFC 8878), without a checksum: Python has no zstd that compresses."""
        frame = b"\x28\xb5\x2f\xfd\x00\x58"  # a window of 2 MiB
        blocks = [data[at : at + 100000] for at in range(0, len(data), 100000)] or [b""]
        for i, block in enumerate(blocks):
            frame += (len(block) << 3 | (i == len(blocks) - 1)).to_bytes(3, "little") + block
        return frame

    # ---- Compressed -----------------------------------------------------------------------------------------------

    def test_compressed_inputs_give_the_rows_of_plain_ones(self):
        """By their content: under names that say so, under those of plain files, and from stdin, a pipe and a file."""
        for format_, data in FORMATS.items():
            ending = ENDINGS[format_]
            self.write(f"in.{ending}", data)
            expected = self.do(*label(format_), f"in.{ending}")
            for how in ("gz", "zst"):
                packed = self.compressed(data, how)
                self.write(f"in.{ending}.{how}", packed)
                self.write(f"renamed.{ending}", packed)
                for name in (f"in.{ending}.{how}", f"renamed.{ending}"):
                    self.assertEqual(self.do(*label(format_), name), expected, name)
                stdin = [*label(format_), "--input-format", format_, "-"]
                self.assertEqual(self.do(*stdin, input=packed, stdin=None), expected)
                with open(self.path(f"in.{ending}.{how}"), "rb") as file:
                    self.assertEqual(self.do(*stdin, stdin=file), expected)

    def test_folders_and_patterns_find_compressed_files(self):
        os.mkdir(self.path("in"))
        self.write("in/a.txt.gz", gzip.compress(b"a\n"))
        self.write("in/b.csv.zst", self.zstd(b"text\nb\n"))
        self.write("in/c.gz", gzip.compress(b"c\n"))
        files = [json.loads(line)["file"] for line in self.do(*LABEL_TEXTS, "in").splitlines()]
        self.assertEqual(files, ["in/a.txt.gz", "in/b.csv.zst"])
        self.assertEqual(len(self.do(*LABEL_TEXTS, "in/*.csv.*").splitlines()), 1)
        self.assertIn("in/c.gz: format", self.do(*LABEL_TEXTS, "in/c.gz", code=3))

    def test_members_and_frames_follow_each_other(self):
        """And frames that are to be skipped are; none of them need be where a line is."""
        expected = self.do(*LABEL_TEXTS, "-", input=b"a b\nc d\n\ne\n", stdin=None)
        skipped = b"\x5a\x2a\x4d\x18\x03\x00\x00\x00a\nb"
        for packed in (
            b"".join(gzip.compress(piece) for piece in (b"a ", b"b\nc", b"", b" d\n\ne\n")),
            skipped + self.zstd(b"a b\nc") + skipped + self.zstd(b"") + self.zstd(b" d\n\ne\n") + skipped,
        ):
            self.write("in.txt", packed)
            self.assertEqual(self.do(*LABEL_TEXTS, "in.txt"), expected)
            self.assertEqual(self.do(*LABEL_TEXTS, "-", input=packed, stdin=None), expected)

    def test_what_is_broken_is_told_with_its_place_and_leaves_no_output(self):
        texts = (b"a b c " * 100 + b"\n") * 500
        gz, zst = gzip.compress(texts, 1), self.zstd(texts)
        flipped = bytearray(gz)
        flipped[len(gz) // 2] ^= 0xFF
        wide = b"\x28\xb5\x2f\xfd\x00\x90\x01\x00\x00"  # a window of 256 MiB
        broken = [
            (gz[:-1], f"truncated gz: expected more than {len(gz) - 1} bytes, found the end"),
            (zst[:-7], f"truncated zst: expected more than {len(zst) - 7} bytes, found the end"),
            (bytes(flipped), "behind byte [0-9]+: corrupt gz: "),
            (zst[:100008] + b"\xff" * 3 + zst[100011:], "behind byte [0-9]+: corrupt zst: "),
            (gz + b"x!", f"byte {len(gz)}: expected the end or another gz member, found other bytes"),
            (zst + b"x!x!", f"byte {len(zst)}: expected the end or another zst frame, found other bytes"),
            (zst + wide, f"byte {len(zst)}: expected a zst frame with a window of at most 128 MiB, found"),
        ]
        self.write("a.txt", b"a\n" * 10)
        self.write("c.txt", b"c\n")
        for data, message in broken:
            self.write("b.txt", data)
            stderr = self.do(*LABEL_TEXTS, "a.txt", "b.txt", "c.txt", "-o", "out.jsonl", code=3)
            self.assertRegex(stderr, f"b.txt: {message}")
            self.assertFalse(os.path.exists(self.path("out.jsonl")))

    def test_finished_parts_are_kept_where_an_input_breaks(self):
        data = gzip.compress(b"a b c\n" * 5000, 1)
        piped = [*LABEL_TEXTS, "-", "-o", "piped.jsonl", "--part-rows", "100"]
        self.assertIn("stdin: truncated gz", self.do(*piped, code=3, input=data[: len(data) // 2], stdin=None))
        parts = [name for name in os.listdir(self.path("piped.jsonl")) if name.startswith("part-")]
        self.assertGreater(len(parts), 0)
        self.assertTrue(all(len(self.bytes_of("piped.jsonl", name).splitlines()) == 100 for name in parts))

    def test_clean_copies_no_compressed_rows(self):
        self.write("in.csv.gz", gzip.compress(b"text,labels\na,joy\n"))
        self.assertIn("found a compressed one", self.do("clean", "--data", "in.csv.gz", "-o", "out.csv", code=3))

    # ---- In pieces ------------------------------------------------------------------------------------------------

    def test_interrupted_and_short_calls_change_nothing(self):
        for format_, data in FORMATS.items():
            for how, output in (("", "jsonl"), (".gz", "npy.gz"), (".zst", "csv.zst")):
                if how and format_ not in ("text", "npy"):
                    continue
                name = f"in.{ENDINGS[format_]}{how}"
                self.write(name, self.compressed(data, how[1:]) if how else data)
                self.do(*label(format_), name, "-o", f"expected.{output}")
                stdin = [*label(format_), "--input-format", format_, "-"]
                for fault in ("interrupt", "short"):
                    how = {"fault": {"MIEN_READ_FAULT": fault}}
                    self.do(*label(format_), name, "-o", f"file.{output}", **how)
                    self.do(*stdin, "-o", f"pipe.{output}", input=self.bytes_of(name), stdin=None, **how)
                    for found in (f"file.{output}", f"pipe.{output}"):
                        self.assertEqual(self.bytes_of(found), self.bytes_of(f"expected.{output}"), (name, fault))

    # ---- Failing --------------------------------------------------------------------------------------------------

    def faults(self, arguments, kind, watched):
        """The number of calls that a fault can be put into."""
        self.do(*arguments, fault={"MIEN_READ_FAULT": kind, "MIEN_READ_FILE": watched, "MIEN_READ_COUNT": "count"})
        return int(self.bytes_of("count"))

    def test_a_read_that_fails_is_told_with_its_place(self):
        for format_ in FORMATS:
            for how in ("", ".gz") if format_ in ("text", "npy") else ("",):
                name = f"in.{ENDINGS[format_]}{how}"
                self.write(name, gzip.compress(FORMATS[format_]) if how else FORMATS[format_])
                run = [*label(format_), name, "-o", "out.jsonl", "--threads", "2"]
                n = self.faults(run, "error", name)
                self.assertGreater(n, 0)
                os.unlink(self.path("out.jsonl"))
                for at in range(1, n + 1):
                    fault = {"MIEN_READ_FAULT": "error", "MIEN_READ_FILE": name, "MIEN_READ_AT": str(at)}
                    stderr = self.do(*run, code=3, fault=fault)
                    self.assertRegex(stderr, rf"{name}: byte [0-9]+: Input/output error", at)
                    self.assertFalse(os.path.exists(self.path("out.jsonl")))

    def test_a_file_that_changes_while_it_is_read_is_told(self):
        for format_ in ("text", "csv", "npy", "f32"):
            for how in ("", ".gz") if format_ in ("text", "npy") else ("",):
                for kind in ("cut", "grow"):
                    name = f"in.{ENDINGS[format_]}{how}"
                    data = gzip.compress(FORMATS[format_]) if how else FORMATS[format_]
                    self.write(name, data)
                    run = [*label(format_), name, "-o", "out.jsonl", "--threads", "2"]
                    n = self.faults(run, "count", name)
                    expected = self.bytes_of("out.jsonl")
                    for at in range(1, n + 1):
                        self.write(name, data)
                        fault = {"MIEN_READ_FAULT": kind, "MIEN_READ_FILE": name, "MIEN_READ_AT": str(at)}
                        os.unlink(self.path("out.jsonl"))
                        done = self.run_mien(*run, fault=fault)
                        if done.returncode == 3:
                            self.assertIn(name + ":", done.stderr.decode())
                            self.assertFalse(os.path.exists(self.path("out.jsonl")))
                            self.write("out.jsonl", b"")
                        else:  # before the run looked at it, or behind its last byte
                            self.assertEqual(done.returncode, 0, done.stderr)
                            found = self.bytes_of("out.jsonl")
                            if found != expected:
                                self.assertEqual(self.do(*label(format_), name), found, (name, kind, at))

    def test_a_file_that_is_cut_in_the_middle_leaves_finished_parts(self):
        text = b"".join(b"%d " % i + b"a b " * 2500 + b"\n" for i in range(400))
        for name, data in (("in.txt", text), ("in.txt.gz", gzip.compress(text, 0))):
            self.write(name, data)
            run = [*LABEL_TEXTS, name, "--part-rows", "30", "--threads", "1", "-o"]
            n = self.faults([*run, f"expected.{name}.jsonl"], "count", name)
            out = f"out.{name}.jsonl"
            fault = {"MIEN_READ_FAULT": "cut", "MIEN_READ_FILE": name, "MIEN_READ_AT": str(n - 2)}
            stderr = self.do(*run, out, code=3, fault=fault)
            self.assertRegex(stderr, f"{name}: (was cut while it was read|has changed): expected")
            parts = {f: self.bytes_of(out, f) for f in os.listdir(self.path(out)) if f.startswith("part-")}
            self.assertGreater(len(parts), 0, name)
            for part, bytes_ in parts.items():
                self.assertEqual(self.bytes_of(f"expected.{name}.jsonl", part), bytes_)

    def test_an_unreadable_file_in_the_middle_leaves_finished_parts(self):
        for name in ("a.txt", "b.txt", "c.txt"):
            self.write(name, b"a\n" * 20)
        run = [*LABEL_TEXTS, "a.txt", "b.txt", "c.txt", "--part-rows", "6", "-o"]
        self.do(*run, "expected.jsonl")
        n = self.faults([*run, "count.jsonl"], "open", "b.txt")
        self.assertGreater(n, 1)
        n_parts = []
        for at in range(1, n + 1):
            out = f"out_{at}.jsonl"
            fault = {"MIEN_READ_FAULT": "open", "MIEN_READ_FILE": "b.txt", "MIEN_READ_AT": str(at)}
            self.assertIn("b.txt: Permission denied", self.do(*run, out, code=3, fault=fault))
            is_made = os.path.exists(self.path(out))  # not yet where inputs are looked at first
            n_parts.append(sum(name.startswith("part-") for name in os.listdir(self.path(out))) if is_made else 0)
            self.do(*run, out, "--resume")
            for name in os.listdir(self.path("expected.jsonl")):
                if name.startswith(("part-", "manifest")):
                    self.assertEqual(self.bytes_of(out, name), self.bytes_of("expected.jsonl", name), (at, name))
        self.assertEqual(n_parts[-1], 3)  # of 20 rows, 6 a part


if __name__ == "__main__":
    MIEN, READ_FAULTS = (os.path.abspath(path) for path in sys.argv[1:3])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
