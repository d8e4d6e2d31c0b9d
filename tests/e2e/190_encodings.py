"""Databases that are not in UTF-8: what is no UTF-8 is one row with an id, a reason and a way past it;
what can be made UTF-8 is, in rows and in logical messages alike; bytes go out where the route says so.

A user's database of SQL_ASCII held one row with a LATIN1 letter. The server, asked for UTF-8, ended the
stream there, and nothing but a rebase with loss went past it. A message of a LATIN1 database ended its
relay, because the server converts all of the stream but that."""

import e2e

MESSAGE = "SELECT pg_logical_emit_message(true, 'said', %s)"


def database(case, encoding):
    """The case's database, made anew in another encoding."""
    case._connection.close()
    case._connection = None
    case.pg.sql('DROP DATABASE "%s"' % case.db)
    case.pg.sql("CREATE DATABASE \"%s\" ENCODING '%s' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
                % (case.db, encoding))
    case.apply("001_outbox.sql")
    # Bytes are what they are: psycopg2 would make text of them.
    case.sql("SET client_encoding = 'SQL_ASCII'; ALTER TABLE public.outbox ALTER payload TYPE text")


def insert(case, aggregate, payload, type="order", event="Put"):
    """Bytes into the columns, as an application of that encoding would."""
    case.sql("SET client_encoding = 'SQL_ASCII'")
    connection = case._connection
    with connection.cursor() as cursor:
        cursor.execute(b"INSERT INTO public.outbox (aggregatetype, aggregateid, type, payload) VALUES "
                       b"('%s', '%s', '%s', '%s')" % (type.encode(), aggregate, event.encode(), payload))


def say(case, content):
    with case._connection.cursor() as cursor:
        cursor.execute(b"SELECT pg_logical_emit_message(true, 'said', '%s')" % content)


def values(case, count, topic="order", timeout=30):
    """The values of the topic, in bytes, once there are so many."""
    def look():
        topics = e2e.oracle.topics_like(case.kafka.bootstrap, case.prefix + topic)
        events = e2e.oracle.read_topics(case.kafka.bootstrap, topics) if topics else []
        return events if len(events) >= count else None
    events = e2e.wait("%d events in %s" % (count, topic), look, timeout, interval=0.3)
    assert len(events) == count, events
    return {event.key: event.value for event in events}


def route(case, **more):
    return {"routes": [dict(case.config()["routes"][0], **more)]}


with e2e.Case(label="_ascii") as case:
    database(case, "SQL_ASCII")
    relay = case.relay(route(case))
    text = case.command(relay, "check", "--connect", code=1, says="encoding SQL_ASCII: .*value_encoding")
    case.setup(relay)
    case.start(relay)
    # What is UTF-8 already goes out as it is.
    insert(case, b"utf8", "café ☃".encode())
    assert values(case, 1) == {b"utf8": "café ☃".encode()}
    # A value that is not: the relay ends, names it, and what it prints goes past it.
    insert(case, b"1", b"caf\xe9")
    insert(case, b"2", b"later")
    assert relay.wait(30) == 5, relay.log_text()
    log = relay.log_text()
    assert "reason=not_utf8" in log and "0xe9" in log and "value_encoding: bytes" in log, log
    case.mend(relay, log)
    case.start(relay)
    assert values(case, 2)[b"2"] == b"later"
    case.stop(relay)
    # Or the route sends bytes; and then only of the value.
    relay = case.relay(route(case, value_encoding="bytes", on_error="skip"))
    text = case.command(relay, "check", "--connect", says="encoding SQL_ASCII")
    case.start(relay)
    insert(case, b"3", b"caf\xe9")
    assert values(case, 3)[b"3"] == b"caf\xe9"
    insert(case, b"caf\xe9", b"key")
    with case._connection.cursor() as cursor:
        cursor.execute(b"INSERT INTO public.outbox (aggregatetype, aggregateid, type, payload) VALUES "
                       b"('caf\xe9', 'topic', 'Put', 'x'), ('order', 'header', 'caf\xe9', 'x')")
    insert(case, b"5", b"behind")
    assert values(case, 4)[b"5"] == b"behind"
    skipped = relay.events("event.skipped")
    assert len(skipped) == 3 and all("reason=not_utf8" in line for line in skipped), skipped
    # Names that are no UTF-8 stand in the way of nothing.
    with case._connection.cursor() as cursor:
        cursor.execute(b'CREATE TABLE public."caf\xe9" (a int); INSERT INTO public."caf\xe9" VALUES (1)')
    case.stop(relay)
    case.command(relay, "check", "--connect")
    case.command(relay, "setup")
    case.start(relay)
    insert(case, b"6", b"after")
    assert values(case, 5)[b"6"] == b"after"
    case.stop(relay)

# A glob over such a table: its name cannot be a topic, and that is one change.
with e2e.Case(label="_names") as case:
    database(case, "SQL_ASCII")
    with case._connection.cursor() as cursor:
        cursor.execute(b'CREATE TABLE public."box\xe9" (LIKE public.outbox INCLUDING ALL)')
    relay = case.relay({"routes": [dict(case.config()["routes"][0], **{
        "from": "public.*box*", "key": "{@table}", "on_error": "skip"})]})
    case.setup(relay)
    case.start(relay)
    with case._connection.cursor() as cursor:
        cursor.execute(b"INSERT INTO public.\"box\xe9\" (aggregatetype, aggregateid, type, payload)"
                       b" VALUES ('order', '1', 'Put', 'x')")
    insert(case, b"2", b"behind")
    assert values(case, 1) == {b"outbox": b"behind"}
    assert "reason=not_utf8" in relay.wait_log("event.skipped")
    case.stop(relay)
    case.command(relay, "status", code=1)

with e2e.Case(label="_latin1") as case:
    database(case, "LATIN1")
    said = {"name": "said", "from": "message:said", "topic": case.prefix + "said"}
    both = {"routes": [case.config()["routes"][0], said]}
    relay = case.relay(e2e.merge(both, {"source": {"publication": "caf\u00e9_" + case.name[-6:]}}))
    case.command(relay, "setup")
    case.command(relay, "check", "--connect", says="encoding LATIN1, made UTF-8")
    case.start(relay)
    insert(case, b"caf\xe9", b"Stra\xdfe")
    say(case, b'{"id": 1, "aggregateid": "gr\xfcn", "type": "t", "payload": "Stra\xdfe"}')
    say(case, b'{"id": 2, "aggregateid": "plain", "type": "t", "payload": {"a": "\xe9"}}')
    assert values(case, 1) == {"café".encode(): "Straße".encode()}
    assert values(case, 2, "said") == {"grün".encode(): "Straße".encode(),
                                       b"plain": '{"a": "é"}'.encode()}
    case.stop(relay)
    # The bytes of the database, where the route says so.
    relay.config["routes"][0]["value_encoding"] = "bytes"
    case.start(relay)
    insert(case, b"\xe9", b"Stra\xdfe")
    assert values(case, 2)["é".encode()] == b"Stra\xdfe"
    case.stop(relay)
    # A message is JSON, and that is UTF-8.
    relay.config["routes"][1]["value_encoding"] = "bytes"
    case.command(relay, "check", code=2, says="bytes is for tables")

# Bytes without a character: one row, not the stream.
with e2e.Case(label="_win1252") as case:
    database(case, "WIN1252")
    relay = case.relay(route(case, on_error="skip"))
    case.setup(relay)
    case.start(relay)
    insert(case, b"euro", b"\x80 \x92")
    insert(case, b"none", b"\x81")
    insert(case, b"behind", b"later")
    assert values(case, 2) == {b"euro": "€ ’".encode(), b"behind": b"later"}
    assert "reason=not_utf8" in relay.wait_log("event.skipped")
    case.stop(relay)

# An encoding that only the server reads: rows are converted, a message that is not ASCII is refused.
with e2e.Case(label="_euc") as case:
    database(case, "EUC_JP")
    said = {"name": "said", "from": "message:said", "topic": case.prefix + "said", "on_error": "skip"}
    relay = case.relay({"routes": [case.config()["routes"][0], said]})
    case.setup(relay)
    case.start(relay)
    insert(case, b"1", "日本".encode("euc_jp"))
    say(case, b'{"id": 1, "aggregateid": "a", "type": "t", "payload": "%s"}' % "日本".encode("euc_jp"))
    say(case, b'{"id": 2, "aggregateid": "b", "type": "t", "payload": "plain"}')
    assert values(case, 1) == {b"1": "日本".encode()}
    assert values(case, 1, "said") == {b"b": b"plain"}
    assert "reason=not_utf8" in relay.wait_log("event.skipped")
    case.stop(relay)
