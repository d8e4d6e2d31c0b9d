#!/usr/bin/python3
"""The comparison itself: what is equal is equal, and a planted difference in each part is found."""

import glob
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import records  # noqa: E402

LEAST, MOST = 500, 5000  # records of one set of options


def lists():
    return {os.path.basename(path)[:-6]: records.load(path)
            for path in sorted(glob.glob(os.path.join(HERE, "recorded", "*.jsonl")))}


def planted(lines, part, change):
    """The lines with one changed; the first where the change does something."""
    for number, line in enumerate(lines):
        record = json.loads(line)
        index = records.PARTS.index(part)
        changed = change(record[index])
        if changed != record[index]:
            record[index] = changed
            return lines[:number] + [json.dumps(record, ensure_ascii=False)] + lines[number + 1:]
    raise AssertionError("nothing to change in " + part)


def swapped(lines):
    """Two different neighbours of one partition change places."""
    for number in range(len(lines) - 1):
        one, two = json.loads(lines[number]), json.loads(lines[number + 1])
        if one[:2] == two[:2] and one[3] and two[3] and one[3] != two[3]:
            return lines[:number] + [lines[number + 1], lines[number]] + lines[number + 2:]
    raise AssertionError("no neighbours")


def check(name, lines):
    assert LEAST <= len(lines) <= MOST, "%s: %d records" % (name, len(lines))
    assert not records.differences(lines, lines)
    plants = {
        "key": planted(lines, "key", lambda key: key and key.replace(":", ": ", 1)),
        "value": planted(lines, "value", lambda value: value and value.replace("null", "0", 1)),
        "headers": planted(lines, "headers", lambda headers: headers[:-1]),
        "missing": lines[:-1],
        "superfluous": lines + [lines[-1]],
    }
    for part, changed in plants.items():
        found = {difference[1] for difference in records.differences(lines, changed)}
        assert part in found, "%s: a planted difference in %s is not found" % (name, part)
    assert records.differences(lines, swapped(lines)), "%s: an order is not found" % name
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
