"""What two lists of records say of each other: a table of cases, and whether it is good.

Good is: nothing differs but what deliberate.py has a rule for, each rule is met as often as it says,
and so many records are compared as COMPARED says; more and fewer are both wrong.
"""

import json
import re

import corpus
import deliberate
import records
from variants import COMPARED

SHOWN = 12
MESSAGE = "messages"


def topics():
    """{the topic without its prefix: the case that writes it}"""
    found = {"message": MESSAGE, "transaction": "transaction topic"}
    name = r'(?:"[^"]+"|[^\s".(]+)'
    for case in corpus.CASES:
        for text in [case.before] + case.statements:
            for schema, table in re.findall(
                    r"(?:CREATE TABLE|RENAME TO|INSERT INTO) (?:(%s)\.)?(%s)" % (name, name), text):
                topic = re.sub(r"[^A-Za-z0-9._-]", "_", "%s.%s" % (
                    (schema or "ddl").strip('"'), table.strip('";')))
                found.setdefault(topic, case.name)
    return found


def quick(lines):
    """Without the cases in which walferry asks, and without what tells how far everybody is."""
    of, skipped = topics(), {case.name for case in corpus.CASES if corpus.asks(case)}
    out = []
    for line in lines:
        topic = json.loads(line)[0].split(".", 1)[1]
        if topic not in ("ops.settled", "transaction") and of.get(topic) not in skipped:
            out.append(line)
    return out


class Verdict:
    """wanted: a connector's lines; got: ours, as a connector would have them. recorded: the lines are
    of another server, without what its log says, and of the cases that take no while."""

    def __init__(self, variant, wanted, got, recorded=False):
        self.recorded = recorded
        if recorded:
            wanted, got = quick(wanted), quick(got)
        wanted, self.not_published, gone = deliberate.published(wanted)
        (wanted, self.not_marked), (got, marked) = deliberate.marked(wanted, gone), deliberate.marked(got)
        assert marked == 0, "%s: %d transactions without events" % (variant, marked)
        self.variant, self.count = variant, len(wanted)
        self.unknown, self.known = deliberate.sort(records.differences(wanted, got))
        self.rows = {}
        self._of = topics()
        for line in wanted:
            self._row(json.loads(line)[0])[0] += 1
        for number, some in ((1, self.known), (2, self.unknown)):
            for one in some:
                self._row(one[-4][0])[number] += 1
        self.faults = list(self._faults())

    def _row(self, topic):
        topic = topic.split(".", 1)[1]
        return self.rows.setdefault(self._of.get(topic, "of no case: " + topic), [0, 0, 0])

    def _faults(self):
        if self.unknown:
            yield "%d differences that nobody meant" % len(self.unknown)
        count = COMPARED[self.variant][1 if self.recorded else 0]
        if self.count != count:
            yield "%d records, not %d" % (self.count, count)
        if self.not_published != deliberate.NOT_PUBLISHED:
            yield "%d messages that are not published" % self.not_published
        if not self.recorded and self.not_marked != deliberate.NOT_MARKED.get(self.variant, 0):
            yield "%d transactions without events" % self.not_marked
        limits = dict(deliberate.MET, **deliberate.MET_OF.get(self.variant, {}))
        met = {name: 0 for name in list(limits) + list(deliberate.RULES)}
        for name, *_ in self.known:
            met[name] += 1
        for name in deliberate.RULES:
            low, high = limits.get(name, (0, 0))
            if self.recorded and name in deliberate.OF_THE_LOG:
                low = 0
            if not low <= met[name] <= high:
                yield "deliberate: %s %d times, not %d to %d" % (name, met[name], low, high)
        for case in corpus.CASES:
            if not case.statements or case.name in NO_TOPIC or (self.recorded and corpus.asks(case)):
                continue
            if case.name not in self.rows:
                yield "no records of case %s" % case.name

    def table(self):
        """The table of case, records, differences."""
        wide = max(len(case) for case in self.rows)
        head = "%-*s %8s %10s %9s" % (wide, "case", "records", "deliberate", "different")
        lines = [head] + ["%-*s %8d %10d %9d" % ((wide, case) + tuple(row))
                          for case, row in self.rows.items()]
        total = [sum(column) for column in zip(*self.rows.values())]
        return "\n".join(lines + ["%-*s %8d %10d %9d" % ((wide, "all") + tuple(total))])

    def shown(self, most=SHOWN):
        return "".join("  %s %s\n    debezium %s\n    walferry %s\n" % one
                       for one in self.unknown[:most])


# What writes into the tables of another case.
NO_TOPIC = ("origin",)


# ---- Differences that somebody puts there ----

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


def plants(lines):
    """{what: the lines with it}; each must be found."""
    return {
        "key": planted(lines, "key", lambda key: key and key.replace(":", ": ", 1)),
        "value": planted(lines, "value", lambda value: value and value.replace("null", "0", 1)),
        "headers": planted(lines, "headers", lambda headers: headers[:-1]),
        "order": swapped(lines),
        "missing": lines[:-1],
        "superfluous": lines + [lines[-1]],
    }


def unnoticed(variant, wanted, got, recorded):
    """Which of the differences that are put into our lines the verdict does not find."""
    return [what for what, lines in plants(got).items()
            if not Verdict(variant, wanted, lines, recorded).unknown]
