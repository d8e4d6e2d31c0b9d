"""sql/008_inbox.sql: accepted once, by id and by number, whoever calls at the same time."""

import os
import random
import threading

import psycopg2

from sessions import (AGAIN, LEVELS, READ_COMMITTED, REPEATABLE_READ, ROOT, Sessions, check_functions,
                      check_rights, crowd, refused, with_files)

FUNCTIONS = ("inbox_accept", "inbox_accept_sequenced", "inbox_clean")
ACCEPT = "SELECT walferry.inbox_accept('billing', %s)"
NUMBER = "SELECT * FROM walferry.inbox_accept_sequenced('billing', 'order', %s, %s)"
ANYHOW = "SELECT * FROM walferry.inbox_accept_sequenced('billing', 'order', %s, %s, accept_gap => true)"
YES, AGO = [(True, None, None)], [(False, None, None)]
CONSUMERS, MESSAGES, KEYS = 32, 45, 3


@with_files("008_inbox")
def once(server):
    """One consumer accepts a message once, another one for itself; nothing for NULL."""
    check_functions(server, FUNCTIONS)
    assert server.sql(ACCEPT, ("m'\"1",)) == [(True,)]
    assert server.sql(ACCEPT, ("m'\"1",)) == [(False,)]
    assert server.sql("SELECT walferry.inbox_accept('stock', %s)", ("m'\"1",)) == [(True,)]
    refused(server, ACCEPT, "23502", parameters=(None,))
    refused(server, "SELECT walferry.inbox_accept(NULL, 'm')", "23502")


@with_files("008_inbox")
def a_second_call_waits(server):
    """And says false after a commit, true after a rollback or the rollback to a savepoint; with a
    snapshot it must run again to be told false."""
    count = 0
    with Sessions(server, 2) as (a, b):
        for level in LEVELS:
            for end in ("COMMIT", "ROLLBACK", "ROLLBACK TO s"):
                count += 1
                a.begin()
                a.sql("SAVEPOINT s")
                b.begin(level)
                assert a.sql(ACCEPT, ("m%d" % count,)) == [(True,)]
                waiting = b.start(ACCEPT, ("m%d" % count,)).waits()
                a.sql(end)
                if end != "COMMIT":
                    assert waiting.ends() == [(True,)], (level, end)
                elif level != READ_COMMITTED:
                    waiting.fails("40001")
                    b.sql("ROLLBACK")
                    b.begin(level)
                    assert b.sql(ACCEPT, ("m%d" % count,)) == [(False,)]
                else:
                    assert waiting.ends() == [(False,)]
                b.sql("COMMIT")
                a.sql("ROLLBACK")
        # Not at the same time, but behind the snapshot.
        b.begin(REPEATABLE_READ)
        a.sql(ACCEPT, ("behind",))
        b.fails(ACCEPT, "40001", parameters=("behind",))
        b.sql("ROLLBACK")


def consume(connection, dice, level, messages, accept, effect):
    """Each message in a transaction, as often as it takes; a third of the tries is rolled back."""
    for message in messages:
        while True:
            try:
                with connection.cursor() as cursor:
                    cursor.execute("BEGIN ISOLATION LEVEL " + level)
                    cursor.execute(accept, message)
                    row = cursor.fetchone()
                    if row[0]:
                        cursor.execute(effect, message)
                    undo = dice.random() < 0.3
                    cursor.execute("ROLLBACK" if undo else "COMMIT")
                hole = not row[0] and len(row) > 1 and row[1] is not None
                if not undo and not hole:
                    break
            except psycopg2.Error as error:
                assert error.pgcode in AGAIN, error
                with connection.cursor() as cursor:
                    cursor.execute("ROLLBACK")


@with_files("008_inbox")
def a_crowd(server):
    """32 consumers take the same messages at once, with rollbacks: each has one effect."""
    server.sql("CREATE TABLE public.effect (message text)")

    def work(number, connection):
        dice = random.Random(number)
        mine = [("m%d" % n,) for n in range(MESSAGES)]
        dice.shuffle(mine)
        consume(connection, dice, LEVELS[number % 3], mine, ACCEPT,
                "INSERT INTO public.effect VALUES (%s)")

    crowd(server, CONSUMERS, work)
    assert server.sql("SELECT count(*), count(DISTINCT message) FROM public.effect") \
        == [(MESSAGES, MESSAGES)]
    server.sql("DROP TABLE public.effect")


@with_files("008_inbox")
def numbers(server):
    """In order, once, holes told; a hole that was accepted is filled by what comes late, in parts."""
    def gaps():
        return server.sql("SELECT missing_from, missing_to FROM walferry.inbox_gap ORDER BY 1")
    for bad in (0, -1, None):
        refused(server, NUMBER, "22023", parameters=("k", bad))
    assert server.sql(NUMBER, ("k", 3)) == [(False, 1, 2)]
    assert server.sql(NUMBER, ("k", 1)) == YES
    assert server.sql(NUMBER, ("k", 1)) == AGO
    assert server.sql(NUMBER, ("other", 1)) == YES
    assert server.sql(NUMBER, ("k", 9)) == [(False, 2, 8)]
    assert server.sql(NUMBER, ("k", 9)) == [(False, 2, 8)]  # nothing was recorded
    assert gaps() == []
    assert server.sql(ANYHOW, ("k", 9)) == [(True, 2, 8)]
    assert server.sql(ANYHOW, ("k", 9)) == AGO
    assert gaps() == [(2, 8)]
    assert server.sql(NUMBER, ("k", 10)) == YES
    assert server.sql(NUMBER, ("k", 5)) == YES
    assert server.sql(NUMBER, ("k", 5)) == AGO
    assert gaps() == [(2, 4), (6, 8)]
    for number, left in ((2, [(3, 4), (6, 8)]), (8, [(3, 4), (6, 7)]), (3, [(4, 4), (6, 7)]),
                         (4, [(6, 7)]), (6, [(7, 7)]), (7, [])):
        assert server.sql(NUMBER, ("k", number)) == YES, number
        assert gaps() == left, number
    assert server.sql(NUMBER, ("k", 7)) == AGO
    server.sql("INSERT INTO walferry.inbox_sequence VALUES ('billing', 'order', 'middle', 56)")
    assert server.sql(NUMBER, ("middle", 57)) == YES


@with_files("008_inbox")
def numbers_wait(server):
    """The next number waits for the one before it: accepted after its commit, a hole after its
    rollback."""
    with Sessions(server, 2) as (a, b):
        for known in (False, True):
            for level in LEVELS:
                for end in ("COMMIT", "ROLLBACK"):
                    server.sql("TRUNCATE walferry.inbox_sequence")
                    base = 1 if known else 0
                    if known:
                        server.sql(NUMBER, ("k", 1))
                    a.begin()
                    b.begin(level)
                    assert a.sql(NUMBER, ("k", base + 1)) == YES
                    waiting = b.start(NUMBER, ("k", base + 2)).waits()
                    a.sql(end)
                    if end == "COMMIT" and level != READ_COMMITTED:
                        waiting.fails("40001")
                        b.sql("ROLLBACK")
                        b.begin(level)
                        assert b.sql(NUMBER, ("k", base + 2)) == YES
                    elif end == "COMMIT":
                        assert waiting.ends() == YES, (known, level)
                    else:
                        assert waiting.ends() == [(False, base + 1, base + 1)], (known, level)
                    b.sql("COMMIT")


@with_files("008_inbox")
def numbers_of_a_crowd(server):
    """32 consumers take the same numbered events: each has one effect, and they are in order."""
    server.sql("CREATE TABLE public.effect (id bigserial, key text, n bigint)")
    lock, held = threading.Lock(), []

    def work(number, connection):
        dice = random.Random(number)
        mine = [(str(key), n) for n in range(1, MESSAGES // KEYS + 1) for key in range(KEYS)]
        consume(connection, dice, LEVELS[number % 3], mine, NUMBER,
                "INSERT INTO public.effect (key, n) VALUES (%s, %s)")
        with lock:
            held.append(number)

    crowd(server, CONSUMERS, work)
    assert len(held) == CONSUMERS
    want = list(range(1, MESSAGES // KEYS + 1))
    for key in range(KEYS):
        got = server.sql("SELECT n FROM public.effect WHERE key = %s ORDER BY id", (str(key),))
        assert [n for (n,) in got] == want, (key, got)
    assert server.sql("SELECT count(*) FROM walferry.inbox_gap") == [(0,)]
    server.sql("DROP TABLE public.effect")


@with_files("008_inbox")
def clean(server):
    """In batches, only what is old, and two at once take different rows; a message that is accepted
    while its row goes is new again."""
    server.sql("INSERT INTO public.inbox SELECT 'billing', 'old' || i, now() - interval '9 days'"
               " FROM generate_series(1, 25) AS i")
    server.sql(ACCEPT, ("young",))
    call = "SELECT walferry.inbox_clean(now() - interval '8 days', 10)"
    with Sessions(server, 3) as (a, b, c):
        a.begin()
        assert a.sql(call) == [(10,)]
        assert b.sql(call) == [(10,)]
        gone = b.sql("SELECT message_id FROM public.inbox WHERE message_id LIKE 'old%'")
        taken = a.sql("SELECT message_id FROM public.inbox WHERE message_id LIKE 'old%'")
        mine = sorted(set(gone) - set(taken))
        assert len(mine) == 10, (gone, taken)
        waiting = c.start(ACCEPT, mine[0]).waits()
        a.sql("COMMIT")
        assert waiting.ends() == [(True,)]
    assert [server.sql(call) for _ in range(2)] == [[(5,)], [(0,)]]
    assert server.sql("SELECT message_id FROM public.inbox ORDER BY 1") == sorted([mine[0], ("young",)])


def another_inbox(server):
    """A table of that name which is not ours is neither used nor dropped."""
    server.sql("CREATE TABLE public.inbox (id int)")
    path = os.path.join(ROOT, "sql", "008_inbox.sql")
    code, output = server.psql("-f", path)
    assert code != 0 and "public.inbox exists and is another table" in output, output
    code, output = server.psql("-f", path.replace(".sql", ".undo.sql"))
    assert code == 0, output
    server.sql("DROP TABLE public.inbox")


@with_files("008_inbox")
def rights(server):
    """What the file's comment grants is needed, and is enough."""
    check_rights(server, "008_inbox.sql", (
        "SELECT walferry.inbox_accept('billing', 'm')", "SELECT walferry.inbox_accept('billing', 'm')",
        "SELECT walferry.inbox_accept_sequenced('billing', 'order', '1', 3, true)",
        "SELECT walferry.inbox_accept_sequenced('billing', 'order', '1', 2)",
        "SELECT walferry.inbox_accept_sequenced('billing', 'order', '1', 4)",
        "SELECT walferry.inbox_clean(now())"))


TESTS = (once, a_second_call_waits, a_crowd, numbers, numbers_wait, numbers_of_a_crowd, clean,
         another_inbox, rights)
