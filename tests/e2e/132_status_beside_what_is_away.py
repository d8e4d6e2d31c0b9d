"""status has one shape whatever is away, shows the live part all the same, and says when the instance
that runs is not the one that claimed last. A broker that stays away is told once, not by librdkafka's
lines beside each epoch.failed."""

import json

import e2e
import lab.ports
from lab.proxy import KafkaProxy

SLOW = True

ADMIN = "127.0.0.1:%d"


def status(case, relay, code):
    got, out, err = relay.run("status", "--json")
    assert got == code, (got, out, err)
    return json.loads(out)


with e2e.Case() as case:
    relay = case.up()
    relay.wait_ready()
    whole = status(case, relay, 0)
    assert whole["away"] is None and whole["live_taken_over"] is False, whole
    assert whole["live"]["pid"] == relay.pid

    same = {"admin": {"listen": relay.config["admin"]["listen"]}}
    closed = lab.ports.free_port()
    no_sql = case.relay(e2e.merge(same, {
        "source": {"connection": "host=127.0.0.1 port=%d dbname=x" % closed}}))
    answer = status(case, no_sql, 1)
    assert list(answer) == list(whole), (list(answer), list(whole))
    assert answer["away"] and answer["slot_exists"] is None and answer["position"], answer
    assert answer["live"]["pid"] == relay.pid, answer
    case.command(no_sql, "status", code=1, says=("not known", "away ", "live .*streaming"))

    no_kafka = case.relay(e2e.merge(same, {"kafka": {"bootstrap.servers": ADMIN % closed}}))
    answer = status(case, no_kafka, 1)
    assert list(answer) == list(whole), (list(answer), list(whole))
    assert answer["away"] and answer["slot_exists"] is True and answer["generation"] is None, answer
    assert answer["live"]["pid"] == relay.pid, answer

# Cut off from Kafka, the running instance cannot know that it was taken over; status does.
with e2e.Case(label="cut") as case, KafkaProxy(case.kafka.bootstrap) as proxy:
    relay = case.up({"kafka": {"bootstrap.servers": proxy.address}})
    relay.wait_ready()
    case.put()
    case.drain(relay=relay)
    direct = case.relay({"admin": {"listen": relay.config["admin"]["listen"]}})
    system = case.one("SELECT system_identifier FROM pg_control_system()")
    ahead = "%d-%016X-1" % (system, case.current_lsn() + 0x1000000)
    proxy.black_hole()
    case.command(direct, "skip", ahead, "--take-over", says="will be passed over")
    answer = status(case, direct, 1)
    assert answer["live_taken_over"] is True and answer["live"]["pid"] == relay.pid, answer
    assert list(answer) == list(whole)
    case.command(direct, "status", code=1, says="has been taken over")
    proxy.cut()
    proxy.flow()
    assert relay.wait(40) == 4, relay.log_text()

with e2e.Case(label="away", config={"retry": {"max_ms": 200}}) as case:
    relay = case.relay({"kafka": {"bootstrap.servers": ADMIN % lab.ports.free_port()},
                        "retry": {"give_up_ms": 65000}})
    relay.start()
    assert relay.wait(120) == 6, relay.log_text()
    lines = relay.log_text().splitlines()
    first = [i for i, line in enumerate(lines) if "event=epoch.failed" in line][0]
    assert any("event=kafka.log" in line for line in lines[:first]), lines
    assert not any("event=kafka.log" in line for line in lines[first:]), lines
