"""sql/006_emit.sql: events by function, numbers without a gap, messages without a table."""

import json
import random
import threading

import psycopg2

from sessions import (AGAIN, LEVELS, READ_COMMITTED, Sessions, apply, check_functions, check_rights,
                      crowd, refused, with_files)

FUNCTIONS = ("outbox_headers", "outbox_emit", "outbox_emit_message")
EMIT = "SELECT aggregate_seq FROM walferry.outbox_emit('order', %s, 'Put', '{}', sequenced => true)"
WRITERS, TRANSACTIONS, AGGREGATES = 32, 12, 3


def events(server):
    return server.sql("SELECT aggregateid, (headers ->> 'aggregate_seq')::bigint FROM public.outbox"
                      " ORDER BY 1, 2")


def check_row(server):
    got = server.sql("SELECT id::text, aggregate_seq FROM walferry.outbox_emit("
                     "'order', '4\"2''', 'Paid', '{\"total\": 3}', '{\"a\": 1, \"traceparent\": \"old\"}',"
                     " sequenced => true,"
                     " correlation_id => 'c', causation_id => 'b', traceparent => 't')")
    row = server.sql("SELECT id::text, aggregatetype, aggregateid, type, payload, headers,"
                     " xid IS NOT NULL FROM public.outbox")
    assert row == [(got[0][0], "order", "4\"2'", "Paid", {"total": 3},
                    {"a": 1, "aggregate_seq": 1, "correlation_id": "c", "causation_id": "b",
                     "traceparent": "t"}, True)], row
    assert got[0][1] == 1
    server.sql("TRUNCATE public.outbox")
    chosen = "6f1c6c1e-3f5e-4d8e-9d57-6e1f0f5e2b10"
    assert server.sql("SELECT id::text, aggregate_seq FROM walferry.outbox_emit('order', '42', 'Gone',"
                      " NULL, event_id => %s)", (chosen,)) == [(chosen, None)]
    assert server.sql("SELECT payload IS NULL, headers IS NULL FROM public.outbox") == [(True, True)]


@with_files("001_outbox", "006_emit")
def a_row(server):
    """What stands in the row; and that the functions are safe to call."""
    check_functions(server, FUNCTIONS)
    check_row(server)


@with_files("001_outbox_partitioned", "006_emit")
def a_row_partitioned(server):
    """The same in the other form of the outbox."""
    check_row(server)


CAUSALITY = ("SELECT headers, correlation_id, causation_id, traceparent FROM public.outbox"
             " ORDER BY seq DESC LIMIT 1")


def check_columns(server):
    """The arguments stand in columns, and in no header twice; before and behind the file they are
    members."""
    call = ("SELECT walferry.outbox_emit('order', '1', 'Paid', '{}', headers => %s, sequenced => true,"
            " correlation_id => %s, causation_id => %s, traceparent => %s)")
    headers = '{"a": 1, "correlation_id": "old", "traceparent": "kept"}'

    def emits(*arguments):
        server.sql(call, arguments)
        return server.sql(CAUSALITY)

    def members(number):
        server.sql(call, (headers, "c", "b", None))
        row = server.sql("SELECT headers FROM public.outbox ORDER BY seq DESC LIMIT 1")
        assert row == [({"a": 1, "aggregate_seq": number, "correlation_id": "c", "causation_id": "b",
                         "traceparent": "kept"},)], row

    with Sessions(server, 1) as (session,):  # one that has the function planned already
        planned = call.replace("%s", "NULL", 1) % ("'c'", "'b'", "'t'")
        session.sql(planned)
        members(2)
        apply(server, "012_causality.sql")
        session.sql(planned)
        assert server.sql(CAUSALITY) == [({"aggregate_seq": 3}, "c", "b", "t")]
        assert emits(headers, "c", "b", None) == \
            [({"a": 1, "aggregate_seq": 4, "traceparent": "kept"}, "c", "b", None)]
        assert emits(None, None, None, None) == [({"aggregate_seq": 5}, None, None, None)]
        assert emits("null", None, None, "t") == [({"aggregate_seq": 6}, None, None, "t")]
        server.sql("SELECT walferry.outbox_emit('order', '1', 'Paid', NULL, correlation_id => 'c')")
        assert server.sql(CAUSALITY) == [(None, "c", None, None)]
        apply(server, "006_emit.sql")
        assert emits(None, "c", None, None) == [({"aggregate_seq": 7}, "c", None, None)]
        apply(server, "012_causality.undo.sql")
        session.sql(planned)
        members(9)


@with_files("001_outbox", "006_emit")
def columns_of_causality(server):
    check_columns(server)


@with_files("001_outbox_partitioned", "006_emit")
def columns_of_causality_partitioned(server):
    check_columns(server)
    apply(server, "012_causality.sql")
    partition = server.sql("SELECT tableoid::regclass::text FROM public.outbox LIMIT 1")[0][0]
    assert server.sql("SELECT count(correlation_id) FROM public." + partition) == [(0,)]


@with_files("001_outbox", "006_emit")
def what_is_refused(server):
    """What would stop the relay, or lie about the number, fails where the application sees it."""
    for function in ("outbox_emit", "outbox_emit_message"):
        call = "SELECT walferry.%s('order', '1', 'Put', '{}', %%s)" % function
        for headers in ('[1]', '"a"', '{"": 1}', '{"aggregate_seq": 3}', '{"walferry-id": "x"}'):
            refused(server, call, "22023", parameters=(headers,))
        server.sql(call, ("null",))  # as good as none
        for missing in range(3):
            texts = ["NULL" if place == missing else "'x'" for place in range(3)]
            for numbered in ("false", "true") if missing < 2 else ("false",):
                code = "22004" if function == "outbox_emit_message" else "23502"
                refused(server, "SELECT walferry.%s(%s, '{}', sequenced => %s)" % (
                    function, ", ".join(texts), numbered), code)
    for prefix in ("walferry", "walferry:orders", "", None):
        refused(server, "SELECT walferry.outbox_emit_message('order', '1', 'Put', '{}', prefix => %s)",
                "22023", parameters=(prefix,))


@with_files("001_outbox", "006_emit")
def numbers_wait(server):
    """The second waits for the first: the next number after its commit, the same after its rollback,
    and also after a rollback to a savepoint. With a snapshot it is told to run again."""
    with Sessions(server, 2) as (a, b):
        for first in (False, True):  # whether the aggregate has a number already
            for level in LEVELS:
                for end in ("COMMIT", "ROLLBACK", "ROLLBACK TO s"):
                    server.sql("TRUNCATE public.outbox, walferry.outbox_sequence")
                    base = 1 if first else 0
                    if first:
                        server.sql(EMIT, ("k",))
                    a.begin()
                    a.sql("SAVEPOINT s")
                    b.begin(level)
                    assert a.sql(EMIT, ("k",)) == [(base + 1,)]
                    waiting = b.start(EMIT, ("k",)).waits()
                    a.sql(end)
                    if end == "COMMIT" and level != READ_COMMITTED:
                        waiting.fails("40001")
                        b.sql("ROLLBACK")
                        b.begin(level)
                        assert b.sql(EMIT, ("k",)) == [(base + 2,)]
                    else:
                        want = base + (2 if end == "COMMIT" else 1)
                        assert waiting.ends() == [(want,)], (first, level, end)
                    b.sql("COMMIT")
                    if end == "ROLLBACK TO s":  # the savepoint's lock is gone with it
                        assert a.sql(EMIT, ("k",)) == [(base + 2,)]
                        a.sql("COMMIT")
                    numbers = [number for _, number in events(server)]
                    assert numbers == list(range(1, len(numbers) + 1)), (first, level, end, numbers)
        a.begin()
        b.begin()
        assert a.sql(EMIT, ("other",)) == [(1,)]
        assert b.sql(EMIT, ("another",)) == [(1,)]  # aggregates do not wait for each other
        for session in (a, b):
            session.sql("COMMIT")


@with_files("001_outbox", "006_emit")
def a_deadlock(server):
    """Two aggregates in two orders: one transaction is ended, and runs again; no number is lost."""
    with Sessions(server, 2) as (a, b):
        for session, key in ((a, "x"), (b, "y")):
            session.begin()
            session.sql(EMIT, (key,))
        calls = {a: a.start(EMIT, ("y",)).waits(), b: b.start(EMIT, ("x",))}
        lost = []
        for session, call in calls.items():
            try:
                call.ends()
                session.sql("COMMIT")
            except psycopg2.Error as error:
                assert error.pgcode == "40P01", error
                session.sql("ROLLBACK")
                lost.append(session)
        assert len(lost) == 1, lost
        lost[0].begin()
        for key in ("x", "y"):
            lost[0].sql(EMIT, (key,))
        lost[0].sql("COMMIT")
    assert events(server) == [("x", 1), ("x", 2), ("y", 1), ("y", 2)]


def writer(number, connection, count, lock):
    """Transactions of one to three sorted aggregates; some roll back, wholly or to a savepoint."""
    dice = random.Random(number)
    level = LEVELS[number % 3]
    for _ in range(TRANSACTIONS):
        keys = sorted(dice.sample(range(AGGREGATES), dice.randint(1, AGGREGATES)))
        undo, whole = dice.random() < 0.3, dice.random() < 0.3
        while True:
            try:
                with connection.cursor() as cursor:
                    cursor.execute("BEGIN ISOLATION LEVEL " + level)
                    for key in keys:
                        if undo:
                            cursor.execute("SAVEPOINT s")
                            cursor.execute(EMIT, (str(key),))
                            cursor.execute("ROLLBACK TO s")
                        cursor.execute(EMIT, (str(key),))
                    cursor.execute("ROLLBACK" if whole else "COMMIT")
                break
            except psycopg2.Error as error:
                assert error.pgcode in AGAIN, error
                with lock:
                    count[error.pgcode] = count.get(error.pgcode, 0) + 1
                with connection.cursor() as cursor:
                    cursor.execute("ROLLBACK")
        with lock:
            count["events"] += 0 if whole else len(keys)


@with_files("001_outbox_partitioned", "006_emit")
def numbers_of_a_crowd(server):
    """32 writers with rollbacks at all levels: no number is missing, none is there twice, and the log
    has them in order."""
    server.sql("SELECT pg_create_logical_replication_slot('numbers', 'test_decoding')")
    count, lock = {"events": 0}, threading.Lock()
    crowd(server, WRITERS, lambda number, connection: writer(number, connection, count, lock))
    got = events(server)
    last = dict(server.sql("SELECT aggregate_id, last_seq FROM walferry.outbox_sequence"))
    assert len(last) == AGGREGATES
    assert got == [(key, number) for key in sorted(last) for number in range(1, last[key] + 1)]
    assert len(got) == count["events"] > WRITERS * TRANSACTIONS / 2, count
    assert count.get("40001", 0) > 0, count  # they did meet
    assert "40P01" not in count, count       # in one order nobody deadlocks
    logged = {}
    for (line,) in server.sql("SELECT data FROM pg_logical_slot_get_changes('numbers', NULL, NULL)"
                              " WHERE data LIKE 'table public.outbox%%'"):
        key = line.split("aggregateid[text]:'")[1].split("'")[0]
        number = int(line.split('"aggregate_seq": ')[1].split("}")[0].split(",")[0])
        assert number == logged.get(key, 0) + 1, (key, number, logged)
        logged[key] = number
    assert logged == last
    server.sql("SELECT pg_drop_replication_slot('numbers')")


@with_files("001_outbox", "006_emit")
def messages(server):
    """The content of messages; numbers run on over rows and messages; nothing that is rolled back."""
    server.sql("SELECT pg_create_logical_replication_slot('said', 'test_decoding')")
    say = "SELECT aggregate_seq FROM walferry.outbox_emit_message('order', 'k', 'Said', %s, {})"
    numbered = say.format("sequenced => true")
    plain = say.format("headers => '{\"a\": 1}', prefix => 'mine'")
    with Sessions(server, 1) as (a,):
        assert a.sql(EMIT, ("k",)) == [(1,)]
        a.begin()
        assert a.sql(numbered, ('{"b": 1,   "a": "x"}',)) == [(2,)]
        a.sql("SAVEPOINT s")
        assert a.sql(numbered, ('"lost"',)) == [(3,)]
        a.sql("ROLLBACK TO s")
        a.sql("SAVEPOINT s")
        assert a.sql(numbered, ('"text"',)) == [(3,)]
        a.sql("RELEASE s")
        assert a.sql(numbered, ("null",)) == [(4,)]
        assert a.sql(numbered, (None,)) == [(5,)]
        assert a.sql(plain, ("[1]",)) == [(None,)]
        a.sql("COMMIT")
        a.begin()
        a.sql(numbered, ('"rolled back"',))
        a.sql("ROLLBACK")
    lines = [line for (line,) in server.sql(
        "SELECT data FROM pg_logical_slot_get_changes('said', NULL, NULL)") if "prefix: " in line]
    assert all("transactional: 1" in line for line in lines), lines
    said = [json.loads(line.split(" content:")[1]) for line in lines]
    assert [one["payload"] for one in said] == [{"a": "x", "b": 1}, '"text"', "null", None, [1]], said
    assert [one["headers"] for one in said] == [{"aggregate_seq": n} for n in (2, 3, 4, 5)] + [{"a": 1}]
    assert ["prefix: mine" in line for line in lines] == [False] * 4 + [True], lines
    assert '"payload" : {"a": "x", "b": 1}' in lines[0], lines[0]  # as the column would have it
    for one in said:
        assert set(one) == {"id", "aggregatetype", "aggregateid", "type", "payload", "headers"}
    server.sql("SELECT pg_drop_replication_slot('said')")


@with_files("006_emit")
def without_an_outbox(server):
    """Messages need no table of events, numbered or not."""
    server.sql("SELECT walferry.outbox_emit_message('order', '1', 'Put', '{}', sequenced => true)")
    refused(server, "SELECT walferry.outbox_emit('order', '1', 'Put', '{}')", "42P01", "public.outbox")


@with_files("001_outbox", "006_emit")
def rights(server):
    """What the file's comment grants is needed, and is enough."""
    check_rights(server, "006_emit.sql", (
        "SELECT walferry.outbox_emit('order', '1', 'Put', '{}')",
        "SELECT walferry.outbox_emit('order', '1', 'Put', '{}', sequenced => true)",
        "SELECT walferry.outbox_emit('order', '1', 'Put', '{}', sequenced => true)",
        "SELECT walferry.outbox_emit_message('order', '1', 'Put', '{}')"))


TESTS = (a_row, a_row_partitioned, columns_of_causality, columns_of_causality_partitioned, what_is_refused, numbers_wait, a_deadlock, numbers_of_a_crowd,
         messages, without_an_outbox, rights)
