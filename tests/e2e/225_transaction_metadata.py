"""delivery.transaction_metadata: each event has its number in its transaction, and the transaction topic
the begin and the end; the counts are right where a transaction is committed in parts and the relay
dies between two of them."""

import json
import signal

import e2e

SECONDS = 240


def records(case, topic, count):
    def enough():
        found = e2e.oracle.read_topics(case.kafka.bootstrap, [case.prefix + topic])
        return found if len(found) >= count else None
    found = e2e.wait("%d records of %s" % (count, topic), enough, 60)
    assert len(found) == count, (topic, len(found), count)
    return [event for event in found if event.value is not None]


def judge(case, rows):
    """Of the three transactions: what the table's events say of themselves, and what the topic says."""
    events = records(case, "stock", rows + 6) + records(case, "more", 1)
    marks = [json.loads(event.value) for event in records(case, "transaction", 6)]
    found = {}
    for event in events:
        value = json.loads(event.value)
        block = value["transaction"]
        assert block["id"] == "%d:%d" % (value["source"]["txId"], value["source"]["lsn"]), value
        found.setdefault(value["source"]["txId"], []).append(
            (block["total_order"], block["data_collection_order"], value["source"]["table"]))
    begun = {int(mark["id"].split(":")[0]) for mark in marks if mark["status"] == "BEGIN"}
    ended = {int(mark["id"].split(":")[0]): mark for mark in marks if mark["status"] == "END"}
    assert begun == set(ended) == set(found), (begun, set(ended), set(found))
    for xid, numbers in found.items():
        numbers.sort()
        assert [number[0] for number in numbers] == list(range(1, len(numbers) + 1)), (xid, numbers[:9])
        counts = {}
        for _, of_table, table in numbers:
            counts["public." + table] = counts.get("public." + table, 0) + 1
            assert of_table == counts["public." + table], (xid, table, of_table)
        told = {one["data_collection"]: one["event_count"] for one in ended[xid]["data_collections"]}
        assert told == counts and ended[xid]["event_count"] == len(numbers), (told, counts)
    return sorted(len(numbers) for numbers in found.values())


with e2e.Case(config={"delivery": {"transaction_timeout_ms": 2000, "batch_events": 500},
                      "retry": {"max_ms": 300}}) as case, \
        e2e.lab.proxy.Proxy(case.pg.port) as proxy:
    case.sql("CREATE TABLE stock (id int PRIMARY KEY, pad text); CREATE TABLE more (id int PRIMARY KEY);"
             "CREATE TABLE quiet (id int PRIMARY KEY)")
    delivery = {"transaction_timeout_ms": 2000, "batch_events": 500, "transaction_metadata": True,
                "transaction_topic": case.prefix + "transaction"}
    relay = case.relay({
        "source": {"connection": case.dsn(port=proxy.port)}, "delivery": delivery,
        "routes": [{"name": "quiet", "from": "public.quiet", "as": "event", "topic": case.prefix + "quiet",
                    "type": "Q", "key": "{id}"},
                   {"name": "all", "from": "public.*", "as": "change", "topic": case.prefix + "{@table}"}]})
    case.setup(relay)
    relay.start(env={"WALFERRY_CRASH_AT": "C9:1"})
    relay.wait_log("epoch.opened")
    case.sql("INSERT INTO quiet VALUES (1)")  # of no change route: no begin, no end
    case.sql("BEGIN; INSERT INTO stock VALUES (-1, ''); INSERT INTO quiet VALUES (2); INSERT INTO more VALUES (1);"
             "UPDATE stock SET id = -2; COMMIT")
    proxy.slow_chunk = (16384, 0.02)
    rows = 30000
    case.sql("INSERT INTO stock SELECT n, repeat('x', 200) FROM generate_series(1, %d) n" % rows)
    assert relay.wait(60) == -signal.SIGKILL
    assert case.progress()[-1]["partial"]["done"] > 0
    relay.start()
    relay.wait_log("transaction.split", 60)
    relay.kill()
    case.start(relay)
    proxy.slow_chunk = None
    case.sql("DELETE FROM stock WHERE id = -2")
    assert judge(case, rows) == [1, 4, rows], judge(case, rows)
    case.stop(relay)
