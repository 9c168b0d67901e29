#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What on_device.sh runs where the GPU is: every test and measurement as a step with a limit of its own, and what came
of them as JSON: on_device.py SOURCE_DIR BUILD OUT --built STATUS --why REASON --seconds N

on_device.json: device {name, driver_version, ...}, cpus, seconds, steps [{name, status ("passed", "failed", "skipped"),
reason, seconds, limit_s, tests {passed, failed, skipped}, figures}], ratios. A step's output is OUT/STEP.log. A failed
step stops no other, but where there is no device nothing follows; the exit code is 1 where one failed."""
import argparse
import datetime
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time

SKIPPED = 77
# All of it, less what ending takes.
BUDGET_S = 450

parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
parser.add_argument("source")
parser.add_argument("build")
parser.add_argument("out")
parser.add_argument("--built", default="skipped", choices=["passed", "failed", "skipped"])
parser.add_argument("--why", default="")
parser.add_argument("--seconds", type=float, default=0, help="what is gone already")
options = parser.parse_args()
SOURCE, BUILD, OUT = map(os.path.abspath, (options.source, options.build, options.out))
HERE = os.path.join(SOURCE, "tests/cuda")
MIEN = os.path.join(BUILD, "mien")
STARTED = time.monotonic() - options.seconds
steps = []


def last_line(text):
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def record(name, status, reason="", seconds=0.0, limit=0, **more):
    step = {"name": name, "status": status, "reason": reason, "seconds": round(seconds, 2), "limit_s": limit, **more}
    steps.append(step)
    print(f"{status:8} {name:28} {seconds:7.1f} s  {reason}", flush=True)
    return step


def run(name, limit, command, environment=None):
    """(exit code, output, seconds, limit); the code is None where the limit was reached. All that it started ends."""
    limit = min(limit, int(BUDGET_S - (time.monotonic() - STARTED)))
    start = time.monotonic()
    path = os.path.join(OUT, name.replace(" ", "-").replace("/", "-") + ".log")
    with open(path, "w+", encoding="utf-8", errors="replace") as log:
        try:
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
                                       env=dict(os.environ, **(environment or {})))
        except OSError as error:
            return 127, str(error), 0.0, limit
        try:
            code = process.wait(max(limit, 1))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            code = None
        log.seek(0)
        return code, log.read(), time.monotonic() - start, limit


def step(name, limit, command, needs=(), environment=None, figures=None, judge=None):
    """Runs a command as a step; `needs` are files without which it is skipped, `figures` a JSON file that it writes.
    `judge` makes (status, reason) of the exit code and the output where the code alone does not tell."""
    for path in needs:
        if not path or not os.path.exists(path):
            return record(name, "skipped", f"{os.path.basename(path or 'a program')} is not here", limit=limit)
    if BUDGET_S - (time.monotonic() - STARTED) < 5:
        return record(name, "skipped", f"the {BUDGET_S} s are used up", limit=limit)
    if figures and os.path.exists(figures):
        os.remove(figures)
    code, output, seconds, limit = run(name, limit, command, environment)
    tests = {kind: re.findall(rf"^{kind} ([\w ]+): (.*)", output, re.M) for kind in ("passed", "failed", "skipped")}
    more = {"tests": {status: dict(found) for status, found in tests.items()}} if any(tests.values()) else {}
    if figures and os.path.exists(figures):
        with open(figures, encoding="utf-8") as file:
            try:
                more["figures"] = json.load(file)
            except ValueError:
                code = code or 1
    if code is None:
        status, reason = "failed", f"it took more than {limit} s"
    elif judge:
        status, reason = judge(code, output)
    elif code == 0:
        status, reason = "passed", ", ".join(f"{test} skipped: {why}" for test, why in tests["skipped"])
    else:
        failed = [test for test, _ in tests["failed"]]
        status = "skipped" if code == SKIPPED else "failed"
        reason = f"{', '.join(failed)} failed" if failed else last_line(output) or f"exit code {code}"
    return record(name, status, reason, seconds, limit, **more)


# ---- The machine ----------------------------------------------------------------------------------------------------


def describe():
    """Of the first device, by nvidia-smi, which comes with the driver."""
    keys = ("name", "driver_version", "memory.total", "clocks.max.sm", "clocks.max.memory", "power.limit",
            "compute_cap")
    query = ["nvidia-smi", f"--query-gpu={','.join(keys)}", "--format=csv,noheader"]
    code, output, _, _ = run("nvidia-smi", 20, query)
    values = output.strip().split("\n")[0].split(", ")
    return dict(zip(keys, values)) if code == 0 and len(values) == len(keys) else {}


def cpu_name():
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


# ---- Tests ----------------------------------------------------------------------------------------------------------


def program(suite):
    return os.path.join(BUILD, f"test_cuda_{suite}")


def agreement(part, limit, *arguments):
    name = " ".join(["agreement", part, *arguments[1:]])
    figures = os.path.join(OUT, name.replace(" ", "-") + ".json")
    script = os.path.join(HERE, "agreement.py")
    step(name, limit, [sys.executable, script, part, MIEN, SOURCE, *arguments, "--json", figures], needs=[MIEN],
         figures=figures)


def find_device():
    """The driver works and mien sees a device: without one nothing else is of use."""
    return step("device", 30, [program("large")], needs=[program("large")],
                environment={"PLAIN_TESTS": "the_device_is_described"})


def test():
    for suite, limit in (("head", 60), ("encoder", 60), ("failures", 60), ("bench", 40), ("large", 120)):
        step(f"suite {suite}", limit, [program(suite)], needs=[program(suite)])
    for dtype in ("f32", "bf16x3", "bf16", "f16", "int8"):
        agreement("scores", 40, "--dtype", dtype)
    for part in ("pieces", "two", "number"):
        agreement(part, 40)


def judge_sanitizer(code, output):
    """It refuses some machines, virtual ones among them: that says nothing of mien."""
    found = re.findall(r"(?:ERROR SUMMARY: |RACECHECK SUMMARY: )(\d+)", output)
    if any(int(n) > 0 for n in found):
        return "failed", next(line for line in output.splitlines() if "SUMMARY" in line).strip("= ")
    if re.search(r"^failed ", output, re.M):
        return "failed", last_line("\n".join(re.findall(r"^failed .*", output, re.M)))
    if code == 0 and found and re.search(r"^passed ", output, re.M):
        return "passed", ""
    refusal = re.search(r"^=+ (?:Error|Internal Sanitizer Error|Warning): .*|.*not supported.*", output, re.M)
    return "skipped", refusal.group(0).strip("= ") if refusal else f"it did not run: {last_line(output)}"


def sanitize():
    """On few tests, in one process: each of the tools makes kernels tens of times slower."""
    tool = shutil.which("compute-sanitizer") or "/usr/local/cuda/bin/compute-sanitizer"
    head = "many_rows_in_pieces rows_that_are_not_finite_are_marked rows_and_results_in_device_memory"
    for name, suite, tests in (("memcheck", "large", "a_little_of_everything"), ("memcheck", "head", head),
                               ("racecheck", "large", "a_little_of_everything"),
                               ("synccheck", "large", "a_little_of_everything")):
        step(f"{name} {suite}", 60, [tool, "--tool", name, "--error-exitcode", "9", program(suite)],
             needs=[tool, program(suite)], environment={"CK_FORK": "no", "PLAIN_TESTS": tests}, judge=judge_sanitizer)


# ---- Measurements ---------------------------------------------------------------------------------------------------


def bench(name, limit, subject, *arguments):
    """A mien that cannot yet says that it does not know the option."""
    log = os.path.join(OUT, name.replace(" ", "-") + ".log")

    def judge(code, output):
        if code == 2 and "option" in output:
            line = next(line for line in output.splitlines() if "option" in line)
            return "skipped", f"this mien does not measure CUDA devices: {line}"
        return ("passed", "") if code == 0 else ("failed", last_line(output) or f"exit code {code}")

    command = [MIEN, "bench", subject, "--device", "cuda", "--json", *arguments]
    made = step(name, limit, command, needs=[MIEN], judge=judge)
    if made["status"] != "passed":
        return
    with open(log, encoding="utf-8") as file:
        shown = file.read()
    try:
        made["figures"] = json.JSONDecoder().raw_decode(shown[shown.index("{"):])[0]
    except ValueError:
        made.update(status="failed", reason="its output is no JSON")


def peers(part, limit):
    figures = os.path.join(OUT, f"peers-{part}.json")
    return step(f"peers {part}", limit, [sys.executable, os.path.join(HERE, "peers.py"), part, BUILD, SOURCE, figures],
                figures=figures)


def measure():
    bench("bench head", 45, "head", "--seconds", "0.2")
    model = os.path.join(SOURCE, "models/goemotions-small")
    bench("bench encoder", 45, "encoder", "--model", model, "--seconds", "0.2")
    bench("bench encoder random", 60, "encoder", "--random", "--seconds", "0.1")
    peers("head", 60)
    peers("texts", 90)
    peers("head-compiled", 60)
    peers("texts-compiled", 90)
    peers("onnxruntime", 60)


# ---- All ------------------------------------------------------------------------------------------------------------


def tell(device):
    ratios = [dict(ratio, step=made["name"]) for made in steps for ratio in made.get("figures", {}).get("ratios", [])]
    seconds = time.monotonic() - STARTED
    result = {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "device": device,
              "cpu": cpu_name(), "cpus": len(os.sched_getaffinity(0)), "python": platform.python_version(),
              "seconds": round(seconds, 1), "steps": steps, "ratios": ratios}
    path = os.path.join(OUT, "on_device.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
    return path, seconds


def main():
    record("build", options.built, options.why, options.seconds, 240)
    device = describe()
    cpus = f"{cpu_name()}, {len(os.sched_getaffinity(0))} CPUs"
    print(f"device: {device or 'nvidia-smi does not say'}; {cpus}", flush=True)
    if find_device()["status"] == "passed":
        for part in (test, measure, sanitize):
            part()
            tell(device)  # so that what was found is there whatever comes next
    path, seconds = tell(device)
    counts = {status: sum(made["status"] == status for made in steps) for status in ("passed", "failed", "skipped")}
    told = ", ".join(f"{n} {status}" for status, n in counts.items())
    print(f"steps: {told}, in {seconds:.0f} s: {path}")
    sys.exit(1 if counts["failed"] else 0)


if __name__ == "__main__":
    main()
