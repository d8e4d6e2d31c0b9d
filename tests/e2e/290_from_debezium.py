"""A relay goes on where a Debezium connector has stopped, on the connector's slot: whatever the
connector has not sent comes, what it has surely sent does not; and what could lose anything is refused.
Where only the relay has one of the tables, the connector's part comes again: to pass it over would lose theirs.

The connector here is a reader of its slot that stops where it is told and says so as Debezium does;
tests/compat/run takeover has the real one. What both have sent is held against what was written.
"""

import collections
import contextlib
import json
import os

import e2e
import oracle

SECONDS = 420


TYPES = {"I": "INSERT", "U": "UPDATE", "D": "DELETE"}


class Connector:
    """sent: the ids that it has sent, in order. Its offset is of the last of them."""

    def __init__(self, case):
        self.case = case
        self.sent = []
        self.offset = {}
        case.sql("CREATE PUBLICATION dbz FOR TABLE public.outbox, public.plain")
        case.sql("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (case.slot_name,))

    def read(self, changes, ended=True):
        """On from where its slot is confirmed, so many changes; what it has sent before it passes.
        ended: it has seen that the transaction of the last one has ended, where it has."""
        rows = self.case.sql(
            "SELECT lsn::text, get_byte(data, 0), encode(data, 'escape') FROM"
            " pg_logical_slot_peek_binary_changes(%s, NULL, NULL, 'proto_version', '1',"
            " 'publication_names', 'dbz')", (self.case.slot_name,))
        ids = [str(row[0]) for row in self.case.sql("SELECT id FROM e2e.truth ORDER BY n")]
        for lsn, kind, data in rows:
            number = oracle.lsn_number(lsn)
            if changes == 0 and not ended:
                break
            if chr(kind) == "C":
                self.offset["lsn_commit"] = self.offset["lsn_proc"] = number
            if chr(kind) not in "IUD":
                continue
            if changes == 0:
                break
            changes -= 1
            self.offset.update({"lsn": number, "lsn_proc": number, "messageType": TYPES[chr(kind)]})
            found = [one for one in ids if one in data]
            if found and found[0] not in self.sent:
                self.sent.append(found[0])
            elif not found:
                self.sent.append("plain")

    def confirm(self, lsn=None):
        self.case.sql("SELECT pg_replication_slot_advance(%s, %s)", (
            self.case.slot_name, lsn or oracle.lsn_text(self.offset["lsn_commit"])))

    def save(self, name, offset=None):
        """As GET /connectors/NAME/offsets answers, with another connector's beside it."""
        path = os.path.join(self.case.dir, name)
        with open(path, "w") as file:
            json.dump({"offsets": [
                {"partition": {"server": "other"}, "offset": {"lsn_commit": 1, "lsn": 2}},
                {"partition": {"server": self.case.name}, "offset": offset or self.offset}]}, file)
        return path


def published(case):
    """How often each event is in Kafka."""
    topics = oracle.topics_like(case.kafka.bootstrap, case.prefix)
    return collections.Counter(oracle.header(event, "id")
                               for event in oracle.read_topics(case.kafka.bootstrap, topics))


def begin(case):
    """A connector, and publications beside it that are old enough in the end."""
    connector, relay = Connector(case), case.relay()
    case.put(rows=2)
    connector.read(2)
    case.command(relay, "setup", "--from-debezium", connector.save("none.json"), code=2,
                 says="while the connector runs")
    code, text = case.pg.psql("-c", case.command(relay, "setup", "--print-sql"), dbname=case.db)
    assert code == 0, text
    case.put(rows=1)
    connector.read(3)
    case.command(relay, "setup", "--from-debezium", connector.save("young.json"), code=3,
                 says="may be younger than what slot")
    case.sql("CHECKPOINT")
    case.put(rows=1)
    connector.read(5)
    connector.confirm()
    return connector, relay


def judge(case, relay, connector, again=0):
    """Everything was sent, and twice by both no more than that."""
    case.put(rows=3, transactions=2)
    case.start(relay)
    truth = {str(row[0]) for row in case.sql("SELECT id FROM e2e.truth")}
    sent = {one for one in connector.sent if one != "plain"}
    e2e.wait("everything is sent", lambda: set(published(case)) | sent >= truth)
    case.wait_confirmed(case.current_lsn())
    found = published(case)
    assert set(found) | sent == truth
    assert max(found.values()) == 1, found
    assert len(set(found) & sent) == again, (sorted(set(found) & sent), connector.sent)
    case.stop(relay)


def inside(case):
    """It has sent two of four changes of a transaction."""
    connector, relay = begin(case)
    before = dict(connector.offset)
    case.put(rows=4, transactions=3)
    connector.read(4 + 4 + 2)
    path = connector.save("inside.json")
    case.command(relay, "setup", "--from-debezium", connector.save(
        "behind.json", dict(before, lsn_commit=connector.offset["lsn_commit"] - 2**20)), code=3,
        says="is confirmed to")
    case.command(relay, "setup", "--from-debezium", "lsn:7F/0", code=3, says="of another server")
    case.command(relay, "setup", "--from-debezium", "lsn:x", code=2, says="is no LSN")
    case.command(relay, "setup", "--from-debezium", path, says="2 of 4 changes are done")
    case.command(relay, "setup", "--from-debezium", path, code=2, says="has begun already")
    judge(case, relay, connector)


def whole(case):
    """It has sent whole transactions, and its offset does not know that the last one has ended."""
    connector, relay = begin(case)
    case.put(rows=3, transactions=3)
    connector.read(3 + 3 + 3, ended=False)
    assert connector.offset["lsn"] > connector.offset["lsn_commit"]
    case.command(relay, "setup", "--from-debezium", connector.save("whole.json"),
                 says="events that the connector has sent behind its offset")
    judge(case, relay, connector)


def overlapping(case):
    """It has sent one of two changes of a transaction, which stands before the end of another one."""
    connector, relay = begin(case)
    with contextlib.closing(case.pg.connect(case.db)) as session:
        session.autocommit = False
        put = "SELECT e2e.put('order', 'p', 3, %s, 1, 40)"
        session.cursor().execute(put, (1001,))
        case.put(rows=2)
        session.cursor().execute(put, (1002,))
        session.commit()
    connector.read(2 + 1)
    assert connector.offset["lsn"] < connector.offset["lsn_commit"]
    case.command(relay, "setup", "--from-debezium", connector.save("overlapping.json"),
                 says="1 of 2 changes are done")
    judge(case, relay, connector)


def unsure(case):
    """Only lsn_commit is known; and a change that may have made several events."""
    connector, relay = begin(case)
    case.put(rows=3, transactions=2)
    connector.read(3 + 1)
    case.command(relay, "setup", "--from-debezium", "lsn:" + oracle.lsn_text(
        connector.offset["lsn_commit"]), says="REPEAT: whatever the connector has sent of later")
    judge(case, relay, connector, again=1)


def deleted(case):
    """The last change is a DELETE, which has a tombstone besides."""
    connector, relay = begin(case)
    case.sql("INSERT INTO public.plain VALUES (1)")
    case.sql("DELETE FROM public.plain")
    connector.read(1 + 1, ended=False)
    relay.config["routes"][-1]["debezium"] = {"topic_prefix": "another"}
    with open(os.path.join(case.dir, "alone.json"), "w") as file:
        json.dump({"partition": {"server": case.name}, "offset": connector.offset}, file)
    case.command(relay, "setup", "--from-debezium", file.name, code=2,
                 says="is of topic.prefix %s, not another" % case.name)
    del relay.config["routes"][-1]["debezium"]
    text = case.command(relay, "setup", "--from-debezium", connector.save("deleted.json"))
    assert "comes again" in text and "is of topic.prefix " + case.name in text, text
    judge(case, relay, connector)


def ended(case):
    """Of a transaction it has sent all changes, but nothing says that it has sent the END of it."""
    connector, relay = begin(case)
    case.sql("INSERT INTO public.plain VALUES (1), (2), (3)")
    connector.read(3, ended=False)
    case.command(relay, "setup", "--from-debezium", connector.save("ended.json"),
                 says="3 of 3 changes are done")
    case.sql("INSERT INTO public.plain VALUES (4)")
    judge(case, relay, connector)
    topic = oracle.read_topics(case.kafka.bootstrap, ["unseen.%s.transaction" % case.name])
    counts = [json.loads(event.value)["event_count"] for event in topic if b'"END"' in event.value]
    assert sorted(counts) == [1, 3], counts


def owned(case, table="own"):
    """The rows of such a table that were published; None: that it was emptied."""
    events = [json.loads(event.value) for event in
              oracle.read_topics(case.kafka.bootstrap, ["unseen.%s.%s" % (case.name, table)])]
    return sorted((event["after"]["id"] if event["op"] != "t" else None for event in events),
                  key=lambda one: (one is not None, one))


def ours_before(case):
    """A transaction that the connector is not sent, before the one of which it has sent a part; the second time
    that part stands before the end of what it has sent whole."""
    connector, relay = begin(case)
    with contextlib.closing(case.pg.connect(case.db)) as session:
        session.autocommit = False
        put = "SELECT e2e.put('order', 'p', 3, %s, 1, 40)"
        if case.early:
            session.cursor().execute(put, (1001,))
            case.put(rows=2)
        case.sql("INSERT INTO public.own VALUES (1)")
        session.cursor().execute(put, (1002,))
        session.cursor().execute(put, (1003,))
        session.commit()
    connector.read(2 + 1 if case.early else 1)
    assert (connector.offset["lsn"] < connector.offset["lsn_commit"]) == case.early
    case.command(relay, "setup", "--from-debezium", connector.save("ours.json"),
                 says="REPEAT: what the connector has sent of transactions that end behind")
    case.sql("INSERT INTO public.own VALUES (2)")
    judge(case, relay, connector, again=1)
    assert owned(case) == [1, 2], owned(case)


def ours_inside(case):
    """A change that the connector is not sent, between two that it has sent."""
    connector, relay = begin(case)
    with contextlib.closing(case.pg.connect(case.db)) as session:
        session.autocommit = False
        for n in (1001, 1002):
            session.cursor().execute("SELECT e2e.put('order', 'p', 3, %s, 1, 40)", (n,))
            session.cursor().execute("INSERT INTO public.own VALUES (%s)", (n,))
        session.commit()
    connector.read(2, ended=False)
    case.command(relay, "setup", "--from-debezium", connector.save("ours.json"),
                 says="REPEAT: what the connector has sent of transactions that end behind")
    judge(case, relay, connector, again=2)
    assert owned(case) == [1001, 1002], owned(case)


def ours_emptied(case):
    """A TRUNCATE of two tables, of which the connector is sent one."""
    case.more_config["routes"][-1]["debezium"] = {"skipped_operations": "none"}
    connector, relay = begin(case)
    with contextlib.closing(case.pg.connect(case.db)) as session:
        session.autocommit = False
        put = "SELECT e2e.put('order', 'p', 3, %s, 1, 40)"
        session.cursor().execute(put, (1001,))
        session.cursor().execute("TRUNCATE public.plain, public.own")
        session.cursor().execute(put, (1002,))
        session.commit()
    connector.read(2, ended=False)
    case.command(relay, "setup", "--from-debezium", connector.save("ours.json"),
                 says="REPEAT: what the connector has sent of transactions that end behind")
    judge(case, relay, connector, again=2)
    assert owned(case) == [None], owned(case)


def ours_rows(case):
    """Rows that the connector is not sent of a table that it is sent."""
    connector, relay = begin(case)
    case.sql("ALTER PUBLICATION dbz SET TABLE public.outbox, public.plain WHERE (id < 1000)")
    case.put(rows=1)
    connector.read(1)
    with contextlib.closing(case.pg.connect(case.db)) as session:
        session.autocommit = False
        for n in (1001, 1002):
            session.cursor().execute("SELECT e2e.put('order', 'p', 3, %s, 1, 40)", (n,))
            session.cursor().execute("INSERT INTO public.plain VALUES (%s)", (n,))
        session.commit()
    connector.read(1 + 2, ended=False)
    case.command(relay, "setup", "--from-debezium", connector.save("ours.json"),
                 says="REPEAT: what the connector has sent of transactions that end behind")
    judge(case, relay, connector, again=2)
    assert owned(case, "plain") == [1001, 1002], owned(case, "plain")


PLAIN = "CREATE TABLE public.plain (id int PRIMARY KEY)"
OWN = "; CREATE TABLE public.own (id int PRIMARY KEY)"


def on_one(case):
    case.sql(PLAIN)
    inside(case)


def on_server(server, way, tables=(), sql=PLAIN, label="", delivery=None):
    with e2e.Case(postgres=server, sql=sql, label="_" + (label or way.__name__)) as case:
        if tables:
            case.more_config = {"routes": case.config()["routes"] + [
                {"name": table, "from": "public." + table, "as": "change",
                 "topic": "unseen.%s.%s" % (case.name, table)} for table in tables]}
        if delivery:
            case.more_config["delivery"] = dict(delivery, transaction_topic="unseen.%s.transaction" % case.name)
        case.early = label == "ours_early"
        way(case)


if __name__ == "__main__":
    e2e.on_each_major(on_one, own=True)
    with e2e.own_postgres() as own:
        for one in (whole, overlapping, unsure):
            on_server(own, one)
        on_server(own, deleted, ["plain"])
        on_server(own, ended, ["plain"], delivery={"transaction_metadata": True})
        on_server(own, ours_inside, ["own"], PLAIN + OWN)
        on_server(own, ours_before, ["own"], PLAIN + OWN)
        on_server(own, ours_before, ["own"], PLAIN + OWN, "ours_early")
        on_server(own, ours_emptied, ["plain", "own"], PLAIN + OWN)
        on_server(own, ours_rows, ["plain"])
