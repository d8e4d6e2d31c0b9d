"""Several sessions of one server at once: a step in each, waits that are seen, crowds of threads."""

import functools
import os
import queue
import re
import threading

import psycopg2

from lab import process

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
AGAIN = ("40001", "40P01")  # the transaction must be run again
READ_COMMITTED, REPEATABLE_READ = "READ COMMITTED", "REPEATABLE READ"
LEVELS = (READ_COMMITTED, REPEATABLE_READ, "SERIALIZABLE")

FORGET = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid();
    DROP SCHEMA IF EXISTS walferry CASCADE;
    DROP TABLE IF EXISTS public.outbox, public.inbox, public.effect, public.sent CASCADE;
    SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"""


def apply(server, *names, times=2):
    """Apply the files that often; whatever psql prints is a warning or an error, and none is
    expected."""
    files = [part for name in names * times for part in ("-f", os.path.join(ROOT, "sql", name))]
    code, output = server.psql("-o", "/dev/null", *files)
    assert code == 0 and output == "", "%s: code %d: %s" % (", ".join(names), code, output)


def with_files(*names):
    """The test runs with these applied, and they are undone behind it."""
    def wrap(test):
        @functools.wraps(test)
        def run(server):
            apply(server, *(name + ".sql" for name in names), times=1)
            try:
                test(server)
            except Exception:
                server.sql(FORGET)  # so that the tests behind it tell of themselves
                raise
            apply(server, *(name + ".undo.sql" for name in reversed(names)), times=1)
        return run
    return wrap


class Call:
    """A statement that another session runs."""

    def __init__(self, session, text, parameters):
        self.session, self.text, self.parameters = session, text, parameters
        self.rows, self.error, self._ended = None, None, threading.Event()

    def run(self, cursor):
        try:
            cursor.execute(self.text, self.parameters)
            self.rows = cursor.fetchall() if cursor.description else None
        except psycopg2.Error as error:
            self.error = error
        self._ended.set()

    def waits(self):
        """It is blocked by another session, now."""
        pid = self.session.connection.info.backend_pid
        with self.session.server.connect() as other, other.cursor() as cursor:
            def blocked():
                assert not self._ended.is_set(), "does not wait: %s: %s" % (self.text, self.rows)
                cursor.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", (pid,))
                return cursor.fetchone()[0]
            process.wait_for("%s does not wait" % self.text, blocked, 20, interval=0.005)
        other.close()
        return self

    def ends(self):
        assert self._ended.wait(20), "does not end: %s" % self.text
        if self.error is not None:
            raise self.error
        return self.rows

    def fails(self, *codes):
        assert self._ended.wait(20), "does not end: %s" % self.text
        assert self.error is not None, "does not fail: %s" % self.text
        assert self.error.pgcode in codes, (self.error.pgcode, self.error)


class Session:
    """A connection and the thread that uses it."""

    def __init__(self, server, user="postgres"):
        self.server = server
        self.connection = server.connect(user=user)
        self._calls = queue.Queue()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with self.connection.cursor() as cursor:
            while (call := self._calls.get()) is not None:
                call.run(cursor)

    def start(self, text, parameters=None):
        call = Call(self, text, parameters)
        self._calls.put(call)
        return call

    def sql(self, text, parameters=None):
        return self.start(text, parameters).ends()

    def fails(self, text, *codes, parameters=None):
        self.start(text, parameters).fails(*codes)

    def begin(self, level=READ_COMMITTED):
        """A transaction with its snapshot taken, where the level keeps one."""
        self.sql("BEGIN ISOLATION LEVEL " + level)
        self.sql("SELECT 1 FROM pg_catalog.pg_class LIMIT 1")

    def close(self):
        self._calls.put(None)


class Sessions:
    """with Sessions(server, 2) as (a, b):"""

    def __init__(self, server, count):
        self.all = [Session(server) for _ in range(count)]

    def __enter__(self):
        return self.all

    def __exit__(self, *_):
        for session in self.all:
            session.close()
            session.connection.close()


def crowd(server, count, work):
    """work(number, connection) in that many threads at once; the first error is raised."""
    errors, start = [], threading.Barrier(count)

    def one(number):
        try:
            connection = server.connect()
            start.wait(30)
            work(number, connection)
            connection.close()
        except BaseException as error:  # raised below, in the thread that waits
            errors.append(error)
            start.abort()

    threads = [threading.Thread(target=one, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive(), "a thread does not end"
    if errors:
        raise errors[0]


def refused(server, text, code, says="", parameters=None, user="postgres"):
    """A statement that fails with this SQLSTATE."""
    try:
        server.sql(text, parameters, user=user)
    except psycopg2.Error as error:
        assert error.pgcode == code, "%s: %s: %s" % (text, error.pgcode, error)
        assert says in str(error), "%s: %s" % (text, error)
    else:
        raise AssertionError("not refused: %s" % text)


def grants(name):
    """The GRANTs that a file's comment names: [statement]."""
    with open(os.path.join(ROOT, "sql", name)) as file:
        head = file.read().split("BEGIN;")[0]
    text = re.sub(r"\n-- *", " ", head)
    found = [re.sub(r"TO your_\w+", "TO app", one) for one in re.findall(r"GRANT [^;]*;", text)]
    assert found and all(" TO app" in one for one in found), found
    return found


def check_rights(server, name, allowed):
    """Before the GRANTs that the file names a role may do none of these, and afterwards all."""
    server.sql("CREATE ROLE app LOGIN")
    try:
        for text in allowed:
            refused(server, text, "42501", user="app")
        for text in grants(name):
            server.sql(text)
        for text in allowed:
            server.sql(text, user="app")
    finally:
        server.sql("DROP OWNED BY app; DROP ROLE app")


def check_functions(server, names):
    """Each is there, with a pinned search_path, the caller's rights, and nothing for PUBLIC."""
    rows = server.sql(
        "SELECT proname::text, proconfig, prosecdef, has_function_privilege('public', oid, 'EXECUTE')"
        " FROM pg_proc WHERE pronamespace = 'walferry'::regnamespace AND proname = ANY(%s)",
        (list(names),))
    assert sorted(row[0] for row in rows) == sorted(names), rows
    for row in rows:
        assert row[1:] == (["search_path=pg_catalog, pg_temp"], False, False), row
