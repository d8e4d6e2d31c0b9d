#!/usr/bin/env python3
"""Writes the list of reasons in docs/OPERATIONS.md from src/base/reason.def.

reasons.py        writes it
reasons.py check  prints what is out of step, in either direction, and exits with 1
"""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TABLE = os.path.join(ROOT, "src/base/reason.def")
PAGE = os.path.join(ROOT, "docs/OPERATIONS.md")
BEGIN = "<!-- made from src/base/reason.def by make generate -->\n"
END = "<!-- end of what is made -->\n"
CODES = {"EXIT_NO": 1, "EXIT_USAGE": 2, "EXIT_REFUSED": 3, "EXIT_FENCED": 4, "EXIT_DATA": 5,
         "EXIT_GAVE_UP": 6}
ROW = re.compile(r'^REASON\((\w+), "(\w+)", ([A-Z |]+), (\w+), (?:MEND|NONE), "([^"]*)"\)$', re.M)


def rows():
    """name, slug, kinds, code and sentence of each row; a row that is not one is an error."""
    with open(TABLE, encoding="utf-8") as file:
        text = file.read()
    found = ROW.findall(text)
    if len(found) != len(re.findall(r"^REASON\(", text, re.M)):
        sys.exit("reasons.py: a row of reason.def is not on one line, or not written as the others")
    return found


def made(found):
    """The lines between the marks."""
    lines = ["| reason | kind, exit code | |\n", "|---|---|---|\n"]
    for _, slug, kinds, code, sentence in found:
        parts = []
        for kind in kinds.split(" | "):
            number = {"DATA": 5, "RETRY": 6}.get(kind, CODES[code])
            parts.append(kind.lower() + ("" if kind == "RETRY" else f" {number}"))
        lines.append(f"| `{slug}` | {', '.join(parts)} | {sentence} |\n")
    return "".join(lines)


def main():
    """Writes, or checks."""
    found = rows()
    with open(PAGE, encoding="utf-8") as file:
        page = file.read()
    head, rest = page.split(BEGIN)
    old, tail = rest.split(END)
    if sys.argv[1:] != ["check"]:
        with open(PAGE, "w", encoding="utf-8") as file:
            file.write(head + BEGIN + made(found) + END + tail)
        return
    wrong = []
    if old != made(found):
        wrong.append("docs/OPERATIONS.md: the list of reasons is out of step: make generate")
    section = head[head.index("## What went wrong"):]
    told = set()
    for line in section.splitlines():
        cells = line.split(" | ")
        if line.startswith("| `") and len(cells) == 2:
            told |= set(re.findall(r"`([a-z_]+)`", cells[0]))
        elif line.startswith("| ") and len(cells) > 2:
            told |= set(re.findall(r"`([a-z_]+)`", cells[1]))
    slugs = {row[1] for row in found}
    wrong += [f"docs/OPERATIONS.md: {slug} is in no table of what went wrong" for slug in
              sorted(slugs - told)]
    wrong += [f"docs/OPERATIONS.md: {slug} is not in reason.def" for slug in sorted(told - slugs)]
    print("".join(line + "\n" for line in wrong), end="")
    sys.exit(1 if wrong else 0)


main()
