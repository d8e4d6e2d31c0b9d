#!/usr/bin/env python3
"""Writes the list of reasons in docs/OPERATIONS.md from src/base/reason.def.

reasons.py        writes it
reasons.py check  prints what is out of step, in either direction, and exits with 1
"""
import collections
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
NOT_RUN_MAX = 10
ROW = re.compile(r'^REASON\((\w+), "(\w+)", ([A-Z |]+), (\w+), (MEND|NONE|NOT_RUN\("[^"]+"\)), '
                 r'"([^"]*)"\)$', re.M)
Row = collections.namedtuple("Row", "name slug kinds code mend sentence")


def rows():
    """Each row of the table as a Row; a row that is not one is an error."""
    with open(TABLE, encoding="utf-8") as file:
        text = file.read()
    found = ROW.findall(text)
    if len(found) != len(re.findall(r"^REASON\(", text, re.M)):
        sys.exit("reasons.py: a row of reason.def is not on one line, or not written as the others")
    return [Row(*row) for row in found]


def made(found):
    """The lines between the marks."""
    lines = ["| reason | kind, exit code | |\n", "|---|---|---|\n"]
    for row in found:
        parts = []
        for kind in row.kinds.split(" | "):
            number = {"DATA": 5, "RETRY": 6}.get(kind, CODES[row.code])
            parts.append(kind.lower() + ("" if kind == "RETRY" else f" {number}"))
        lines.append(f"| `{row.slug}` | {', '.join(parts)} | {row.sentence} |\n")
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
            told |= set(re.findall(r"`([a-z0-9_]+)`", cells[0]))
        elif line.startswith("| ") and len(cells) > 2:
            told |= set(re.findall(r"`([a-z0-9_]+)`", cells[1]))
    slugs = {row.slug for row in found}
    wrong += [f"docs/OPERATIONS.md: {slug} is in no table of what went wrong" for slug in
              sorted(slugs - told)]
    wrong += [f"docs/OPERATIONS.md: {slug} is not in reason.def" for slug in sorted(told - slugs)]
    not_run = [row.slug for row in found if row.mend.startswith("NOT_RUN")]
    if len(not_run) > NOT_RUN_MAX:
        wrong.append(f"src/base/reason.def: {len(not_run)} mends that no test runs, not at most "
                     f"{NOT_RUN_MAX}: {' '.join(not_run)}")
    print("".join(line + "\n" for line in wrong), end="")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
