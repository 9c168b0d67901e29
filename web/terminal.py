#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws what a command prints on a terminal: terminal.py OUT.svg COMMAND [ARGUMENT]...

The command runs on a pseudo-terminal of 96 columns; its text and colours become an SVG picture, the prompt and the command
above them. terminal.svg: mien label with two --text."""
import html
import os
import pty
import re
import shlex
import subprocess
import sys
import termios
import struct
import fcntl

COLUMNS, ROWS, SIZE, LINE, PAD = 96, 40, 14, 19, 16
ADVANCE = SIZE * 0.602  # of a monospaced font's characters
BACKGROUND, PLAIN = "#15191f", "#d7dce2"
COLOURS = {31: "#ff7b72", 32: "#7ee787", 33: "#e3b341", 34: "#79c0ff", 35: "#d2a8ff", 36: "#76e3ea", 37: "#ffffff"}


def run(command):
    """What the command writes to a terminal, stdout and stderr together."""
    main, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"} | {"TERM": "xterm-256color"}
    process = subprocess.Popen(command, stdout=terminal, stderr=terminal, stdin=subprocess.DEVNULL, env=environment)
    os.close(terminal)
    output = b""
    while True:
        try:
            more = os.read(main, 65536)
        except OSError:  # the last writer is gone
            break
        if not more:
            break
        output += more
    if process.wait() != 0:
        sys.exit(f"terminal.py: {shlex.join(command)}: exit code {process.returncode}\n{output.decode()}")
    return output.decode().replace("\r\n", "\n")


def spans(line, state):
    """Pieces of a line with their colour and weight; `state` goes on from line to line."""
    for code, text in re.findall(r"\x1b\[([0-9;]*)[A-Za-z]|([^\x1b]+)", line):
        if text:
            yield text, dict(state)
            continue
        for number in (int(part or 0) for part in code.split(";")):
            if number == 0:
                state.clear()
            elif number == 1:
                state["bold"] = True
            elif number == 2:
                state["dim"] = True
            elif number % 60 in COLOURS:
                state["colour"] = COLOURS[number % 60]


def draw(command, output):
    lines = [f"\x1b[32m$\x1b[0m \x1b[1m{command}\x1b[0m", *output.rstrip("\n").split("\n")]
    width, height = round(COLUMNS * ADVANCE) + 2 * PAD, len(lines) * LINE + 2 * PAD
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">',
           f'<rect width="{width}" height="{height}" rx="8" fill="{BACKGROUND}"/>',
           f'<g font-family="ui-monospace, DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="{SIZE}" '
           f'fill="{PLAIN}" xml:space="preserve">']
    state = {}
    for row, line in enumerate(lines):
        column = 0
        for text, style in spans(line, state):
            attributes = f'x="{PAD + column * ADVANCE:.1f}" y="{PAD + (row + 0.75) * LINE:.1f}"'
            attributes += f' textLength="{len(text) * ADVANCE:.1f}"'
            attributes += f' fill="{style["colour"]}"' if "colour" in style else ""
            attributes += ' font-weight="bold"' if "bold" in style else ""
            attributes += ' opacity="0.6"' if "dim" in style else ""
            out.append(f"<text {attributes}>{html.escape(text)}</text>")
            column += len(text)
    return "\n".join([*out, "</g>", "</svg>"]) + "\n"


def main():
    if len(sys.argv) < 3:
        sys.exit("usage: terminal.py OUT.svg COMMAND [ARGUMENT]...")
    command = sys.argv[2:]
    shown = " ".join(f'"{part}"' if " " in part else part for part in (os.path.basename(command[0]), *command[1:]))
    picture = draw(shown, run(command))
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write(picture)


if __name__ == "__main__":
    main()
