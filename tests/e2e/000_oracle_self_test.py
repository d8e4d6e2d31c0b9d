"""The oracle sees each kind of fault that is planted, and none where there is none.

Events are forged by a producer of the test's own; the reader of segment files that the suite uses
is held against Kafka's own DumpLogSegments over everything that was forged.
"""

import json
import socket
import struct

import confluent_kafka

import e2e
import oracle
import segments


class Forger:
    """Truth rows in PostgreSQL and records in Kafka, right or wrong as told."""

    def __init__(self, case, label):
        self.case = case
        case.prefix = "%s.%s." % (case.name, label)
        case.progress_topic = "walferry.%s.%s.progress" % (case.name, label)
        case.slot_name = "none"
        case.sql("TRUNCATE e2e.truth")
        case.kafka.create_topic(case.prefix + "order", 2)
        case.kafka.create_topic(case.progress_topic, 1)
        self.label, self.producers = label, 0
        self.lsn = 0x1000
        self.producer = self.fresh()

    def fresh(self):
        self.producers += 1
        producer = confluent_kafka.Producer({
            "bootstrap.servers": self.case.kafka.bootstrap, "linger.ms": 0, "batch.size": 1,
            "transactional.id": "%s-%s-%d" % (self.case.name, self.label, self.producers)})
        producer.list_topics(timeout=20)  # or the first record waits for up to a second
        producer.init_transactions(20)
        return producer

    def rows(self, count, first, key="k"):
        """One committed PostgreSQL transaction; its rows as (id, key, n)."""
        self.case.put(rows=count, prefix=key, keys=1)
        self.lsn += 0x100
        return self.case.sql("SELECT id, key, n FROM e2e.truth WHERE n >= %s ORDER BY n", (first,))

    def send(self, rows, ordinal=1, lsn=None, value=None, partition=0):
        for identity, key, n in rows:
            text = value or self.case.one(
                "SELECT payload::text FROM public.outbox WHERE id = %s", (identity,))
            self.producer.produce(
                self.case.prefix + "order", text, key, partition, headers=[
                    ("id", identity), ("walferry-id", "1-%016x-%d" % (lsn or self.lsn, ordinal))])
            ordinal += 1
        self.producer.flush()

    def progress(self, generation=1, lsn=None, **more):
        self.producer.produce(self.case.progress_topic, json.dumps(dict(
            {"generation": generation, "position": oracle.lsn_text(lsn or self.lsn + 0x50),
             "partial": None, "rebased": None, "mode": "wal"}, **more)), "x/0")

    def commit(self):
        self.producer.commit_transaction(20)

    def begin(self):
        self.producer.begin_transaction()

    def good(self):
        """Two transactions of PostgreSQL in two of Kafka."""
        for first in (1, 4):
            rows = self.rows(3, first)
            self.begin()
            self.send(rows)
            self.progress()
            self.commit()


def nothing_wrong(f):
    f.good()


def lost(f):
    f.good()
    f.rows(1, 7)


def alien(f):
    f.good()
    f.case.sql("DELETE FROM e2e.truth WHERE n = 2")


def twice(f):
    f.good()
    f.begin()
    f.send(f.case.sql("SELECT id, key, n FROM e2e.truth WHERE n = 6"), ordinal=4)
    f.commit()


def reordered(f):
    rows = f.rows(3, 1)
    f.begin()
    f.send([rows[1], rows[0], rows[2]])
    f.commit()


def commit_order(f):
    """Different keys, but a later transaction first: seen by walferry-id alone."""
    one, two = f.rows(1, 1, "a"), f.rows(1, 2, "b")
    f.begin()
    f.send(two)
    f.send(one, lsn=f.lsn - 0x100)
    f.commit()


def changed(f):
    rows = f.rows(2, 1)
    f.begin()
    f.send(rows[:1])
    f.send(rows[1:], ordinal=2, value='{"n": 77}')
    f.commit()


def torn(f):
    rows = f.rows(2, 1)
    f.begin()
    f.send(rows[:1])
    f.send(rows[1:], lsn=f.lsn + 1)
    f.commit()


def regressed(f):
    f.good()
    f.begin()
    f.progress(lsn=0x1000)
    f.commit()


def repeated(f):
    """The same position again without a claim."""
    f.good()
    f.begin()
    f.progress()
    f.commit()


def claimed(f):
    """The same position under a new generation is a claim, and right."""
    f.good()
    f.begin()
    f.progress(generation=2)
    f.commit()


def ahead(f):
    f.case.slot_name = f.case.db
    f.case.sql("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (f.case.db,))
    f.good()


def split(f):
    rows = f.rows(3, 1)
    for part in (rows[:2], rows[2:]):
        f.begin()
        f.send(part, ordinal=part[0][2])
        f.commit()


def split_over_two(f):
    """Two producers share it: no marker stands between."""
    rows, one = f.rows(2, 1), f.producer
    f.begin()
    f.send(rows[:1])
    f.producer = f.fresh()
    f.begin()
    f.send(rows[1:], ordinal=2)
    f.commit()
    one.commit_transaction(20)


def split_over_partitions(f):
    """The same, each in a partition of its own."""
    rows = f.rows(2, 1)
    for partition in (0, 1):
        f.producer = f.fresh()
        f.begin()
        f.send(rows[partition:partition + 1], ordinal=partition + 1, partition=partition)
        f.commit()


def beside_another(f):
    """An aborted transaction of another producer ends in the midst of one that is whole."""
    rows, ours = f.rows(2, 1), f.producer
    f.begin()
    f.send(rows[:1])
    f.producer = f.fresh()
    f.begin()
    f.send([("nobody", "k", 0)], value="aborted")
    f.producer.abort_transaction(20)
    topic = f.case.prefix + "order"
    e2e.wait("no abort marker", lambda: any(
        batch.control for batch in segments.read_python(f.case.kafka.data_dir, [topic])[topic, 0]))
    f.producer = ours
    f.send(rows[1:], ordinal=2)
    f.commit()


def write_marker(port, producer_id, epoch, commit, topic):
    """WriteTxnMarkers (API key 27, version 1), which coordinators send to the leaders: one control
    record for partition 0, as this epoch, whatever a coordinator knows."""
    def string(text):
        return bytes([len(text) + 1]) + text.encode()

    body = b"\2" + struct.pack(">qh?", producer_id, epoch, commit) + \
        b"\2" + string(topic) + b"\2" + struct.pack(">i", 0) + b"\0" + \
        struct.pack(">i", 0) + b"\0\0"
    head = struct.pack(">hhih", 27, 1, 1, 6) + b"oracle" + b"\0"
    with socket.create_connection(("127.0.0.1", port), 20) as sock:
        sock.sendall(struct.pack(">i", len(head + body)) + head + body)
        answer = sock.makefile("rb")
        text = answer.read(struct.unpack(">i", answer.read(4))[0])
    # correlation, tags, markers, producer id, topics, name, partitions, number, code
    return struct.unpack_from(">h", text, 4 + 1 + 1 + 8 + 1 + len(string(topic)) + 1 + 4)[0]


def raised_epoch(f, commit=True):
    """A coordinator ends a transaction under a higher epoch than its records have, as one does that
    recovers: a read_committed consumer goes by the producer id, so that they are committed. The
    broker takes no marker of a lower epoch."""
    topic = f.case.prefix + "order"
    rows = f.rows(2, 1)
    f.begin()
    f.send(rows)
    batches = segments.read_python(f.case.kafka.data_dir, [topic])[topic, 0]
    newest = batches[-1]
    assert write_marker(f.case.kafka.port, newest.pid, newest.epoch + 5, commit, topic) == 0
    refused = write_marker(f.case.kafka.port, newest.pid, newest.epoch + 4, not commit, topic)
    assert refused in (47, 90), "INVALID_PRODUCER_EPOCH or PRODUCER_FENCED, not %d" % refused
    marker = segments.read_python(f.case.kafka.data_dir, [topic])[topic, 0][-1]
    assert marker.control and marker.epoch == newest.epoch + 5, marker


def raised_abort(f):
    """The same with an abort: nobody sees them."""
    raised_epoch(f, commit=False)


def uncommitted(f):
    """A consumer that reads what was aborted: here the judge's own, told to read uncommitted."""
    rows = f.rows(2, 1)
    f.begin()
    f.send(rows)
    f.producer.abort_transaction(20)


PLANTED = [(nothing_wrong, ()), (lost, ("lost",)), (alien, ("alien",)), (twice, ("twice", "split")),
           (reordered, ("reordered",)), (commit_order, ("reordered",)), (changed, ("changed",)),
           (torn, ("torn",)), (regressed, ("regressed",)), (repeated, ("regressed",)),
           (claimed, ()), (ahead, ("ahead",)), (split, ("split",)), (split_over_two, ("split",)),
           (split_over_partitions, ("split",)), (beside_another, ()), (raised_epoch, ()),
           (raised_abort, ("lost",)), (uncommitted, ("uncommitted",))]

# What no broker writes: a marker of a lower epoch, or of another producer, commits nothing.
for marker in (("COMMIT", 7, 2), ("COMMIT", 8, 3), ("ABORT", 7, 3)):
    made = {("t", 0): [segments.Batch(0, 0, 7, 3, True, False, None, []),
                       segments.Batch(1, 1, marker[1], marker[2], True, True, marker[0], [])]}
    seen = [oracle.Event("t", 0, 0, 0, b"k", b"v", [])]
    assert [fault.kind for fault in oracle.check_segments(made, seen)] == ["uncommitted"], marker

with e2e.Case() as case:
    prefixes = []
    for plant, kinds in PLANTED:
        forger = Forger(case, plant.__name__)
        plant(forger)
        prefixes.append(case.prefix)
        if plant is uncommitted:
            topic = case.prefix + "order"
            events = oracle.read_topics(case.kafka.bootstrap, [topic], "read_uncommitted")
            layout = segments.read_python(case.kafka.data_dir, [topic])
            faults = oracle.check_segments(layout, events)
        else:
            faults, events, _ = oracle.judge(case._fresh(), case.kafka, case.slot_name,
                                             case.progress_topic, case.prefix)
        found = {fault.kind for fault in faults}
        assert found == set(kinds), "%s: planted %s, found %s: %s" % (
            plant.__name__, kinds, found, faults[:5])
        print("planted %s: found %s" % (plant.__name__, sorted(found)), flush=True)

    topics = [prefix + "order" for prefix in prefixes]
    ours = segments.read_python(case.kafka.data_dir, topics, with_records=True)
    theirs = segments.read_dump(case.kafka, topics)
    bare = {place: [batch._replace(records=[]) for batch in batches]
            for place, batches in ours.items()}
    assert bare == theirs, "the two readers of segment files differ"
    assert sum(batch.control for batches in ours.values() for batch in batches) > 20
    seen = oracle.read_topics(case.kafka.bootstrap, topics, "read_uncommitted")
    records = {(place[0], place[1], record.offset): record for place, batches in ours.items()
               for batch in batches for record in batch.records}
    for event in seen:
        record = records.pop(event[:3])
        assert (record.key, record.value, record.headers, record.timestamp) == (
            event.key, event.value, event.headers, event.timestamp), (record, event)
    assert not records, records
