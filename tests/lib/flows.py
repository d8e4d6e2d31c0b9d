"""Courses of events that several tests share."""

import random
import signal
import time

import confluent_kafka.admin as kafka_admin

import e2e
import oracle


def basic(case, read="python", setup=()):
    """Set up twice, run, write, see everything once and in order, look at all that tells, stop."""
    relay = case.relay()
    case.command(relay, "setup", *setup, says="topics: created " + case.progress_topic)
    case.command(relay, "setup", *setup, says=("topics: in place", "slot .*: in place"))
    case.command(relay, "check", "--connect", says="can go on from there")
    began_ms = time.time() * 1000
    case.start(relay)
    case.shop(writers=2).run(30)
    case.put(rows=10)
    count = case.drain(relay=relay)
    relay.wait_ready()
    case.command(relay, "status", "--ready")
    assert relay.admin("/healthz")[0] == 200
    assert relay.metric("walferry_events_total", route="outbox") == count
    for event in case.tail.events:
        assert oracle.header(event, "eventType") == "Put"
        system = case.one("SELECT system_identifier::text FROM pg_control_system()")
        assert oracle.header(event, "walferry-id").startswith(system + "-")
        assert began_ms - 60000 < event.timestamp < time.time() * 1000 + 60000, event
    end = case.current_lsn()
    case.put()
    case.drain(relay=relay)
    case.wait_confirmed(end)
    case.stop(relay)
    assert not case.slot()["active"]
    case.judge(read)


def kills(case, count, least, most, dice, **shop):
    """kill -9 that often, least to most seconds apart, with writers going on; then the oracle."""
    relay = case.relay()
    case.setup(relay)
    shop = case.shop(**dict({"writers": 2, "rate": 40}, **shop)).start()
    for number in range(count):
        relay.start()
        if number % 10 == 9:
            before = case.position()
            e2e.wait("no progress in spite of kills", lambda: case.position() > before, 30)
        time.sleep(dice.uniform(least, most))
        assert relay.running(), "ended by itself%s" % e2e.lab.process.tail(relay.log)
        relay.kill()
    shop.stop()
    case.start(relay)
    case.drain(relay=relay)
    case.stop(relay)
    return shop


def broker_kills(case, count):
    """kill -9 for the broker that often, with writers going on; then the oracle."""
    relay = case.up()
    shop = case.shop(writers=2, rate=40).start()
    for _ in range(count):
        seen = case.seen()
        e2e.wait("events", lambda: case.seen(0.1) > seen + 30, 60)
        case.kafka.kill()
        case.kafka.start()
    seen = case.seen()
    e2e.wait("events after the kills", lambda: case.seen(0.1) > seen + 30, 60)
    shop.stop()
    case.drain(90, relay=relay)
    assert relay.running()
    case.stop(relay)
    case.judge("dump")


def up_without_creating(case):
    """A relay that has published, may create no topic, and skips rows for one that is missing."""
    case.kafka.create_topic(case.prefix + "order", 1)
    case.setup(case.relay())
    relay = case.start(case.relay({
        "delivery": {"topics": {"create": False}},
        "routes": [dict(case.config()["routes"][0], on_error="skip")]}))
    case.put(rows=1)
    case.drain(relay=relay)
    return relay


def limit_topic(case, topic, limit):
    """max.message.bytes of a topic, in force when this returns."""
    resource = kafka_admin.ConfigResource(kafka_admin.ConfigResource.Type.TOPIC, topic,
                                          set_config={"max.message.bytes": str(limit)})
    admin = case.kafka.admin()
    for future in admin.alter_configs([resource]).values():
        future.result(20)
    e2e.wait("the limit is not in force", lambda: _refuses(case, topic, limit), 30, interval=0.2)


def _refuses(case, topic, limit):
    """Does the broker refuse a record above the limit by now? Tried in a transaction that is aborted."""
    errors = []
    probe = oracle.confluent_kafka.Producer({
        "bootstrap.servers": case.kafka.bootstrap, "transactional.id": "probe-" + case.name})
    probe.init_transactions(20)
    probe.begin_transaction()
    probe.produce(topic, b"x" * (limit + 10000), on_delivery=lambda error, _: errors.append(error))
    probe.flush(20)
    probe.abort_transaction(20)
    return bool(errors) and errors[0] is not None


def one_of_three(case, cluster, rounds, seed):
    """kill -9 for one of three brokers at a time, in turn the coordinator of the relay's
    transactions, a leader of events and the one that leads progress, and for the relay while it
    is away; then the oracle."""
    dice = random.Random(seed)
    relay = case.up()
    case.put(rows=6)
    case.drain(relay=relay)
    shop = case.shop(writers=2, rate=15, seed=seed).start()
    relays_killed = 0
    for number in range(rounds):
        cluster.wait_in_sync()
        partition = dice.randrange(3)
        leads = (lambda: cluster.coordinator("walferry.%s.0" % case.name),
                 lambda: cluster.leader(case.prefix + "order", partition),
                 lambda: cluster.leader(case.progress_topic, 0))[number % 3]
        victim = leads()
        assert victim is not None, "in sync, but without a leader"
        victim.kill()
        for _ in range(2):
            time.sleep(dice.uniform(0.05, 1.5))
            relay.kill()
            relays_killed += relay.returncode == -signal.SIGKILL
            relay.start()
        e2e.wait("another leader", lambda: leads() not in (None, victim), 60)
        seen = case.seen()
        e2e.wait("events with a broker less", lambda: case.seen(0.1) > seen + 30, 60)
        assert relay.running(), "ended by itself%s" % e2e.lab.process.tail(relay.log)
        victim.start()
    shop.stop()
    case.drain(90, relay=relay)
    case.stop(relay)
    cluster.wait_in_sync()
    case.judge()
    print("three brokers: seed %d: %d events, %d brokers and %d relays killed" % (
        seed, case.truth_count(), rounds, relays_killed))
    assert relays_killed == 2 * rounds, "a relay ended by itself"


def on_kafka(version):
    """What a broker of another version must be good for: the basic flow, kill -9 for the relay, and
    kill -9 for the broker itself."""
    with e2e.own_kafka(version=version) as kafka:
        with e2e.Case(kafka=kafka, label="_basic") as case:
            basic(case)
        seed = random.randrange(10000)
        print("kills: seed %d" % seed, flush=True)
        with e2e.Case(kafka=kafka, label="_kills") as case:
            kills(case, 30, 0.05, 0.7, random.Random(seed), seed=seed)
            case.judge()
        with e2e.Case(kafka=kafka, label="_broker") as case:
            broker_kills(case, 2)
