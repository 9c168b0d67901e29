# SPDX-License-Identifier: Apache-2.0
"""Golden runs of the command: golden.py COMMAND [--update] [CASE...]

A case is a file golden/NAME.txt: a line `$ shell command`, then the exit code, stdout, stderr and the files that it
wrote, as expected. The command runs in a folder of its own with the files of fixtures.py. --update writes what was
found over what was expected.
"""

import os
import re
import struct
import subprocess
import sys
import tempfile

import fixtures

HERE = os.path.dirname(os.path.abspath(__file__))


def steady(text, folder):
    """What differs between machines and runs."""
    text = text.replace(os.path.realpath(folder), "FOLDER")
    text = re.sub(r"in [0-9.]+ s \([0-9]+ (rows|texts)/s\)", r"in # s (# \1/s)", text)
    return re.sub(r"(isa \w+, )?[0-9]+ threads?$", lambda found: found[1] and "isa #, # threads" or "# threads", text,
                  flags=re.M)


def show_file(path):
    if not path.endswith((".npy", ".bits")):
        with open(path, encoding="utf-8") as file:
            return file.read()
    descr, shape, data = fixtures.read_npy(path)
    code = {"<f4": "f", "<u4": "I"}[descr]
    numbers = struct.unpack(f"<{shape[0] * shape[1]}{code}", data)
    lines = [f"{descr} {shape}"]
    for row in range(shape[0]):
        lines.append(" ".join(f"{n:.9g}" for n in numbers[row * shape[1] : (row + 1) * shape[1]]))
    return "\n".join(lines) + "\n"


def list_files(folder):
    return sorted(
        os.path.relpath(os.path.join(base, name), folder) for base, _, names in os.walk(folder) for name in names
    )


def run(mien, shell):
    with tempfile.TemporaryDirectory() as folder:
        fixtures.write_files(folder)
        before = list_files(folder)
        bin_folder = os.path.dirname(mien)
        # Portable code rounds in one way on every machine.
        env = {**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}", "MIEN_ISA": "portable", "LC_ALL": "C"}
        done = subprocess.run(
            ["bash", "-c", shell], cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=60
        )
        out = f"$ {shell}\nexit {done.returncode}\n--- stdout\n{done.stdout.decode()}--- stderr\n"
        out += steady(done.stderr.decode(), folder)
        for name in list_files(folder):
            if name not in before:
                out += f"--- {name}\n{show_file(os.path.join(folder, name))}"
        return out


def main(folders=(os.path.join(HERE, "golden"),), left_out=()):
    """Runs the cases of `folders`, but for those that are left out."""
    arguments = [a for a in sys.argv[1:] if a != "--update"]
    update, mien, wanted = "--update" in sys.argv, os.path.abspath(arguments[0]), arguments[1:]
    failures, count = 0, 0
    for path in sorted(os.path.join(folder, name) for folder in folders for name in os.listdir(folder)):
        case = os.path.basename(path).removesuffix(".txt")
        if (wanted and case not in wanted) or path in left_out:
            continue
        with open(path, encoding="utf-8") as file:
            expected = file.read()
        shell = expected.split("\n", 1)[0].removeprefix("$ ")
        found = run(mien, shell)
        count += 1
        if found == expected:
            continue
        if update:
            with open(path, "w", encoding="utf-8") as file:
                file.write(found)
        else:
            failures += 1
            print(f"FAILED {case}\n=== expected\n{expected}=== found\n{found}")
    print(f"{count} cases, {failures} failures")
    return failures > 0 or count == 0


if __name__ == "__main__":
    sys.exit(main())
