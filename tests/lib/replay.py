"""The judge of whole row changes: played back, they give the table.

Each change of a table under REPLICA IDENTITY FULL says what the row was and what it became. So whoever
keeps the rows by the key of the event can tell each change that is missing, comes twice or stands at
a wrong place from what the next one says of the old row, and the last change of each row from the
table itself. Changes of the key are a delete, a tombstone and a create.
"""

import json

import oracle


class Replay:
    """Rows of one topic by key; fed with its events in any order of partitions."""

    def __init__(self):
        self.rows = {}
        self.faults = []
        self.changes = 0
        self._last = {}  # the place in the log, for each partition
        self._dead = {}  # for each partition, the key whose tombstone must come next

    def feed(self, event):
        where = "%s[%d]@%d" % event[:3]
        key = event.key.decode()
        at = oracle.walferry_id(oracle.header(event, "walferry-id"))[1:]
        place = event[:2]
        if place in self._last and at <= self._last[place]:
            self._fault("reordered", "%s: %s after %s" % (where, at, self._last[place]))
        self._last[place] = at
        awaited = self._dead.pop(place, None)
        if (event.value is None) != (awaited is not None) or awaited not in (None, key):
            self._fault("tombstone", "%s: of %s, awaited %s" % (where, key, awaited))
        if event.value is not None:
            self._change(place, where, key, json.loads(event.value))

    def _change(self, place, where, key, value):
        self.changes += 1
        op, before, after = value["op"], value["before"], value["after"]
        if self.rows.get(key) != before:
            self._fault("changed", "%s: %s of %s was %s, the row is %s" % (
                where, op, key, before, self.rows.get(key)))
        if op == "d":
            self.rows.pop(key, None)
            self._dead[place] = key
        else:
            self.rows[key] = after

    def _fault(self, kind, text):
        self.faults.append(oracle.Fault(kind, text))

    def judge(self, table):
        """table: {key: row} as it is now. Raises with what is wrong."""
        faults = list(self.faults)
        for key in sorted(set(table) | set(self.rows)):
            if table.get(key) != self.rows.get(key):
                faults.append(oracle.Fault("lost", "%s is %s, played back %s" % (
                    key, table.get(key), self.rows.get(key))))
        if faults:
            raise oracle.OracleError(faults)
        return self.changes
