#!/usr/bin/python3
"""A service: takes messages from Kafka and hands each to handle() of its own database.

  service.py NAME CONNECTION BOOTSTRAP TOPIC...

One transaction holds the inbox, what handle() changes, and the messages that it sends (the outbox).
Only then is the offset committed, so that a message may come again and none is lost. NAME is the
consumer group and the name in the inbox. A database with a function each_second() has it called.
"""

import sys
import time

import confluent_kafka
import psycopg2

HANDLE = ("SELECT handle(%(type)s, %(key)s, %(data)s)"
          " WHERE walferry.inbox_accept(%(consumer)s, %(id)s)")


def main(name, connection, bootstrap, *topics):
    database = psycopg2.connect(connection)
    consumer = confluent_kafka.Consumer({
        "bootstrap.servers": bootstrap, "group.id": name, "isolation.level": "read_committed",
        "auto.offset.reset": "earliest", "enable.auto.commit": False,
        # A static member that was killed is itself again at once; others wait for its time-out.
        "group.instance.id": name})
    consumer.subscribe(list(topics))
    with database, database.cursor() as sql:
        sql.execute("SELECT to_regprocedure('each_second()') IS NOT NULL")
        has_job = sql.fetchone()[0]
    job_at = time.monotonic()
    while True:
        if has_job and time.monotonic() >= job_at:
            with database, database.cursor() as sql:
                sql.execute("SELECT each_second()")
            job_at = time.monotonic() + 1
        message = consumer.poll(0.2)
        if message is None:
            continue
        if message.error():
            if message.error().fatal():
                raise SystemExit(message.error().str())
            print(message.error().str(), file=sys.stderr, flush=True)
            continue
        headers = {header: value.decode() for header, value in message.headers()}
        with database, database.cursor() as sql:
            sql.execute("SELECT hears(%s, %s)", (headers["id"], headers.get("correlation_id")))
            sql.execute(HANDLE, {"consumer": name, "id": headers["id"], "type": headers["eventType"],
                                 "key": message.key().decode(), "data": message.value().decode()})
        consumer.commit(message, asynchronous=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
