# SPDX-License-Identifier: Apache-2.0
"""The tests of the command, of tests/cli, on the command in Node: cli.py COMMAND [--update]

What is left out of them, and why, stands here; golden/ has what the command in Node says otherwise."""

import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
CLI = os.path.join(HERE, "..", "cli")
sys.path.insert(0, CLI)

import behaviour  # noqa: E402
import golden  # noqa: E402

GOLDEN = os.path.normpath(os.path.join(CLI, "golden"))
OTHERWISE = os.path.join(HERE, "golden")

CLOSED = "Node opens /dev/null where a standard stream is closed"
NATIVE = "WebAssembly opens no libraries"
NO_BENCH = "there is no bench"
NO_PARTS = "there are no outputs in parts"
NO_COMPRESSED = "compressed files are for the native command"
NO_REPORT = "there is no report"
NO_LABELLED = "labelled data is for the native command"
CASES = {
    "bench_cuda_missing": NO_BENCH,
    "help_bench": NO_BENCH,
    "usage_bench_device": NO_BENCH,
    "usage_bench_profile": NO_BENCH,
    "usage_bench_threads": NO_BENCH,
    "stdin_closed": CLOSED,
    "stdout_closed": CLOSED,
    "device_cuda_damaged": NATIVE,
    "device_cuda_missing_all": NATIVE,
    "compressed_cut": NO_COMPRESSED,
    "help_merge": NO_PARTS,
    "help_report": NO_REPORT,
    **{name.removesuffix(".txt"): NO_REPORT for name in os.listdir(GOLDEN) if name.startswith("report_")},
    **{name.removesuffix(".txt"): NO_PARTS for name in os.listdir(GOLDEN) if name.startswith("parts_")},
    **{f"help_{name}": NO_LABELLED for name in ("calibrate", "clean", "evaluate", "thresholds", "train")},
    **{name.removesuffix(".txt"): NO_LABELLED for name in os.listdir(GOLDEN) if name.startswith(("evaluate_", "tune_"))},
}
TESTS = {
    "test_an_ignored_sigint_stays_ignored": "Node resets what its parent ignores, and does not tell",
    "test_bench_measures_heads_and_encoders": NO_BENCH,
    "test_names_that_are_too_long_are_known_before_work_starts": "musl says 'Filename too long'",
}


def run_golden():
    otherwise = set(os.listdir(OTHERWISE))
    left_out = {os.path.join(GOLDEN, name) for name in otherwise | {f"{case}.txt" for case in CASES}}
    return golden.main((GOLDEN, OTHERWISE), left_out)


def run_behaviour():
    behaviour.MIEN = os.path.abspath(sys.argv[1])
    behaviour.START_SECONDS = 3
    behaviour.SECONDS = 300
    behaviour.OWN_MEBIBYTES = 96
    for name, why in TESTS.items():
        setattr(behaviour.Behaviour, name, unittest.skip(why)(getattr(behaviour.Behaviour, name)))
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(behaviour.Behaviour)
    return not unittest.TextTestRunner(verbosity=1).run(suite).wasSuccessful()


if __name__ == "__main__":
    for case, reason in CASES.items():
        print(f"skipped: golden run {case}: {reason}")
    sys.exit(run_golden() or ("--update" not in sys.argv and run_behaviour()))
