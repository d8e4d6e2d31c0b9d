"""Commands that travel in the log (sql/005_command.sql): each is answered once, in its place among the
events, through kill -9 and replays; what is forged or copied is counted and does nothing; what is not
visible yet is waited for; what nobody knows fails and stops nothing."""

import json
import random
import sys
import threading
import time

import confluent_kafka.admin as admin
import psycopg2

import e2e

SEND = "SELECT walferry.send(%s, %s)"
MESSAGE = "SELECT pg_logical_emit_message(true, %s, %s)"


def prepare(case):
    """Roles are the server's, and other tests' as well: they are there, and stay."""
    case.sql("DO $$ BEGIN IF to_regrole('walferry') IS NULL THEN CREATE ROLE walferry LOGIN REPLICATION;"
             " END IF; END $$; GRANT SELECT ON public.outbox TO walferry")
    case.apply("005_command.sql")
    case.topic = "walferry.%s.control" % case.name


def send(case, command, sql=None):
    return (sql or case.sql)(SEND, (case.name, json.dumps(command)))[0][0]


def answers(case):
    """[answer] in the topic, as a read_committed consumer has them; the key is the id."""
    found, events = [], None
    while events is None:
        try:
            events = e2e.oracle.read_topics(case.kafka.bootstrap, [case.topic], timeout=8)
        except TimeoutError as late:  # a client may never learn of a partition that was just made
            print(late, flush=True)
    for event in events:
        answer = json.loads(event.value)
        assert set(answer) == {"v", "id", "command", "state", "detail", "position"}, answer
        assert event.key == str(answer["id"]).encode(), event
        found.append(answer)
    return found


def answered(case, *ids):
    """Exactly these, in this order; the last answers."""
    got = []

    def there():
        got[:] = answers(case)
        return len(got) >= len(ids)

    e2e.wait("no answers to %s" % (ids,), there, 30, interval=0.2)
    assert [one["id"] for one in got] == list(ids), got
    return got


def basics(case):
    """Known ones are done, others fail with a reason; status reaches the row where that is granted."""
    prepare(case)
    case.setup(case.relay())
    relay = case.relay({"source": {"connection": case.dsn("walferry")}})
    case.start(relay)
    assert answers(case) == []  # the topic is there already
    ids = [send(case, one) for one in ({"do": "ping"}, {"do": "mark", "text": "before the sale"},
                                       {"do": "mark"}, {"do": "explode", "n": [1, 2]})]
    case.put(rows=2)
    got = answered(case, *ids)
    assert [one["state"] for one in got] == ["done", "done", "failed", "failed"], got
    assert got[1]["command"] == {"do": "mark", "text": "before the sale"}
    assert "text" in got[2]["detail"] and "no such command" in got[3]["detail"], got
    system = case.one("SELECT system_identifier::text FROM pg_control_system()")
    places = [one["position"] for one in got]
    assert all(place.startswith(system + "-") for place in places) and places == sorted(places), places
    case.drain(relay=relay)
    assert relay.metric("walferry_commands_total", state="done") == 2
    assert relay.metric("walferry_commands_total", state="failed") == 2
    assert case.sql("SELECT DISTINCT status FROM walferry.command") == [("sent",)]
    case.apply("005_command_status.sql")
    last = send(case, {"do": "ping"})
    e2e.wait("the row is not told", lambda: case.sql(
        "SELECT status, outcome->>'id' FROM walferry.command WHERE id = %s", (last,))
        == [("done", str(last))], 15, interval=0.2)
    return relay, ids + [last]


def forged(case, relay, ids):
    """An application's role writes messages of its own, and a replication role those that it has seen."""
    case.sql("CREATE ROLE %s_app LOGIN" % case.name)
    try:
        with psycopg2.connect(case.dsn(case.name + "_app")) as app, app.cursor() as cursor:
            try:
                cursor.execute(SEND, (case.name, '{"do": "ping"}'))
            except psycopg2.errors.InsufficientPrivilege:
                app.rollback()
            else:
                raise AssertionError("an application sends a command")
            for body in ('{"v":1,"id":%d}' % ids[0], '{"v":1,"id":99999}', '{"v":1,"id":-1}',
                         '{"v":2,"id":1}', '{"id":1}', "id", '{"v":1,"id":"1"}'):
                cursor.execute(MESSAGE, ("walferry:" + case.name, body))
            app.commit()
    finally:
        case.sql("DROP OWNED BY %s_app; DROP ROLE %s_app" % (case.name, case.name))
    # Behind the row's commit and with its very bytes, and in a transaction with a true command.
    case.sql("SELECT pg_create_logical_replication_slot('%s_spy', 'test_decoding')" % case.name)
    one = send(case, {"do": "ping"})
    copies = [line for (line,) in case.sql(
        "SELECT data FROM pg_logical_slot_get_changes('%s_spy', NULL, NULL)" % case.name)
        if "prefix: walferry:" in line]
    case.sql("SELECT pg_drop_replication_slot('%s_spy')" % case.name)
    assert len(copies) == 1, copies
    body = copies[0].split("content:")[1]
    with psycopg2.connect(case.dsn("walferry")) as spy, spy.cursor() as cursor:
        cursor.execute(MESSAGE, ("walferry:" + case.name, body))
    case.sql("SELECT pg_logical_emit_message(true, %s, %s) FROM generate_series(1, 500)",
             ("walferry:" + case.name, body))
    # By the very transaction that sends it, ahead of it and behind.
    ahead = '{"v":1,"id":%d}' % (one + 1)
    case.sql("SELECT pg_logical_emit_message(true, 'walferry:' || %s, %s); " + SEND + ";"
             "SELECT pg_logical_emit_message(true, 'walferry:' || %s, %s)",
             (case.name, ahead, case.name, '{"do": "ping"}', case.name, ahead))
    case.put()
    case.drain(relay=relay)
    answered(case, *ids, one, one + 1)
    assert relay.metric("walferry_commands_ignored_total") == 505, \
        relay.metric("walferry_commands_ignored_total")
    assert relay.log_text().count("command.forged") == 1
    return ids + [one, one + 1]


def unreadable(case, relay, ids):
    """Without the grant a command is passed over, and says so; check names the GRANT, which mends it."""
    case.sql("REVOKE SELECT ON walferry.command FROM walferry")
    text = case.command(relay, "check", "--connect", says="cannot read walferry.command")
    grant = text[text.index("GRANT USAGE"):].splitlines()[0]
    lost = send(case, {"do": "ping"})
    got = answered(case, *ids, lost)
    assert got[-1]["state"] == "ignored" and got[-1]["command"] is None, got
    case.sql(grant)
    relay.stop()
    case.start(relay)
    again = send(case, {"do": "ping"})
    assert answered(case, *ids, lost, again)[-1]["state"] == "done"
    assert "cannot read" not in case.command(relay, "check", "--connect")
    case.stop(relay)
    case.judge()


def the_first_command_makes_the_topic(case):
    """Where the files are applied beside a running relay."""
    relay = case.up()
    prepare(case)
    one = send(case, {"do": "ping"})
    answered(case, one)
    resource = admin.ConfigResource(admin.ConfigResource.Type.TOPIC, case.topic)
    client = case.kafka.admin()
    values = list(client.describe_configs([resource]).values())[0].result(10)
    assert values["cleanup.policy"].value == "delete" and values["retention.ms"].value == "604800000"
    case.stop(relay)


def a_topic_that_is_not_there(case):
    """It may not be made: the command is carried out, not answered, and nothing stops."""
    prepare(case)
    relay = case.relay({"delivery": {"topics": {"create": False}}})
    for name in ("order", "customer"):
        case.kafka.create_topic(case.prefix + name)
    case.command(case.relay(), "setup")
    case.kafka.delete_topic(case.topic)
    case.command(relay, "check", "--connect", says="commands to the relay will not be answered")
    case.start(relay)
    send(case, {"do": "ping"})
    case.put(rows=2)
    case.drain(relay=relay)
    text = relay.log_text()
    assert "control.unusable" in text and "command.unanswered" in text, text
    case.stop(relay)
    case.judge()


def killed(case):
    """Commands by three senders among events, some in transactions with events, some rolled back; kills
    at random; every one that was committed is answered once, in commit order, and so is every event."""
    prepare(case)
    relay = case.relay()
    case.setup(relay)
    shop = case.shop(writers=1, rate=40).start()
    stop, lock, errors = threading.Event(), threading.Lock(), []
    sent = []

    def sender(number):
        dice = random.Random(number)
        try:
            connection = psycopg2.connect(case.dsn())
            while not stop.wait(0.03):
                with connection.cursor() as cursor:
                    count = dice.choice((1, 1, 3))
                    ids = []
                    for _ in range(count):
                        cursor.execute(SEND, (case.name, '{"do": "mark", "text": "%d"}' % number))
                        ids.append(cursor.fetchone()[0])
                    if dice.random() < 0.2:
                        connection.rollback()
                        continue
                    connection.commit()
                with lock:
                    sent.extend(ids)
            connection.close()
        except psycopg2.Error as error:
            errors.append(error)

    threads = [threading.Thread(target=sender, args=(n,), daemon=True) for n in range(3)]
    for thread in threads:
        thread.start()
    dice = random.Random(e2e.seed())
    for _ in range(6):
        relay.start()
        time.sleep(dice.uniform(0.3, 1.4))
        assert relay.running(), e2e.lab.process.tail(relay.log)
        relay.kill()
    stop.set()
    for thread in threads:
        thread.join()
    assert not errors, errors
    shop.stop()
    case.start(relay)
    last = send(case, {"do": "ping"})
    case.drain(relay=relay)
    e2e.wait("no last answer", lambda: last in [one["id"] for one in answers(case)], 40, interval=0.3)
    case.stop(relay)
    got = answers(case)
    assert sorted(one["id"] for one in got) == sorted(sent + [last]), (len(got), len(sent))
    places = [one["position"].split("-")[1] for one in got]
    assert places == sorted(places), "out of commit order"
    assert all(one["state"] == "done" for one in got)
    assert len(sent) > 30, len(sent)
    case.judge()
    print("%d commands through 6 kills" % len(sent))


def not_visible_yet():
    """A transaction that waits for a synchronous standby stands in the log, and nobody sees its row. That
    is waited for, through the end of an epoch."""
    with e2e.own_postgres() as postgres, e2e.Case(postgres=postgres, label="_sync") as case:
        prepare(case)
        case.sql("ALTER SYSTEM SET wal_sender_timeout = '8s'")  # a quarter of it is the patience
        postgres.reload()
        relay = case.up()
        case.sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        postgres.reload()
        e2e.wait("reloaded", lambda: case.one("SHOW synchronous_standby_names") == "nobody", 10)
        waiting = psycopg2.connect(case.dsn())
        ids = []

        def commit():
            with waiting.cursor() as cursor:
                cursor.execute(SEND, (case.name, '{"do": "ping"}'))
                ids.append(cursor.fetchone()[0])
            waiting.commit()

        thread = threading.Thread(target=commit, daemon=True)
        thread.start()
        e2e.wait("the epoch does not end", lambda: "waits for a synchronous standby" in
                 relay.log_text(), 30, interval=0.2)
        assert thread.is_alive() and ids and answers(case) == []
        assert relay.running() and relay.metric("walferry_commands_ignored_total") == 0
        case.sql("ALTER SYSTEM RESET synchronous_standby_names")
        postgres.reload()
        thread.join(20)
        assert answered(case, *ids)[0]["state"] == "done"
        locked(case, relay, ids)
        case.stop(relay)


def locked(case, relay, ids):
    """What holds the stream is named; once it is gone, the command is carried out, and once."""
    with psycopg2.connect(case.dsn()) as holder:
        relay.kill()
        ids.append(send(case, {"do": "ping"}))
        holder.cursor().execute("LOCK TABLE walferry.command IN ACCESS EXCLUSIVE MODE")
        case.start(relay)
        e2e.wait("the lock is not named", lambda: "exclusive lock on walferry.command" in
                 relay.log_text(), 30, interval=0.2)
        assert relay.running()
        holder.rollback()
    assert answered(case, *ids)[-1]["state"] == "done"


def main():
    with e2e.Case() as case:
        relay, ids = basics(case)
        ids = forged(case, relay, ids)
        unreadable(case, relay, ids)
    with e2e.Case(label="_late") as case:
        the_first_command_makes_the_topic(case)
    with e2e.Case(label="_none") as case:
        a_topic_that_is_not_there(case)
    with e2e.Case(label="_kill") as case:
        killed(case)
    not_visible_yet()


if __name__ == "__main__":
    sys.exit(main())
