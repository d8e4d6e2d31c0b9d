#!/usr/bin/python3
"""The comparison itself: what is equal is equal, and a planted difference in each part is found."""

import glob
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import judge  # noqa: E402
import records  # noqa: E402

LEAST, MOST = 500, 5000  # records of one set of options


def lists():
    return {os.path.basename(path)[:-6]: records.load(path)
            for path in sorted(glob.glob(os.path.join(HERE, "recorded", "*.jsonl")))}


def check(name, lines):
    assert LEAST <= len(lines) <= MOST, "%s: %d records" % (name, len(lines))
    assert not records.differences(lines, lines)
    for part, changed in judge.plants(lines).items():
        found = {difference[1] for difference in records.differences(lines, changed)}
        assert part in found or (part == "order" and found), \
            "%s: a planted difference in %s is not found" % (name, part)
    for line in lines:
        bare = records.without_log(line)
        assert records.without_log(bare) == bare


def main():
    found = lists()
    print("%sok recorded lists" % ("" if len(found) >= 5 else "not "))
    for name, lines in found.items():
        try:
            check(name, lines)
            print("ok %s" % name)
        except AssertionError as error:
            print("not ok %s: %s" % (name, error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
