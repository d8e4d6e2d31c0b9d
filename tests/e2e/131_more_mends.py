"""More mends that are run as they were printed (130_mends.py counts them): those that want a server of
their own, Kafka's own tools, or a row that cannot be published."""

import os

import e2e
from mends import RAN, asked, ended, kafka_scripts, last, mend, mend_kafka, mend_sql

JSON = {"log": {"format": "json"}}


def limited(case):
    return {"kafka": {"bootstrap.servers": case.kafka.sasl_bootstrap,
                      "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN",
                      "sasl.username": "limited", "sasl.password": "limited"}}


def works(case, relay):
    case.start(relay)
    case.put(rows=2)
    case.drain(relay=relay)
    case.stop(relay)


# The statement, and the restart that its sentence asks for.
with e2e.own_postgres(conf={"wal_level": "replica"}) as pg, \
        e2e.Case(postgres=pg, label="_wal", config=JSON) as case:
    relay = case.relay()
    mend_sql(case, "wal_level", asked(relay, "wal_level", "setup"))
    with open(os.path.join(pg.data_dir, "postgresql.auto.conf")) as file:
        altered = dict(line.strip().split(" = ") for line in file if " = " in line)
    case._connection.close()
    pg.stop()
    pg.conf["wal_level"] = altered["wal_level"].strip("'")  # the lab writes that file at each start
    pg.start()
    case.setup(relay)
    works(case, relay)

with e2e.Case(label="_unfinished", config=JSON) as case:
    relay = case.relay()
    code, out, text = relay.run("setup", env={"WALFERRY_CRASH_AT": "C12:1"})
    assert code == -9, (code, out, text)
    mend(relay, "setup_unfinished", ended(case, relay, "setup_unfinished", 2))
    works(case, relay)

# A server that went on, on another timeline, from before our position.
with e2e.own_postgres() as pg, e2e.Case(postgres=pg, label="_timeline", config=JSON) as case:
    relay = case.up()
    case.put(rows=3)
    case.drain(relay=relay)
    case.stop(relay)
    pg.to_next_timeline()
    case.sql("CHECKPOINT")
    works(case, relay)
    case.forge_progress(timeline=1)
    mend(relay, "timeline_changed", ended(case, relay, "timeline_changed", 3))
    works(case, relay)

# A split transaction that is not the one that comes.
with e2e.Case(label="_partial", config=JSON) as case:
    relay = case.up()
    case.put(rows=2)
    case.drain(relay=relay)
    case.stop(relay)
    case.put(rows=3)
    case.forge_progress(partial={"final_lsn": "F/10", "done": 1})
    mend(relay, "partial_mismatch", ended(case, relay, "partial_mismatch", 3))
    works(case, relay)

# Kafka's own tools.
with e2e.Case(label="_kafka", config=JSON) as case:
    bin = kafka_scripts(case)
    case.kafka.create_topic(case.progress_topic, 1, {"cleanup.policy": "delete"})
    relay = case.relay()
    mend_kafka(relay, bin, "progress_topic_deletes",
               asked(relay, "progress_topic_deletes", "setup"))
    case.setup(relay)
    literal = case.relay({"delivery": {"topics": {"create": False}}, "routes": [
        dict(case.config()["routes"][0], topic=case.prefix + "order")]})
    mend_kafka(literal, bin, "topic_missing", asked(literal, "topic_missing", "check", "--connect"))
    works(case, literal)

with e2e.Case(label="_acl", config=JSON) as case:
    bin = kafka_scripts(case)
    case.setup(case.relay())
    case.kafka.create_topic(case.prefix + "order", 2)
    relay = case.relay(limited(case))
    for _ in range(8):  # one right after the other, as they are missed
        if relay.run("check", "--connect")[0] == 0:
            break
        mend_kafka(relay, bin, "acl_denied", asked(relay, "acl_denied", "check", "--connect"))
    assert "acl_denied" in RAN
    case.command(relay, "check", "--connect")

# Rows: after the file or the topic, what passes the change over.
with e2e.Case(label="_rows", config=JSON) as case:
    case.sql("ALTER TABLE public.outbox ADD COLUMN at text, ADD COLUMN extra text DEFAULT 'x'")
    case.sql("CREATE TABLE public.keyed (id int PRIMARY KEY, code int NOT NULL UNIQUE);"
             " CREATE TABLE public.told (id int PRIMARY KEY, owner text);"
             " CREATE TABLE public.altered (a int, b int, PRIMARY KEY (a, b));"
             " ALTER TABLE public.altered REPLICA IDENTITY FULL;"
             " CREATE TABLE public.written (id int PRIMARY KEY, aggregatetype text, aggregateid text,"
             " type text, payload text)")
    common = {"as": "outbox", "topic": case.prefix + "{aggregatetype}"}
    relay = case.relay({"routes": [
        dict(common, name="outbox", **{"from": "public.outbox", "columns": {"timestamp": "at"},
                                       "headers": {"id": "{id}", "extra": "{extra}"}}),
        dict(common, name="messages", **{"from": "message:mends"}),
        dict(common, name="written", **{"from": "public.written",
                                        "event_router": {"table_op_invalid_behavior": "fatal"}}),
        {"name": "keyed", "from": "public.keyed", "as": "change", "topic": case.prefix + "keyed"},
        {"name": "altered", "from": "public.altered", "as": "change", "topic": case.prefix + "altered"},
        {"name": "told", "from": "public.told", "as": "event", "topic": case.prefix + "told",
         "key": "{owner:nobody}"}]})
    case.setup(relay)
    insert = "INSERT INTO public.outbox (aggregatetype, aggregateid, type, at) VALUES (%s, 'k', 't', %s)"
    for reason, statements in (
            ("bad_value", [(insert, ("order", "no time at all"))]),
            ("bad_message_json", [("SELECT pg_logical_emit_message(true, 'mends', 'no JSON')", ())]),
            ("column_missing", [("ALTER TABLE public.outbox DROP COLUMN extra", ()),
                                (insert, ("order", None))]),
            ("key_not_sent", [("INSERT INTO public.keyed VALUES (1, 1);"
                               " ALTER TABLE public.keyed REPLICA IDENTITY USING INDEX keyed_code_key",
                               ()), ("DELETE FROM public.keyed", ()),
                              ("ALTER TABLE public.keyed REPLICA IDENTITY DEFAULT", ())]),
            ("key_unknown", [("INSERT INTO public.altered VALUES (1, 2);"
                              " ALTER TABLE public.altered DROP COLUMN b", ())]),
            ("old_not_sent", [("INSERT INTO public.told VALUES (1, 'anne')", ()),
                              ("DELETE FROM public.told", ())]),
            ("invalid_operation", [("INSERT INTO public.written VALUES (1, 'order', 'k', 't')", ()),
                                   ("UPDATE public.written SET type = 'u'", ())])):
        case.start(relay)
        for statement, parameters in statements:
            case.sql(statement, parameters)
        assert relay.wait(60) == 5, relay.log_text()
        mend(relay, reason, last(relay.log_text(), reason))
        if reason == "column_missing":
            case.sql("ALTER TABLE public.outbox ADD COLUMN extra text DEFAULT 'x'")
    case.start(relay)
    case.stop(relay)

want = {"wal_level", "setup_unfinished", "timeline_changed", "partial_mismatch", "acl_denied",
        "progress_topic_deletes", "topic_missing", "column_missing", "bad_message_json", "bad_value",
        "key_not_sent", "old_not_sent", "key_unknown", "invalid_operation"}
assert RAN - {"not_confirmed"} == want, RAN ^ want
