#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes unicode_tables.c: unicode_tables.py > unicode_tables.c, or unicode_tables.py --check unicode_tables.c.

Starts from Unicode 14.0.0, the version of Python 3.11's unicodedata (with another version this exits with 77), and
applies the differences that Hugging Face tokenizers 0.23 shows when it is asked about every Unicode scalar value.
"""
import sys
import unicodedata

VERSION = "14.0.0"
SCALARS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def code_points(text):
    """The set of "8E2 13430-13438"."""
    found = set()
    for part in text.split():
        first, _, last = part.partition("-")
        found.update(range(int(first, 16), int(last or first, 16) + 1))
    return found


# Of category C here, not there: assigned or renamed after its version.
NOT_CONTROLS = code_points("890-891 8E2 110CD 13430-13438")

# Punctuation here or there, not in both.
PUNCTUATION = code_points("""
61D 9FD A76 C77 C84 166D 1B7D-1B7E 2E43-2E4F 2E52-2E5D 10EAD 10F55-10F59 10F86-10F89 111C9 1144B-1144F 1145A-1145B 1145D
11660-1166C 116B9 1183B 11944-11946 119E2 11A3F-11A46 11A9A-11A9C 11A9E-11AA2 11C41-11C45 11C70-11C71 11EF7-11EF8 11FFF
12FF1-12FF2 16E97-16E9A 16FE2 1E95E-1E95F""")

# Of category Mn here or there, not in both.
ACCENTS = code_points("""
7FD 898-89F 8CA-8E1 9FE AFA-AFF B55 C04 C3C D00 D3B-D3C D81 EBA 1734 180F 1885-1886 1ABF-1ACE 1DF6-1DFB A82C A8C5 A8FF
A9BD 10D24-10D27 10EAB-10EAC 10F46-10F50 10F82-10F85 11070 11073-11074 110C2 111C9 111CF 1123E 1133B 11438-1143F
11442-11444 11446 1145E 1182F-11837 11839-1183A 1193B-1193C 1193E 11943 119D4-119D7 119DA-119DB 119E0 11A01-11A0A
11A33-11A38 11A3B-11A3E 11A47 11A51-11A56 11A59-11A5B 11A8A-11A96 11A98-11A99 11C30-11C36 11C38-11C3D 11C3F 11C92-11CA7
11CAA-11CB0 11CB2-11CB3 11CB5-11CB6 11D31-11D36 11D3A 11D3C-11D3D 11D3F-11D45 11D47 11D90-11D91 11D95 11D97 11EF3-11EF4
16F4F 16FE4 1CF00-1CF2D 1CF30-1CF46 1E000-1E006 1E008-1E018 1E01B-1E021 1E023-1E024 1E026-1E02A 1E130-1E136 1E2AE
1E2EC-1E2EF 1E944-1E94A""")

# Marks with a combining class here that are starters there.
STARTERS = code_points("""
7FD 898-89F 8CA-8D3 9FE C3C D3B-D3C EBA 1715 1ABF-1ACE 1DF6-1DFA A82C 10D24-10D27 10EAB-10EAC 10F46-10F50 10F82-10F85
11070 1133B 1145E 11839-1183A 1193D-1193E 11943 119E0 11A34 11A47 11A99 11D42 11D44-11D45 11D97 16FF0-16FF1 1E130-1E136
1E2AE 1E2EC-1E2EF""")

# Decomposes here, not there.
NOT_DECOMPOSED = code_points("11938")

# Lowercase there, not here: of capitals that are newer.
LOWERCASE = {
    0x1C89: 0x1C8A, 0xA7CB: 0x264, 0xA7CC: 0xA7CD, 0xA7CE: 0xA7CF, 0xA7D2: 0xA7D3, 0xA7D4: 0xA7D5, 0xA7DA: 0xA7DB,
    0xA7DC: 0x19B,
    **{c: c + 0x20 for c in range(0x10D50, 0x10D66)},
    **{c: c + 0x1B for c in range(0x16EA0, 0x16EB9)},
}

# Hangul syllables are decomposed by arithmetic; U+0130's lowercase, the only one of two characters, is in the C code.
HANGUL = range(0xAC00, 0xD7A4)
DOTTED_CAPITAL_I = 0x130


def category(c):
    return unicodedata.category(chr(c))


def is_control(c):
    return c in (0, 0xFFFD) or (category(c) in ("Cc", "Cf", "Co") and chr(c) not in "\t\n\r" and c not in NOT_CONTROLS)


def is_space(c):
    return chr(c).isspace() and not 0x1C <= c <= 0x1F  # Python counts four separators that are not White_Space


def is_punctuation(c):
    return (category(c)[0] == "P" or (c < 128 and category(c)[0] == "S")) != (c in PUNCTUATION)


def is_accent(c):
    return (category(c) == "Mn") != (c in ACCENTS)


def combining_class(c):
    return 0 if c in STARTERS else unicodedata.combining(chr(c))


def decomposition(c):
    return [c] if c in NOT_DECOMPOSED else [ord(d) for d in unicodedata.normalize("NFD", chr(c))]


def lowercase(c):
    return LOWERCASE.get(c, ord(chr(c).lower()))


def ranges(points, key=lambda c: None):
    """[first, count, key] of runs of neighbours with the same key."""
    found = []
    for c in points:
        if found and found[-1][0] + found[-1][1] == c and found[-1][2] == key(c):
            found[-1][1] += 1
        else:
            found.append([c, 1, key(c)])
    return found


def lowercase_ranges():
    """[first, count, step, delta]: capitals beside each other, or alternating with their small letters."""
    found = []
    for c in SCALARS:
        if c == DOTTED_CAPITAL_I or lowercase(c) == c:
            continue
        last = found[-1] if found else None
        delta = lowercase(c) - c
        step = c - (last[0] + (last[1] - 1) * last[2]) if last else 0
        if last and last[3] == delta and (step == last[2] or (last[1] == 1 and step <= 2)):
            last[1:3] = last[1] + 1, step
        else:
            found.append([c, 1, 1, delta])
    return found


def decompositions():
    """What is left of decomposed characters without accents: code points with targets, sequences, and those of which
    nothing is left, split by whether a starter is among what was there."""
    targets, sequences, gone, gone_starters = {}, [], [], []
    for c in SCALARS:
        parts = decomposition(c)
        if parts == [c] or c in HANGUL:
            continue
        left = [p for p in parts if not is_accent(p)]
        # A starter that goes would part the marks around it, which a target can't tell: there is none such.
        assert not left or combining_class(left[0]) == 0, hex(c)
        assert all(combining_class(p) for p in parts[1:] if is_accent(p)) or len(left) <= 1, hex(c)
        if not left:
            (gone if all(combining_class(p) for p in parts) else gone_starters).append(c)
        elif len(left) == 1:
            targets[c] = left[0]
        else:
            targets[c] = 0x110000 + len(sequences)
            sequences += [len(left)] + left
    return targets, sequences, gone, gone_starters


def write_array(out, declaration, items):
    out.append(f"const {declaration}[] = {{")
    line = "   "
    for item in items:
        if len(line) + len(item) + 2 > 120:
            out.append(line)
            line = "   "
        line += f" {item},"
    out += [line, "};"]


def write_rows(out, kind, name, rows):
    numbers = [[f"0x{row[0]:X}", *map(str, row[1:])] for row in rows]
    write_array(out, f"mien_{kind}_range mien_unicode_{name}", ["{" + ", ".join(row) + "}" for row in numbers])
    out.append(f"const size_t mien_unicode_n_{name} = {len(rows)};\n")


def table():
    targets, sequences, gone, gone_starters = decompositions()
    alone = [c for c in SCALARS if decomposition(c) == [c]]
    accents = sorted([c for c in alone if is_accent(c) and combining_class(c)] + gone)
    starter_accents = sorted([c for c in alone if is_accent(c) and not combining_class(c)] + gone_starters)
    marks = [c for c in alone if not is_accent(c) and combining_class(c)]
    out = ["/* SPDX-License-Identifier: Apache-2.0 */",
           f"/* Written by unicode_tables.py from Unicode {VERSION} and its list of differences; not to be edited. */",
           "/* clang-format off */",
           '#include "tokenizer/unicode_tables.h"\n']
    pairs = lambda points: [row[:2] for row in ranges(points)]
    write_rows(out, "code", "controls", pairs(filter(is_control, SCALARS)))
    write_rows(out, "code", "spaces", pairs(filter(is_space, SCALARS)))
    write_rows(out, "code", "punctuation", pairs(filter(is_punctuation, SCALARS)))
    write_rows(out, "code", "accents", pairs(accents))
    write_rows(out, "code", "starter_accents", pairs(starter_accents))
    write_rows(out, "mark", "marks", ranges(marks, combining_class))
    write_rows(out, "lowercase", "lowercase", lowercase_ranges())
    write_rows(out, "code", "decompositions", pairs(targets))
    write_array(out, "uint32_t mien_unicode_targets", [str(target) for target in targets.values()])
    write_array(out, "uint32_t mien_unicode_sequences", [str(number) for number in sequences])
    return "\n".join(out) + "\n"


def main():
    if unicodedata.unidata_version != VERSION:
        print(f"skipped: Python has Unicode {unicodedata.unidata_version}, not {VERSION}", file=sys.stderr)
        return 77
    if sys.argv[1:2] == ["--check"]:
        with open(sys.argv[2], encoding="ascii") as file:
            same = file.read() == table()
        print(f"{sys.argv[2]}: {'as' if same else 'not what'} unicode_tables.py writes")
        return 0 if same else 1
    sys.stdout.write(table())
    return 0


if __name__ == "__main__":
    sys.exit(main())
