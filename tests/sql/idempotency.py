"""sql/009_idempotency.sql: a request that comes again gets the first answer, whoever asks at the same
time."""

import random

import psycopg2

from sessions import (AGAIN, LEVELS, READ_COMMITTED, Sessions, check_functions, check_rights, crowd,
                      refused, with_files)

FUNCTIONS = ("idempotency_begin", "idempotency_finish", "idempotency_abandon", "idempotency_clean")
BEGIN = "SELECT outcome, token::text, response FROM walferry.idempotency_begin('pay', %s, %s)"
FINISH = "SELECT walferry.idempotency_finish('pay', %s, %s, %s)"
ABANDON = "SELECT walferry.idempotency_abandon('pay', %s, %s)"
PAST = "UPDATE walferry.idempotency SET {} = now() - interval '1 second' WHERE key = '{}'"
HASH, OTHER = b"\x01", b"\x02"
HANDLERS, REQUESTS = 32, 20


def started(rows):
    """The token of an answer that says so."""
    assert rows[0][0] == "started" and rows[0][1] and rows[0][2] is None, rows
    return rows[0][1]


@with_files("009_idempotency")
def once(server):
    """Started, done with the stored response; another request under the key is refused."""
    check_functions(server, FUNCTIONS)
    token = started(server.sql(BEGIN, ("k'\"", HASH)))
    server.sql(FINISH, ("k'\"", token, '{"status": 201}'))
    assert server.sql(BEGIN, ("k'\"", HASH)) == [("done", None, {"status": 201})]
    refused(server, BEGIN, "WF002", "another request", ("k'\"", OTHER))
    refused(server, FINISH, "WF003", parameters=("k'\"", token, '{"status": 500}'))
    assert server.sql(ABANDON, ("k'\"", token)) == [(False,)]
    assert server.sql(BEGIN, ("k'\"", HASH)) == [("done", None, {"status": 201})]
    started(server.sql(BEGIN.replace("'pay'", "'refund'"), ("k'\"", OTHER)))
    for missing in ((None, HASH), ("k2", None)):
        refused(server, BEGIN, "23502", parameters=missing)
    refused(server, FINISH, "WF003", parameters=("nobody's", token, None))
    token = started(server.sql(BEGIN, ("null", HASH)))  # a response may be NULL
    server.sql(FINISH, ("null", token, None))
    assert server.sql(BEGIN, ("null", HASH)) == [("done", None, None)]


@with_files("009_idempotency")
def a_second_request_waits(server):
    """And is told done after a commit, started after a rollback; with a snapshot it must run again to
    be told done; another request is refused then, and a wait can be bounded."""
    count = 0
    with Sessions(server, 2) as (a, b):
        for level in LEVELS:
            for end in ("COMMIT", "ROLLBACK"):
                count += 1
                key = "k%d" % count
                a.begin()
                b.begin(level)
                token = started(a.sql(BEGIN, (key, HASH)))
                waiting = b.start(BEGIN, (key, HASH)).waits()
                a.sql(FINISH, (key, token, '{"n": %d}' % count))
                a.sql(end)
                if end == "ROLLBACK":
                    assert started(waiting.ends()) != token
                elif level != READ_COMMITTED:
                    waiting.fails("40001")
                    b.sql("ROLLBACK")
                    b.begin(level)
                    assert b.sql(BEGIN, (key, HASH)) == [("done", None, {"n": count})]
                else:
                    assert waiting.ends() == [("done", None, {"n": count})]
                b.sql("COMMIT")
        a.begin()
        b.begin()
        token = started(a.sql(BEGIN, ("other", HASH)))
        waiting = b.start(BEGIN, ("other", OTHER)).waits()
        a.sql(FINISH, ("other", token, "1"))
        a.sql("COMMIT")
        waiting.fails("WF002")
        b.sql("ROLLBACK")
        a.begin()
        a.sql(BEGIN, ("bounded", HASH))
        b.sql("SET lock_timeout = '50ms'")
        b.fails(BEGIN, "55P03", parameters=("bounded", HASH))
        a.sql("ROLLBACK")


@with_files("009_idempotency")
def committed_between(server):
    """Whoever commits behind begin is seen running until its lease is over; then the key is lost."""
    first = started(server.sql(BEGIN, ("k", HASH)))
    assert server.sql(BEGIN, ("k", HASH)) == [("running", None, None)]
    refused(server, BEGIN, "WF002", parameters=("k", OTHER))
    server.sql(PAST.format("lease_until", "k"))
    refused(server, BEGIN, "WF002", parameters=("k", OTHER))
    second = started(server.sql(BEGIN, ("k", HASH)))
    assert second != first
    refused(server, FINISH, "WF003", "not in the hands", ("k", first, "1"))
    assert server.sql(ABANDON, ("k", first)) == [(False,)]
    assert server.sql(BEGIN, ("k", HASH)) == [("running", None, None)]
    assert server.sql(ABANDON, ("k", second)) == [(True,)]
    third = started(server.sql(BEGIN, ("k", OTHER)))  # it is free again, for any request
    refused(server, FINISH, "WF003", parameters=("k", second, "1"))
    server.sql(FINISH, ("k", third, "3"))
    assert server.sql(BEGIN, ("k", OTHER)) == [("done", None, 3)]
    with Sessions(server, 2) as (a, b):  # two that find the lease over: one of them begins
        started(a.sql(BEGIN, ("two", HASH)))
        server.sql(PAST.format("lease_until", "two"))
        a.begin()
        started(a.sql(BEGIN, ("two", HASH)))
        waiting = b.start(BEGIN, ("two", HASH)).waits()
        a.sql("COMMIT")
        assert waiting.ends() == [("running", None, None)]


@with_files("009_idempotency")
def expiry(server):
    """What has expired is new, for any request; a handler that is alive keeps its key. Clean-up takes
    batches, and two at once take different rows."""
    token = started(server.sql(BEGIN, ("old", HASH)))
    server.sql(FINISH, ("old", token, "1"))
    server.sql(PAST.format("expires_at", "old"))
    fresh = started(server.sql(BEGIN, ("old", OTHER)))
    assert server.sql("SELECT response IS NULL AND NOT done FROM walferry.idempotency") == [(True,)]
    server.sql(PAST.format("expires_at", "old"))
    assert server.sql(BEGIN, ("old", OTHER)) == [("running", None, None)]
    assert server.sql("SELECT walferry.idempotency_clean()") == [(0,)]
    server.sql(FINISH, ("old", fresh, "2"))
    for n in range(25):
        key = "dead%d" % n
        started(server.sql(BEGIN, (key, HASH)))
    server.sql("UPDATE walferry.idempotency SET expires_at = '-infinity', lease_until = '-infinity'"
               " WHERE key LIKE 'dead%'")
    started(server.sql(BEGIN, ("alive", HASH)))
    clean = "SELECT walferry.idempotency_clean(10)"
    with Sessions(server, 2) as (a, b):
        a.begin()
        assert a.sql(clean) == [(10,)]
        assert b.sql(clean) == [(10,)]
        a.sql("COMMIT")
        assert [b.sql(clean) for _ in range(2)] == [[(6,)], [(0,)]]  # five, and old
    assert server.sql("SELECT key FROM walferry.idempotency") == [("alive",)]


def one_transaction(cursor, dice, key):
    """The whole of a handler; None where it is to be tried again."""
    cursor.execute(BEGIN, (key, HASH))
    outcome, token, response = cursor.fetchone()
    if outcome == "started":
        cursor.execute("INSERT INTO public.effect VALUES (%s) RETURNING ctid::text", (key,))
        response = {"of": token}
        cursor.execute(FINISH, (key, token, '{"of": "%s"}' % token))
    assert outcome in ("started", "done"), outcome
    if dice.random() < 0.3:
        cursor.execute("ROLLBACK")
        return None
    cursor.execute("COMMIT")
    return response


def two_transactions(cursor, dice, key):
    """The same with a commit in between, behind which some die, or come back when it is too late."""
    cursor.execute(BEGIN.replace("%s)", "%s, lease => '20 ms')"), (key, HASH))
    outcome, token, response = cursor.fetchone()
    cursor.execute("COMMIT")
    if outcome != "started":
        return response
    die = dice.random()
    if die < 0.2:
        return None
    if die < 0.5:
        cursor.execute("SELECT pg_sleep(0.03)")
    cursor.execute("BEGIN")
    cursor.execute("INSERT INTO public.effect VALUES (%s)", (key,))
    cursor.execute(FINISH, (key, token, '{"of": "%s"}' % token))
    cursor.execute("COMMIT")
    return {"of": token}


def handlers(server, handle, requests):
    """All of them handle all requests until each has its answer; effects and answers are compared."""
    server.sql("CREATE TABLE public.effect (key text)")
    answers = [{} for _ in range(HANDLERS)]

    def work(number, connection):
        dice = random.Random(number)
        keys = ["k%d" % n for n in range(requests)]
        dice.shuffle(keys)
        for key in keys:
            while answers[number].get(key) is None:
                try:
                    with connection.cursor() as cursor:
                        cursor.execute("BEGIN ISOLATION LEVEL " + LEVELS[number % 3])
                        answers[number][key] = handle(cursor, dice, key)
                except psycopg2.Error as error:
                    assert error.pgcode in AGAIN + ("WF003",), error
                    with connection.cursor() as cursor:
                        cursor.execute("ROLLBACK")

    crowd(server, HANDLERS, work)
    assert all(one == answers[0] for one in answers)
    assert server.sql("SELECT count(*), count(DISTINCT key) FROM public.effect") \
        == [(requests, requests)]
    server.sql("DROP TABLE public.effect")


@with_files("009_idempotency")
def a_crowd(server):
    """32 handlers get the same requests at once, with rollbacks: one effect each, one answer for all."""
    handlers(server, one_transaction, REQUESTS)


@with_files("009_idempotency")
def a_crowd_that_dies(server):
    """The same where handlers die behind begin, or are taken for dead: still one effect each."""
    handlers(server, two_transactions, REQUESTS // 2)


@with_files("009_idempotency")
def rights(server):
    """What the file's comment grants is needed, and is enough."""
    begin = "SELECT walferry.idempotency_begin('pay', 'k', '\\x01')"
    token = "(SELECT token FROM walferry.idempotency)"
    check_rights(server, "009_idempotency.sql", (
        begin, begin, "SELECT walferry.idempotency_abandon('pay', 'k', %s)" % token, begin,
        "SELECT walferry.idempotency_finish('pay', 'k', %s, '1')" % token,
        "SELECT walferry.idempotency_clean()"))


TESTS = (once, a_second_request_waits, committed_between, expiry, a_crowd, a_crowd_that_dies, rights)
