# SPDX-License-Identifier: Apache-2.0
"""Says what each CUDA kernel takes of each processor, and fails where registers are spilled.

registers.py LOG [KERNEL...]: LOG is what a build with `-Xptxas=-v` printed. A KERNEL named, as it is printed here, may
spill; it is said all the same.
"""

import re
import subprocess
import sys

ENTRY = re.compile(r"Compiling entry function '(\S+)' for '(\S+)'")
PROPERTIES = re.compile(r"Function properties for (\S+)")
STACK = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers(?:.*?(\d+) bytes smem)?")


def read(lines):
    """(processor, mangled name) to registers and bytes of memory; for functions that are not kernels too."""
    functions = {}
    isa = name = kernel = None
    for line in lines:
        if found := ENTRY.search(line):
            kernel, isa = found.groups()
        elif found := PROPERTIES.search(line):
            name = found[1]
        elif found := STACK.search(line):
            stack, stores, loads = map(int, found.groups())
            functions[isa, name] = {"stack": stack, "spills": stores + loads, "registers": None, "shared": 0}
        elif found := USED.search(line):
            functions[isa, kernel].update(registers=int(found[1]), shared=int(found[2] or 0))
    return functions


def demangle(names):
    """The names as in the source, without types of arguments."""
    shown = subprocess.run(["c++filt"], input="\n".join(names), capture_output=True, text=True, check=True).stdout
    short = {}
    for name, line in zip(names, shown.splitlines()):
        line = line.replace("(anonymous namespace)::", "").removeprefix("void ")
        # The last parenthesis that is not within a template's arguments begins those of the function.
        depth = 0
        for at, character in enumerate(line):
            depth += (character == "<") - (character == ">")
            if character == "(" and depth == 0:
                line = line[:at]
                break
        short[name] = line
    return short


def describe(function):
    text = "function" if function["registers"] is None else f"{function['registers']} registers"
    if function["shared"]:
        text += f", {function['shared']} B shared"
    if function["stack"]:
        text += f", {function['stack']} B stack"
    if function["spills"]:
        text += f", {function['spills']} B SPILLED"
    return text


def main(log, may_spill):
    with open(log, encoding="utf-8", errors="replace") as file:
        functions = read(file)
    if not any(function["registers"] for function in functions.values()):
        sys.exit(f"{log}: no kernel is in it: was it all built, with -Xptxas=-v?")
    names = demangle(sorted({name for _, name in functions}))
    spilled = []
    for name, shown in sorted(names.items(), key=lambda item: item[1]):
        print(shown)
        own = {isa: function for (isa, other), function in functions.items() if other == name}
        for isa, function in sorted(own.items(), key=lambda item: int(re.sub(r"\D", "", item[0]))):
            print(f"  {isa:7} {describe(function)}")
            if function["spills"] and shown not in may_spill:
                spilled.append(f"{shown} on {isa}")
    if spilled:
        sys.exit("registers are spilled: " + "; ".join(spilled))
    print(f"{len(names)} kernels and functions; no register is spilled that may not be")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
