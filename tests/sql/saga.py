"""sql/010_saga.sql: every saga ends completed or with everything undone, whatever comes twice, late, at
once or never."""

import random
import time

import psycopg2

from sessions import (AGAIN, LEVELS, READ_COMMITTED, Sessions, check_functions, check_rights, crowd,
                      refused, with_files)

FUNCTIONS = ("saga_start", "saga_step_done", "saga_step_failed", "saga_compensate_next",
             "saga_step_overdue", "saga_lock", "saga_advance", "saga_clean")
ID = "00000000-0000-0000-0000-%012d"
STEPS = ["reserve", "pay", "ship"]
WORKERS, SAGAS = 16, 24


def start(server, n, steps=STEPS):
    return server.sql("SELECT * FROM walferry.saga_start(%s, 'order', %s)", (ID % n, steps))


def call(server, name, n, *arguments):
    """saga_<name> of saga n: (changed, state, action, next_step)."""
    places = ", ".join(["%s"] * (1 + len(arguments)))
    return server.sql("SELECT * FROM walferry.saga_%s(%s)" % (name, places), (ID % n, *arguments))


def steps(server, n):
    rows = server.sql("SELECT state FROM walferry.saga_step WHERE saga_id = %s ORDER BY position",
                      (ID % n,))
    return [state for (state,) in rows]


def overdue(server, n):
    server.sql("UPDATE walferry.saga_step SET due_at = now() - interval '1 second'"
               " WHERE saga_id = %s AND due_at IS NOT NULL", (ID % n,))


@with_files("010_saga")
def forward(server):
    """Step after step to the end; each call once more changes nothing and tells what is waited for."""
    check_functions(server, FUNCTIONS)
    assert start(server, 1) == [(True, "running", "do", "reserve")]
    assert start(server, 1) == [(False, "running", "do", "reserve")]
    assert call(server, "step_done", 1, "reserve", '{"place": 3}') == [(True, "running", "do", "pay")]
    assert call(server, "step_done", 1, "reserve", '{"place": 4}') == [(False, "running", "do", "pay")]
    assert call(server, "step_failed", 1, "reserve", "no") == [(False, "running", "do", "pay")]
    assert call(server, "step_done", 1, "pay") == [(True, "running", "do", "ship")]
    assert call(server, "step_done", 1, "ship") == [(True, "completed", None, None)]
    for name in ("step_done", "step_failed", "step_overdue"):
        assert call(server, name, 1, "ship") == [(False, "completed", None, None)], name
    assert call(server, "compensate_next", 1) == [(False, "completed", None, None)]
    assert start(server, 1) == [(False, "completed", None, None)]
    assert server.sql("SELECT result FROM walferry.saga_step WHERE name = 'reserve'") \
        == [({"place": 3},)]
    assert server.sql("SELECT ended_at IS NOT NULL FROM walferry.saga") == [(True,)]


@with_files("010_saga")
def backward(server):
    """What was done before the failure is undone, the last first; and a saga that is called off."""
    start(server, 1)
    call(server, "step_done", 1, "reserve")
    call(server, "step_done", 1, "pay")
    assert call(server, "step_failed", 1, "ship", "no van") == [(True, "compensating", "undo", "pay")]
    assert call(server, "step_failed", 1, "ship", "no") == [(False, "compensating", "undo", "pay")]
    assert call(server, "step_done", 1, "pay") == [(False, "compensating", "undo", "pay")]
    assert call(server, "compensate_next", 1) == [(False, "compensating", "undo", "pay")]
    refused_next(server, 1, "reserve")  # it is not its turn
    assert call(server, "compensate_next", 1, "pay") == [(True, "compensating", "undo", "reserve")]
    assert call(server, "compensate_next", 1, "pay") == [(False, "compensating", "undo", "reserve")]
    assert call(server, "compensate_next", 1, "reserve") == [(True, "compensated", None, None)]
    assert call(server, "compensate_next", 1, "reserve") == [(False, "compensated", None, None)]
    assert steps(server, 1) == ["compensated", "compensated", "failed"]
    assert server.sql("SELECT error FROM walferry.saga_step WHERE name = 'ship'") == [("no van",)]
    start(server, 2)  # the first step fails: nothing to undo
    assert call(server, "step_failed", 2, "reserve") == [(True, "compensated", None, None)]
    start(server, 3)  # called off: the step that runs is undone, too
    call(server, "step_done", 3, "reserve")
    assert call(server, "compensate_next", 3) == [(True, "compensating", "undo", "pay")]
    assert call(server, "step_done", 3, "pay") == [(False, "compensating", "undo", "pay")]
    assert call(server, "step_failed", 3, "pay") == [(False, "compensating", "undo", "pay")]
    assert call(server, "compensate_next", 3, "pay") == [(True, "compensating", "undo", "reserve")]


def refused_next(server, n, step):
    refused(server, "SELECT walferry.saga_compensate_next(%s, %s)", "WF005", parameters=(ID % n, step))


@with_files("010_saga")
def done_after_all(server):
    """A step that was called a failure and is done all the same is undone in its turn, or, where the
    saga has ended, at once."""
    start(server, 1)
    call(server, "step_done", 1, "reserve")
    assert call(server, "step_failed", 1, "pay") == [(True, "compensating", "undo", "reserve")]
    assert call(server, "step_done", 1, "pay") == [(False, "compensating", "undo", "reserve")]
    assert call(server, "compensate_next", 1, "reserve") == [(True, "compensating", "undo", "pay")]
    assert call(server, "compensate_next", 1, "pay") == [(True, "compensated", None, None)]
    start(server, 2)
    assert call(server, "step_failed", 2, "reserve") == [(True, "compensated", None, None)]
    assert call(server, "step_done", 2, "reserve") == [(True, "compensating", "undo", "reserve")]
    assert server.sql("SELECT ended_at FROM walferry.saga WHERE id = %s", (ID % 2,)) == [(None,)]
    assert call(server, "compensate_next", 2, "reserve") == [(True, "compensated", None, None)]


@with_files("010_saga")
def time_outs(server):
    """Seen in the view; sent again, given up, undone; an undo is repeated for ever."""
    view = "SELECT step, action, attempts FROM walferry.saga_overdue"
    start(server, 1)
    call(server, "step_done", 1, "reserve")
    assert server.sql(view) == []
    assert call(server, "step_overdue", 1, "pay") == [(False, "running", "do", "pay")]  # not yet
    for attempt in (1, 2):
        overdue(server, 1)
        assert server.sql(view) == [("pay", "do", attempt)]
        assert call(server, "step_overdue", 1, "pay", 3) == [(True, "running", "do", "pay")]
        assert server.sql(view) == []
        assert call(server, "step_overdue", 1, "pay", 3) == [(False, "running", "do", "pay")]
    overdue(server, 1)
    assert call(server, "step_overdue", 1, "pay", 3) == [(True, "compensating", "undo", "pay")]
    assert call(server, "step_done", 1, "pay") == [(False, "compensating", "undo", "pay")]  # too late
    for attempt in range(1, 6):
        overdue(server, 1)
        assert server.sql(view) == [("pay", "undo", attempt)]
        assert call(server, "step_overdue", 1, "pay", 3) == [(True, "compensating", "undo", "pay")]
    assert call(server, "compensate_next", 1, "pay") == [(True, "compensating", "undo", "reserve")]
    assert steps(server, 1) == ["compensating", "compensated", "waiting"]
    start(server, 2)  # an answer that comes in spite of the time-out counts
    overdue(server, 2)
    assert call(server, "step_done", 2, "reserve") == [(True, "running", "do", "pay")]
    assert call(server, "step_overdue", 2, "reserve") == [(False, "running", "do", "pay")]


@with_files("010_saga")
def what_is_refused(server):
    """Sagas and steps that are not there, steps that have not begun, an id of another saga."""
    for bad, code in (([], "22023"), (None, "22023"), (["a", None], "23502"), (["a", "a"], "23505")):
        refused(server, "SELECT walferry.saga_start(%s, 'order', %s::text[])", code,
                parameters=(ID % 9, bad))
    refused(server, "SELECT walferry.saga_start(%s, 'order', '{a}', step_timeout => '0')", "23514",
            parameters=(ID % 9,))
    start(server, 1)
    refused(server, "SELECT walferry.saga_start(%s, 'order', '{reserve,pay}')", "WF004",
            parameters=(ID % 1,))
    refused(server, "SELECT walferry.saga_start(%s, 'refund', '{reserve,pay,ship}')", "WF004",
            parameters=(ID % 1,))
    for name in ("step_done", "step_failed", "compensate_next", "step_overdue"):
        text = "SELECT walferry.saga_%s(%%s, %%s)" % name
        refused(server, text, "P0002", "there is no saga", (ID % 9, "pay"))
        refused(server, text, "P0002", "has no step", (ID % 1, "fly"))
        if name != "step_overdue":
            refused(server, text, "WF005", parameters=(ID % 1, "pay"))


@with_files("010_saga")
def calls_wait(server):
    """Two answers at once: one moves the saga, the other is told so; an answer and its time-out, too."""
    done = "SELECT changed, next_step FROM walferry.saga_step_done(%s, %s)"
    given_up = "SELECT changed, next_step FROM walferry.saga_step_overdue(%s, %s, 1)"
    n = 0
    with Sessions(server, 2) as (a, b):
        for level in LEVELS:
            for end in ("COMMIT", "ROLLBACK"):
                for second in (done, given_up):
                    n += 1
                    start(server, n)
                    overdue(server, n)
                    values = (ID % n, "reserve")
                    a.begin()
                    b.begin(level)
                    assert a.sql(done, values) == [(True, "pay")]
                    waiting = b.start(second, values).waits()
                    a.sql(end)
                    if end == "COMMIT" and level != READ_COMMITTED:
                        waiting.fails("40001")
                        b.sql("ROLLBACK")
                        b.begin(level)
                        assert b.sql(second, values) == [(False, "pay")]
                    elif end == "COMMIT":
                        assert waiting.ends() == [(False, "pay")], (level, second)
                    else:
                        want = "pay" if second == done else "reserve"
                        assert waiting.ends() == [(True, want)], (level, second)
                    b.sql("COMMIT")
        a.begin()
        a.sql("SELECT walferry.saga_start(%s, 'order', '{x}')", (ID % 99,))
        again = b.start("SELECT changed FROM walferry.saga_start(%s, 'order', '{x}')",
                        (ID % 99,)).waits()
        a.sql("COMMIT")
        assert again.ends() == [(False,)]


# Those who take part: a table of what they did and undid, and one of what was sent to them.
WORLD = """
    CREATE TABLE public.sent (n bigserial, saga_id uuid, action text, step text);
    CREATE TABLE public.effect (saga_id uuid, step text, done boolean DEFAULT false,
                                undone boolean DEFAULT false, PRIMARY KEY (saga_id, step))"""


def participate(cursor, saga_id, action, step):
    """Idempotent, as those who take part must be: the function that answers."""
    cursor.execute("INSERT INTO public.effect (saga_id, step) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                   (saga_id, step))
    if action == "undo":
        cursor.execute("UPDATE public.effect SET undone = true WHERE (saga_id, step) = (%s, %s)",
                       (saga_id, step))
        return "compensate_next"
    fails = hash((saga_id, step, "fails")) % 8 == 0
    cursor.execute("UPDATE public.effect SET done = true WHERE (saga_id, step) = (%s, %s)"
                   " AND NOT undone AND NOT %s RETURNING 1", (saga_id, step, fails))
    return "step_done" if cursor.fetchone() else "step_failed"


def event(cursor, dice):
    """Something happens: a command is answered, once more or for the first time, or times out."""
    if dice.random() < 0.4:
        cursor.execute("SELECT saga_id, 'overdue', step FROM walferry.saga_overdue"
                       " ORDER BY random() LIMIT 1")
    else:
        cursor.execute("SELECT saga_id, action, step FROM public.sent ORDER BY random() LIMIT 1")
    found = cursor.fetchone()
    if found is None:
        return
    saga_id, action, step = found
    name = "step_overdue" if action == "overdue" else participate(cursor, *found)
    cursor.execute("SELECT changed, action, next_step FROM walferry.saga_%s(%%s, %%s)" % name,
                   (saga_id, step))
    changed, action, next_step = cursor.fetchone()
    if changed and action is not None and dice.random() < 0.95:  # some commands get lost
        cursor.execute("INSERT INTO public.sent (saga_id, action, step) VALUES (%s, %s, %s)",
                       (saga_id, action, next_step))


def work(number, connection):
    dice, end = random.Random(number), time.monotonic() + 60
    while True:
        try:
            with connection.cursor() as cursor:
                cursor.execute("BEGIN ISOLATION LEVEL " + LEVELS[number % 3])
                event(cursor, dice)
                cursor.execute("SELECT count(*) FROM walferry.saga WHERE ended_at IS NULL")
                left = cursor.fetchone()[0]
                cursor.execute("ROLLBACK" if dice.random() < 0.1 else "COMMIT")
        except psycopg2.Error as error:
            assert error.pgcode in AGAIN, error
            with connection.cursor() as cursor:
                cursor.execute("ROLLBACK")
            continue
        if left == 0:
            return
        assert time.monotonic() < end, "%d sagas do not end" % left


@with_files("010_saga")
def a_crowd(server):
    """16 workers answer 24 sagas at random, twice, late and not at all: all end, and either everything
    is done and nothing undone, or what was done is undone."""
    server.sql(WORLD)
    for n in range(SAGAS):
        server.sql("WITH s AS (SELECT gen_random_uuid() AS id), b AS (SELECT s.id, a.* FROM s,"
                   " walferry.saga_start(s.id, 'order', %s, step_timeout => '30 ms') AS a)"
                   " INSERT INTO public.sent (saga_id, action, step)"
                   " SELECT id, action, next_step FROM b",
                   (STEPS + ["step %d" % i for i in range(n % 3)],))
    crowd(server, WORKERS, work)
    wrong = server.sql("""
        SELECT s.id, s.state, t.name, t.state, e.done, e.undone
        FROM walferry.saga s JOIN walferry.saga_step t ON t.saga_id = s.id
        LEFT JOIN public.effect e ON e.saga_id = s.id AND e.step = t.name
        WHERE CASE s.state WHEN 'completed' THEN t.state <> 'done' OR e.done IS NOT TRUE OR e.undone
                           WHEN 'compensated' THEN t.state NOT IN ('compensated', 'failed', 'waiting')
                                OR e.done AND NOT e.undone
                           ELSE true END""")
    assert not wrong, wrong
    ends = dict(server.sql("SELECT state, count(*) FROM walferry.saga GROUP BY 1"))
    assert set(ends) == {"completed", "compensated"} and sum(ends.values()) == SAGAS, ends
    server.sql("DROP TABLE public.sent, public.effect")


@with_files("010_saga")
def clean(server):
    """Only what has ended, in batches, with its steps; two at once take different sagas."""
    for n in range(5):
        start(server, n)
        call(server, "step_failed", n, "reserve")
    start(server, 5)
    text = "SELECT walferry.saga_clean(now() + interval '1 second', 2)"
    assert server.sql("SELECT walferry.saga_clean(now() - interval '1 hour')") == [(0,)]
    with Sessions(server, 2) as (a, b):
        a.begin()
        assert a.sql(text) == [(2,)]
        assert b.sql(text) == [(2,)]
        a.sql("COMMIT")
        assert [b.sql(text) for _ in range(2)] == [[(1,)], [(0,)]]
    assert server.sql("SELECT DISTINCT saga_id::text FROM walferry.saga_step") == [(ID % 5,)]


@with_files("010_saga")
def rights(server):
    """What the file's comment grants is needed, and is enough."""
    one = "'%s'" % (ID % 1)
    check_rights(server, "010_saga.sql", (
        "SELECT walferry.saga_start(%s, 'order', '{a,b,c}')" % one,
        "SELECT walferry.saga_step_done(%s, 'a')" % one,
        "SELECT * FROM walferry.saga_overdue",
        "SELECT walferry.saga_step_overdue(%s, 'b')" % one,
        "SELECT walferry.saga_step_failed(%s, 'b')" % one,
        "SELECT walferry.saga_compensate_next(%s, 'a')" % one,
        "SELECT walferry.saga_clean(now() + interval '1 second')"))


TESTS = (forward, backward, done_after_all, time_outs, what_is_refused, calls_wait, a_crowd, clean,
         rights)
