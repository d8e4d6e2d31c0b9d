"""A small shop that writes orders: the load of the end-to-end tests, and their truth.

Every event is written together with its row of e2e.truth in one PostgreSQL transaction, so that the
truth is exactly what has been committed, whatever happens to the client. Keys belong to one writer
each and n only rises, so n must rise per key in Kafka. A seed decides on everything but timing.
"""

import random
import threading
import time

import psycopg2

TRUTH = """
CREATE SCHEMA e2e;
CREATE TABLE e2e.truth (
    id    text PRIMARY KEY,
    topic text NOT NULL,                 -- without the test's prefix
    key   text,
    n     bigint NOT NULL,
    md5   text,                          -- of the value; 'null' for a tombstone, NULL: not compared
    xid   xid8 NOT NULL DEFAULT pg_current_xact_id());

-- rows events of one type, their keys prefix-0 to prefix-(keys-1) in turn, n from first.
CREATE FUNCTION e2e.put(type text, prefix text, keys int, first bigint, rows int, pad int)
RETURNS void LANGUAGE sql AS $$
    WITH r AS MATERIALIZED (
        SELECT gen_random_uuid() AS id, prefix || '-' || ((first + i) % keys) AS key, first + i AS n,
               jsonb_build_object('n', first + i, 'pad', repeat('x', pad)) AS payload
        FROM generate_series(0, rows - 1) AS i),
    o AS (INSERT INTO public.outbox (id, aggregatetype, aggregateid, type, payload)
          SELECT id, put.type, key, 'Put', payload FROM r ORDER BY n)
    INSERT INTO e2e.truth (id, topic, key, n, md5)
    SELECT id::text, put.type, key, n, md5(payload::text) FROM r
$$;

-- The same without a table: logical messages.
CREATE FUNCTION e2e.say(type text, prefix text, keys int, first bigint, rows int, pad int)
RETURNS void LANGUAGE sql AS $$
    WITH r AS MATERIALIZED (
        SELECT gen_random_uuid() AS id, prefix || '-' || ((first + i) % keys) AS key, first + i AS n
        FROM generate_series(0, rows - 1) AS i),
    m AS MATERIALIZED (
        SELECT pg_logical_emit_message(true, 'outbox', jsonb_build_object(
            'id', id, 'aggregatetype', say.type, 'aggregateid', key, 'type', 'Said',
            'payload', jsonb_build_object('n', n, 'pad', repeat('x', pad)))::text)
        FROM (SELECT * FROM r ORDER BY n) AS s),
    t AS (INSERT INTO e2e.truth (id, topic, key, n, md5)
          SELECT id::text, say.type, key, n, NULL FROM r)
    SELECT count(*) FROM m
$$;
"""


class Shop:
    """writers threads, each with a connection of its own.

    rows: least and most rows of a statement; statements: the same for statements of a transaction;
    rollback, savepoint, delete: how often (0 to 1) a transaction is rolled back, has a part that is
    rolled back to a savepoint, or deletes its rows before it commits; rate: transactions a second
    and writer; mode: put (outbox table) or say (logical messages); reconnect: survive the server.
    """

    def __init__(self, dsn, writers=2, rows=(1, 5), statements=(1, 3), keys=5,
                 types=("order", "customer"), rollback=0.1, savepoint=0.1, delete=0.1, rate=None,
                 pad=40, mode="put", seed=1, reconnect=False):
        self.dsn, self.rows, self.statements, self.keys = dsn, rows, statements, keys
        self.types, self.rollback, self.savepoint, self.delete = types, rollback, savepoint, delete
        self.rate, self.pad, self.mode, self.seed = rate, pad, mode, seed
        self.reconnect = reconnect
        self.writers = writers
        self.committed = 0
        self.rolled_back = 0
        self.error = None
        self._stop = threading.Event()
        self._threads = []
        self._lock = threading.Lock()

    def start(self, transactions=None):
        """Write until stop(), or that many transactions for each writer."""
        print("shop: seed %d" % self.seed, flush=True)
        for number in range(self.writers):
            thread = threading.Thread(target=self._write, args=(number, transactions), daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def run(self, transactions):
        """That many transactions for each writer, to the end."""
        return self.start(transactions).join()

    def join(self):
        for thread in self._threads:
            thread.join()
        self._threads = []
        if self.error is not None:
            raise self.error
        return self

    def stop(self):
        self._stop.set()
        return self.join()

    def _write(self, number, transactions):
        dice = random.Random(self.seed * 1000 + number)
        connection, n, done = None, 1, 0
        prefix = "s%dw%d" % (self.seed, number)
        while not self._stop.is_set() and (transactions is None or done < transactions):
            try:
                if connection is None:
                    connection = psycopg2.connect(self.dsn)
                n = self._transaction(connection, dice, prefix, n)
                done += 1
                if self.rate:
                    self._stop.wait(1.0 / self.rate)
            except psycopg2.Error as error:
                n += 1000000  # the transaction may have been committed: its n must not come again
                connection = None
                if not self.reconnect:
                    self.error = error
                    return
                time.sleep(0.05)
        if connection is not None:
            connection.close()

    def _transaction(self, connection, dice, prefix, n):
        with connection.cursor() as cursor:
            for _ in range(dice.randint(*self.statements)):
                if dice.random() < self.savepoint:
                    cursor.execute("SAVEPOINT s")
                    n = self._rows(cursor, dice, prefix, n)
                    cursor.execute("ROLLBACK TO s")
                n = self._rows(cursor, dice, prefix, n)
            if self.mode == "put" and dice.random() < self.delete:
                cursor.execute("DELETE FROM public.outbox WHERE xid = pg_current_xact_id()")
        if dice.random() < self.rollback:
            connection.rollback()
            with self._lock:
                self.rolled_back += 1
        else:
            connection.commit()
            with self._lock:
                self.committed += 1
        return n

    def _rows(self, cursor, dice, prefix, n):
        rows = dice.randint(*self.rows)
        cursor.execute("SELECT e2e.%s(%%s, %%s, %%s, %%s, %%s, %%s)" % self.mode,
                       (dice.choice(self.types), prefix, self.keys, n, rows, self.pad))
        return n + rows
