"""run --hold-on-refusal, for supervisors that cannot tell exit codes apart: where it would exit with 2, 3,
4 or 5 it stays, unready, with the reason, holds nothing and fences nobody, and starts once what it finds
is mended: by itself, but after 4 only when a person says so, and after 5 only with another file or a
recorded skip."""

import json
import os
import signal
import time

import e2e
import flows

SLOW = True

HOLD = "--hold-on-refusal"
LOOK_S = 5  # how often it looks


def held(relay, says, count=1):
    """It is held, says so once, and is not ready. The line."""
    line = relay.wait_log("relay.held", count=count)
    assert says in line, line
    e2e.wait("unready", lambda: not relay.ready(), 5)
    status = json.loads(relay.admin("/status")[1])
    assert status["state"] == "held" and status["ready"] is False, status
    assert status["last_error"]["reason"], status
    assert says in relay.admin("/readyz")[1], relay.admin("/readyz")
    return line


def released(case, relay, opened):
    relay.wait_log("epoch.opened", timeout=3 * LOOK_S + 10, count=opened)
    relay.wait_ready()
    case.put(rows=3)
    case.drain(relay=relay)


# 2: not set up; then set up by somebody else. And a password that is mended in its file.
with e2e.own_postgres(hba=["local all all trust", "host all postgres 127.0.0.1/32 trust",
                           "host all all 127.0.0.1/32 scram-sha-256"]) as postgres, \
        e2e.Case(postgres=postgres, label="_usage") as case:
    case.kafka.create_topic(case.prefix + "any")  # without one, brokers count as coming up for 20 s
    case.sql("CREATE ROLE ferry LOGIN SUPERUSER REPLICATION PASSWORD 'right'")
    secret = os.path.join(case.dir, "password")
    with open(secret, "w") as file:
        file.write("wrong\n")
    relay = case.relay({"source": {"connection": case.dsn("ferry") +
                                   " password=${file:%s}" % secret}})
    relay.start(HOLD)
    held(relay, "password authentication failed")
    with open(secret, "w") as file:
        file.write("right\n")
    e2e.wait("another reason", lambda: "auth_failed" not in relay.events("relay.held")[-1], 30)
    assert case.slot() is None
    case.setup(relay)
    released(case, relay, 1)

    # The publication loses its table: the next start is refused, also with it put back, and goes on
    # once that is accepted.
    case.sql('ALTER PUBLICATION "%s" DROP TABLE public.outbox' % case.db)
    case.sql("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots"
             " WHERE slot_name = %s", (case.slot_name,))
    count = len(relay.events("relay.held")) + 1
    held(relay, "would never come", count)
    time.sleep(LOOK_S + 3)
    assert len(relay.events("relay.held")) == count, "said more than once a minute"
    assert not case.slot()["active"], "a held relay holds the slot"
    case.sql('ALTER PUBLICATION "%s" ADD TABLE public.outbox' % case.db)
    held(relay, "may be missing", count + 1)
    case.mend(relay, relay.log_text(), "--yes")
    released(case, relay, 2)

    # SIGTERM ends it in order, held or not.
    case.sql('ALTER PUBLICATION "%s" DROP TABLE public.outbox' % case.db)
    case.sql("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots"
             " WHERE slot_name = %s", (case.slot_name,))
    held(relay, "would never come", count + 2)
    started = time.monotonic()
    case.stop(relay)
    assert time.monotonic() - started < 3
    case.sql('ALTER PUBLICATION "%s" ADD TABLE public.outbox' % case.db)
    case.judge()

# 3: the slot is gone; rebase mends it.
with e2e.Case(label="_refused") as case:
    relay = case.up()
    case.put(rows=3)
    case.drain(relay=relay)
    case.wait_confirmed(case.position())
    case.stop(relay)
    case.sql("SELECT pg_drop_replication_slot(%s)", (case.slot_name,))
    relay.start(HOLD)
    line = held(relay, "does not exist")
    case.mend(relay, line, "--yes")
    released(case, relay, 1)
    case.stop(relay)
    case.judge()

# 4: another instance. No look starts it again, a signal does; and it never fenced the other one.
with e2e.Case(label="_fenced") as case:
    first, second = case.up(), case.relay()
    case.stop(first)
    first.start(HOLD)
    first.wait_log("epoch.opened")
    case.start(second)
    case.put(rows=3)
    held(first, "another instance")
    case.drain(relay=second)
    time.sleep(2 * LOOK_S)
    assert len(first.events("epoch.opened")) == 1 and second.ready(), first.log_text()
    case.stop(second)
    time.sleep(LOOK_S + 2)
    assert len(first.events("epoch.opened")) == 1, "it started by itself"
    first.signal(signal.SIGHUP)
    released(case, first, 2)
    case.stop(first)
    case.judge()

# 5: a change that cannot be published. The same file changes nothing, a skip does.
with e2e.Case(label="_data") as case:
    relay = case.relay({"routes": [dict(case.config()["routes"][0], topic="{aggregatetype}")]})
    case.setup(relay)
    relay.start(HOLD)
    relay.wait_log("epoch.opened")
    case.sql("INSERT INTO public.outbox (aggregatetype, aggregateid, type) VALUES ('a b', 'k', 'bad')")
    line = held(relay, "holds a character")
    opened = len(relay.events("epoch.opened"))
    time.sleep(2 * LOOK_S)
    assert len(relay.events("epoch.opened")) == opened, "it went round in circles"
    case.mend(relay, line)
    relay.wait_log("epoch.opened", timeout=3 * LOOK_S + 10, count=opened + 1)
    relay.wait_ready()
    case.sql("INSERT INTO public.outbox (aggregatetype, aggregateid, type)"
             " VALUES (%s, 'k', 'good')", (case.prefix + "good",))
    e2e.wait("the good one", lambda: relay.metric("walferry_events_total") == 1)
    case.stop(relay)

# 5 again, where the broker itself has refused the record: another file is asked anew.
with e2e.Case(label="_broker") as case:
    small = dict(case.config()["routes"][0], topic="small." + case.name)
    case.kafka.create_topic(small["topic"], 1)
    relay = case.relay({"routes": [small]})
    case.setup(relay)
    relay.start(HOLD)
    relay.wait_log("epoch.opened")
    case.put(rows=1)
    e2e.wait("the first", lambda: relay.metric("walferry_events_total") == 1)
    flows.limit_topic(case, small["topic"], 60000)
    case.sql("INSERT INTO public.outbox (aggregatetype, aggregateid, type, payload)"
             " VALUES ('order', 'k', 'large', to_jsonb(repeat('x', 100000)))")
    held(relay, small["topic"])
    relay.write_config(dict(relay.config, routes=[case.config()["routes"][0]]))
    relay.wait_log("epoch.opened", timeout=3 * LOOK_S + 10,
                   count=len(relay.events("epoch.opened")) + 1)
    e2e.wait("the large one", lambda: relay.metric("walferry_events_total") >= 2)
    relay.wait_ready()
    case.stop(relay)

# The file cannot be read: nothing can be held before the port is known.
with e2e.Case(label="_file") as case:
    relay = case.relay({"no_such_key": 1})
    relay.start(HOLD)
    assert relay.wait(10) == 2
    # It can be read, but a template in it is wrong: that is held.
    relay = case.relay({"routes": [dict(case.config()["routes"][0], topic="{@nothing}")]})
    relay.start(HOLD)
    held(relay, "@nothing")
    case.stop(relay)
