#!/usr/bin/python3
"""Capture what real servers send: tests/golden/pg<major>.frames and pg<major>_binary.frames, and of the
corpus of tests/compat pg<major>_corpus.frames. Of 15 also pg15_outbox.frames: ten transactions of ten
rows of the outbox table, which bench/instructions counts by.

A private server of each major runs one fixed history; then the slot is read over a bare socket, so
that every CopyData payload is kept exactly as it came, keepalives included. A file is the
Int64 LSN at which the stream was started, then each payload behind its Int32 length, big-endian.

  python3 tests/golden/capture.py [MAJOR ...]        default: 14 15 18
  GOLDEN_WRITE=1 build/asan/tests/golden/frames_test  writes the .expected files anew; read the diff

The files are committed; a test run needs neither this program nor a server.
"""

import os
import shutil
import socket
import struct
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tools"), os.path.join(ROOT, "tests", "compat")]

import corpus  # noqa: E402
from lab import postgres  # noqa: E402

SCHEMA = """
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE plain (id bigint PRIMARY KEY, name text, short varchar(20), feels mood, data bytea,
                    amount numeric(10,2), at timestamptz, doc jsonb, may aclitem);
CREATE TABLE whole (id int, big text);
ALTER TABLE whole REPLICA IDENTITY FULL;
ALTER TABLE whole ALTER big SET STORAGE EXTERNAL;
CREATE TABLE indexed (a int NOT NULL, b text NOT NULL, c text);
CREATE UNIQUE INDEX indexed_key ON indexed (b, a);
ALTER TABLE indexed REPLICA IDENTITY USING INDEX indexed_key;
CREATE TABLE toasted (id int PRIMARY KEY, big text, small int);
ALTER TABLE toasted ALTER big SET STORAGE EXTERNAL;
CREATE TABLE anonymous (id int);
ALTER TABLE anonymous REPLICA IDENTITY NOTHING;
CREATE TABLE no_columns ();
CREATE TABLE parted (id int, region text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE parted_eu PARTITION OF parted FOR VALUES IN ('eu');
CREATE TABLE parted_us PARTITION OF parted FOR VALUES IN ('us');
CREATE TABLE altered (id int PRIMARY KEY, one text);
CREATE TABLE generated (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED);
CREATE TABLE filtered (id int PRIMARY KEY, seen text, hidden text);
CREATE TABLE unpublished (id int);
CREATE SCHEMA "Odd name";
CREATE TABLE "Odd name"."Tablé" ("Colümn" text);
"""

TABLES = ['plain', 'whole', 'indexed', 'toasted', 'anonymous', 'no_columns', 'parted', 'altered',
          'generated', '"Odd name"."Tablé"']

# One string is one transaction, unless it begins with a name and a colon (see run()).
HISTORY = [
    """INSERT INTO plain VALUES (1, 'Zoë', 'x', 'sad', '\\x00ff27', 1.10,
                                 '2020-02-29 12:00:00.5+00',
                                 '{"a": [1, null]}', 'postgres=r/postgres');
       INSERT INTO plain VALUES (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
       INSERT INTO plain VALUES (3, '', '', 'ok', '', 0, 'infinity', '{}', NULL)""",
    """UPDATE plain SET name = 'changed' WHERE id = 1;
       UPDATE plain SET id = 20 WHERE id = 2;
       DELETE FROM plain WHERE id = 3""",
    """INSERT INTO whole VALUES (1, repeat('w', 2100)), (2, NULL);
       UPDATE whole SET id = 10 WHERE id = 1;
       DELETE FROM whole WHERE id = 2""",
    """INSERT INTO indexed VALUES (1, 'b', 'c');
       UPDATE indexed SET c = 'd';
       UPDATE indexed SET b = 'bb';
       DELETE FROM indexed""",
    "INSERT INTO toasted VALUES (1, repeat('t', 2100), 1)",
    """UPDATE toasted SET small = 2;
       UPDATE toasted SET id = 2;
       UPDATE toasted SET big = 'now short'""",
    """INSERT INTO anonymous VALUES (1);
       INSERT INTO no_columns DEFAULT VALUES;
       INSERT INTO "Odd name"."Tablé" VALUES ('a''b\\c')""",
    """INSERT INTO parted VALUES (1, 'eu'), (2, 'us');
       UPDATE parted SET region = 'us' WHERE id = 1;
       DELETE FROM parted WHERE id = 2""",
    """INSERT INTO altered VALUES (1, 'one');
       ALTER TABLE altered ADD two int DEFAULT 7;
       INSERT INTO altered VALUES (2, 'two', 2);
       ALTER TABLE altered RENAME one TO uno;
       INSERT INTO altered VALUES (3, 'three', 3);
       ALTER TABLE altered DROP uno;
       INSERT INTO altered VALUES (4, 4)""",
    "INSERT INTO altered VALUES (5, 5)",
    "bare: ANALYZE altered",
    "INSERT INTO altered VALUES (6, 6)",
    "INSERT INTO generated VALUES (21)",
    """SELECT pg_logical_emit_message(true, 'outbox', '{"id": 1}');
       SELECT pg_logical_emit_message(true, '', '\\x0001ff'::bytea);
       SELECT pg_logical_emit_message(true, 'empty', '')""",
    "SELECT pg_logical_emit_message(false, 'immediate', 'outside')",
    "rollback: SELECT pg_logical_emit_message(false, 'immediate', 'rolled back'); "
    "INSERT INTO anonymous VALUES (2)",
    """INSERT INTO anonymous VALUES (3);
       SAVEPOINT one; INSERT INTO anonymous VALUES (4); ROLLBACK TO one;
       SAVEPOINT two; INSERT INTO anonymous VALUES (5); RELEASE two""",
    "INSERT INTO unpublished VALUES (1)",
    "interleaved:",
    "filter:",
    "TRUNCATE plain",
    "TRUNCATE whole, indexed RESTART IDENTITY CASCADE",
    "bare: SELECT pg_replication_origin_create('elsewhere')",
    "bare: SELECT pg_replication_origin_session_setup('elsewhere')",
    """SELECT pg_replication_origin_xact_setup('0/ABCDEF', '2020-01-01 00:00:00+00');
       INSERT INTO anonymous VALUES (6)""",
    "bare: SELECT pg_replication_origin_session_reset()",
    "SELECT pg_logical_emit_message(true, 'end', '')",
    # WAL that holds nothing for us, so that the last keepalive is beyond the last commit.
    "bare: SELECT pg_switch_wal()",
]


def interleaved(server):
    """Two writers; the one that began last commits first."""
    one, two = server.connect(autocommit=False), server.connect(autocommit=False)
    for connection, value in ((one, 101), (two, 201), (one, 102)):
        connection.cursor().execute("INSERT INTO anonymous VALUES (%s)", (value,))
    two.commit()
    one.commit()
    one.close()
    two.close()


def filtered(server, cursor):
    """A row filter and a column list; updates over its edge arrive as other operations."""
    if server.major < 15:
        return
    for statement in ("ALTER PUBLICATION golden ADD TABLE filtered (id, seen) WHERE (id > 10)",
                      "INSERT INTO filtered VALUES (1, 's', 'h'), (11, 's', 'h')",
                      "UPDATE filtered SET id = 12 WHERE id = 1",
                      "UPDATE filtered SET id = 2 WHERE id = 11"):
        cursor.execute(statement)


def run(server, cursor, step):
    if step == "interleaved:":
        interleaved(server)
    elif step == "filter:":
        filtered(server, cursor)
    elif step.startswith("bare: "):
        cursor.execute(step[len("bare: "):])
    elif step.startswith("rollback: "):
        cursor.execute("BEGIN; " + step[len("rollback: "):] + "; ROLLBACK")
    else:
        cursor.execute("BEGIN; " + step + "; COMMIT")


class Wire:
    """The few messages of the frontend/backend protocol that a trusted walsender session needs."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        pairs = b"user\0postgres\0database\0postgres\0replication\0database\0"
        pairs += b"options\0-c datestyle=ISO -c timezone=UTC\0\0"
        self.socket.sendall(struct.pack("!II", len(pairs) + 8, 196608) + pairs)
        self.until(b"Z")

    def exactly(self, count):
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            if not piece:
                raise RuntimeError("the server closed the connection")
            data += piece
        return data

    def message(self):
        kind, length = struct.unpack("!cI", self.exactly(5))
        body = self.exactly(length - 4)
        if kind == b"E":
            raise RuntimeError(body.replace(b"\0", b" ").decode())
        return kind, body

    def until(self, kind):
        while True:
            got, body = self.message()
            if got == kind:
                return body

    def query(self, text):
        data = text.encode() + b"\0"
        self.socket.sendall(b"Q" + struct.pack("!I", len(data) + 4) + data)


def frames(port, slot, start, binary):
    """CopyData payloads up to the commit behind the message "end", and a little longer."""
    wire = Wire(port)
    options = "proto_version '1', publication_names 'golden', messages 'true'"
    if binary:
        options += ", binary 'true'"
    wire.query("START_REPLICATION SLOT %s LOGICAL %s (%s)" % (slot, start, options))
    wire.until(b"W")
    found = []
    ending = False
    while not (ending and found[-1][:1] == b"w" and found[-1][25:26] == b"C"):
        found.append(wire.until(b"d"))
        ending = ending or (found[-1][25:26] == b"M" and b"end\0" in found[-1])
    wire.socket.settimeout(1)
    try:
        while True:
            found.append(wire.until(b"d"))
    except socket.timeout:
        pass
    wire.socket.close()
    return found


def lsn_number(text):
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


def write(path, start, payloads):
    with open(path, "wb") as file:
        file.write(struct.pack("!Q", lsn_number(start)))
        for payload in payloads:
            file.write(struct.pack("!I", len(payload)) + payload)
    print("%s: %d frames, %d bytes" % (path, len(payloads), os.path.getsize(path)))


def capture(major, directory):
    extra = ", publish_generated_columns = stored" if major >= 18 else ""
    with postgres.Postgres(directory, major=major) as server:
        connection = server.connect()
        cursor = connection.cursor()
        cursor.execute(SCHEMA)
        cursor.execute("CREATE PUBLICATION golden FOR TABLE %s WITH (publish_via_partition_root = "
                       "true%s)" % (", ".join(TABLES), extra))
        starts = {}
        for slot in ("golden_text", "golden_binary"):
            cursor.execute(
                "SELECT lsn::text FROM pg_create_logical_replication_slot(%s, 'pgoutput')", (slot,))
            starts[slot] = cursor.fetchone()[0]
        for step in HISTORY:
            run(server, cursor, step)
        connection.close()
        for slot, name, binary in (("golden_text", "pg%d.frames", False),
                                   ("golden_binary", "pg%d_binary.frames", True)):
            path = os.path.join(ROOT, "tests", "golden", name % major)
            write(path, starts[slot], frames(server.port, slot, starts[slot], binary))


# What an older server has not.
NEWER = {"type numeric_2_5": 15}


def capture_corpus(major, directory):
    cases = [case for case in corpus.CASES if NEWER.get(case.name, 0) <= major]
    with postgres.Postgres(directory, major=major) as server:
        connection = server.connect()
        cursor = connection.cursor()
        for case in cases:
            cursor.execute(case.before)
        cursor.execute("CREATE PUBLICATION golden FOR ALL TABLES")
        cursor.execute("SELECT lsn::text FROM pg_create_logical_replication_slot('corpus', 'pgoutput')")
        start = cursor.fetchone()[0]
        for case in cases:
            for statement in case.statements:
                cursor.execute(statement)
        cursor.execute("SELECT pg_logical_emit_message(true, 'end', '')")
        connection.close()
        write(os.path.join(ROOT, "tests", "golden", "pg%d_corpus.frames" % major), start,
              frames(server.port, "corpus", start, False))


def capture_outbox(major, directory):
    if major != 15:
        return
    with postgres.Postgres(directory, major=major) as server:
        code, said = server.psql("-f", os.path.join(ROOT, "sql", "001_outbox.sql"))
        assert code == 0, said
        connection = server.connect()
        cursor = connection.cursor()
        cursor.execute("CREATE PUBLICATION golden FOR TABLE outbox")
        cursor.execute("SELECT lsn::text FROM pg_create_logical_replication_slot('outbox', 'pgoutput')")
        start = cursor.fetchone()[0]
        for i in range(10):
            cursor.execute("""
                INSERT INTO outbox (aggregatetype, aggregateid, type, payload)
                SELECT 'order', 100 + %d * 10 + j, 'OrderPlaced',
                       jsonb_build_object('order', 1234000 + %d * 10 + j, 'pad', repeat('x', 222))
                FROM generate_series(0, 9) j""" % (i, i))
        cursor.execute("SELECT pg_logical_emit_message(true, 'end', '')")
        connection.close()
        write(os.path.join(ROOT, "tests", "golden", "pg15_outbox.frames"), start,
              frames(server.port, "outbox", start, False))


def main(arguments):
    for major in [int(argument) for argument in arguments] or [14, 15, 18]:
        for step in (capture, capture_corpus, capture_outbox):
            directory = tempfile.mkdtemp(prefix="walferry_golden_")
            os.chmod(directory, 0o755)
            try:
                step(major, directory)
            finally:
                shutil.rmtree(directory, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
