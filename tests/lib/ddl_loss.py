"""DDL that keeps rows from a relay, and the course of each: the relay ends, says what changed and
between which LSNs rows may be missing; a person mends the publication and accepts the loss; the
relay goes on, and exactly the rows of that time are missing."""

import re

import e2e

PUBLICATION = 'CREATE PUBLICATION "%s" FOR TABLE public.outbox' \
              " WITH (publish = 'insert', publish_via_partition_root = true)"


class Change:
    """ddl: statements, each a transaction of its own but where they say BEGIN; {p} is the
    publication. says: what a person reads. least: the oldest major that has it."""

    def __init__(self, name, ddl, says, least=14):
        self.name, self.ddl, self.says, self.least = name, ddl, says, least

    def apply(self, case):
        for statement in self.ddl:
            case.sql(statement.replace("{p}", '"%s"' % case.slot_name))


# What is mended by a statement or by setup, and what was put back at once.
CHANGES = (
    Change("altered", ["ALTER PUBLICATION {p} SET (publish = 'update')"], "was altered"),
    Change("out", ["ALTER PUBLICATION {p} DROP TABLE public.outbox"],
           "public.outbox was taken out of the publication"),
    Change("swapped", ["BEGIN; ALTER TABLE public.outbox RENAME TO outbox_old;"
                       " CREATE TABLE public.outbox (LIKE public.outbox_old INCLUDING ALL);"
                       " ALTER TABLE public.outbox_old RENAME TO outbox_{n}; COMMIT"],
           "public.outbox was dropped or renamed, and there is another one"),
    Change("anew", ["BEGIN; CREATE TABLE public.outbox_new (LIKE public.outbox INCLUDING ALL);"
                    " DROP TABLE public.outbox; ALTER TABLE public.outbox_new RENAME TO outbox;"
                    " COMMIT"],
           "public.outbox was dropped or renamed, and there is another one"),
    Change("filtered", ["ALTER PUBLICATION {p} SET TABLE public.outbox WHERE (seq > 1000000000)"],
           "put back, or its row filter", least=15),
)


def window(text):
    """The LSNs between which rows may be missing, as the newest refusal names them."""
    found = re.findall(r"between ([0-9A-F]+/[0-9A-F]+) and ([0-9A-F]+/[0-9A-F]+) may be missing",
                       text)
    assert found, text[-3000:]
    return tuple(e2e.oracle.lsn_number(lsn) for lsn in found[-1])


def mend_publication(case, relay, text):
    """What a refusal with 2 prints: a statement, or setup."""
    hints = re.findall(r'hint="((?:[^"\\]|\\.)*)"', text)
    statement = re.search("ALTER .*", hints[-1].replace('\\"', '"')) if hints else None
    if statement:
        case.sql(statement.group(0))
    else:
        case.command(relay, "setup", code=3, says="has changed")


def lost_rows(case):
    """Truth that is not in Kafka once the relay has caught up; it is forgotten."""
    case.wait_confirmed(case.current_lsn(), 60)
    there = case.read_ids()
    lost = [row for row in case.sql("SELECT id, n FROM e2e.truth") if row[0] not in there]
    case.sql("DELETE FROM e2e.truth WHERE id = ANY (%s)", ([row[0] for row in lost],))
    return lost


def accept(case, relay, change, first_lsn, last_lsn):
    """From the refusal on: 2 until the publication is mended, then 3 with the range, then on."""
    text = relay.log_text()
    code = relay.wait(25)
    assert code in (2, 3), "%s: ended with %s\n%s" % (change.name, code, relay.log_text()[-3000:])
    if code == 2:
        mend_publication(case, relay, relay.log_text())
        last_lsn = case.current_lsn()
        text = case.refused(relay, 3, "publication_changed")
    else:
        text = relay.log_text()
    assert re.search(change.says, text), "%s is not said: %s" % (change.says, text[-3000:])
    low, high = window(text)
    assert low <= first_lsn and high >= last_lsn, (change.name, low, first_lsn, high, last_lsn)
    case.command(relay, "check", "--connect", code=1, says="has changed")
    case.mend(relay, text, "--yes")
    case.start(relay)
    return text


def course(case, relay, change, number, guarded=False):
    """The whole of it: rows before, the DDL, four rows that are lost, the mend, rows behind."""
    case.put(rows=2)
    case.drain(relay=relay)
    first = case.current_lsn()
    change.ddl = [statement.replace("{n}", str(number)) for statement in change.ddl]
    change.apply(case)
    placed = case.current_lsn()
    case.put(rows=4)
    behind = case.current_lsn()
    if guarded:
        relay.wait_log("guard.met", timeout=20)
    text = accept(case, relay, change, first, behind)
    if guarded:
        low, _ = window(text)
        assert low <= placed, (change.name, low, placed)
    lost = lost_rows(case)
    assert len(lost) == 4, (change.name, lost)
    case.put(rows=2)
    case.drain(relay=relay)
