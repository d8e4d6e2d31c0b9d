"""Doctor: the checks of broker, topics and clocks, and the round trip. Each is seen to fail, its mend is run
as it was printed, and it passes then."""

import re
import subprocess

import doctor
import e2e
from doctor import finds, look, mend_shell, mend_sql, passes
from mends import kafka_scripts

SLOW = True
KAFKA = "own"
SECONDS = 240

with e2e.own_kafka(conf={"transaction.max.timeout.ms": 60000}) as kafka, e2e.Case(kafka=kafka) as case:
    bin = kafka_scripts(case)
    relay = case.relay({"delivery": {"transaction_timeout_ms": 120000}})
    checks = finds(relay, "failed", "transaction_timeout", "coordinator")
    assert checks["topics"]["after"] == "coordinator", checks["topics"]
    wanted = re.search(r"transaction_timeout_ms: (\d+)", checks["transaction_timeout"]["hint"]).group(1)
    relay.config["delivery"]["transaction_timeout_ms"] = int(wanted)
    passes(relay, "transaction_timeout", "coordinator", "broker")

    # Sizes, and a progress topic that Kafka would delete.
    literal = [dict(case.config()["routes"][0], topic=case.prefix + "order")]
    relay = case.relay({"routes": literal})
    case.kafka.create_topic(case.prefix + "order", 1, {"max.message.bytes": 1000})
    case.kafka.create_topic(case.progress_topic, 1, {
        "cleanup.policy": "delete", "message.timestamp.type": "LogAppendTime"})
    checks = finds(relay, "failed", "topics")
    mend_shell(relay, checks["topics"], bin=bin)
    mend_shell(relay, finds(relay, "warned", "message_bytes")["message_bytes"], bin=bin)
    passes(relay, "topics", "message_bytes")
    small = case.relay({"routes": literal, "kafka": {"message.max.bytes": "2000"}})
    assert "kafka.message.max.bytes" in finds(small, "warned", "message_bytes")["message_bytes"]["hint"]
    case.kafka.create_topic(case.prefix + "huge", 1, {"max.message.bytes": 200000000})
    huge = case.relay({"routes": [dict(literal[0], topic=case.prefix + "huge")]})
    mend_shell(huge, finds(huge, "warned", "message_bytes")["message_bytes"], bin=bin)
    passes(huge, "message_bytes")

    # Somebody who may see the topics, and not write into them.
    limited = case.relay({"routes": literal, "kafka": {
        "bootstrap.servers": kafka.sasl_bootstrap, "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "PLAIN", "sasl.username": "limited", "sasl.password": "limited"}})
    kafka.allow("limited", ["Describe", "DescribeConfigs"], "topic", "*")
    checks = finds(limited, "failed", "acls")
    assert case.progress_topic in checks["acls"]["text"], checks["acls"]
    mend_shell(limited, checks["acls"], bin=bin)
    checks = finds(limited, "failed", "acls")
    assert case.prefix + "order" in checks["acls"]["text"], checks["acls"]
    mend_shell(limited, checks["acls"], bin=bin)
    passes(limited, "acls")

    # The claim check wants its table.
    claim = case.relay({"routes": [dict(literal[0], oversize={"policy": "claim_check", "keep": "2h"})]})
    assert "011_claim.sql" in finds(claim, "failed", "claims")["claims"]["hint"]
    case.apply("002_role.sql")
    case.apply("011_claim.sql")
    passes(claim, "claims")

    # A broker that is away is no more than that.
    away = case.relay({"kafka": {"bootstrap.servers": "127.0.0.1:1"}, "delivery": {"transaction_timeout_ms": 1000}})
    checks = look(away, code=1)  # the publication is missing, too
    assert doctor.states(checks, "broker", "session", "acls", "topics") == {
        "broker": "failed", "session": "passed", "acls": "not_run", "topics": "not_run"}, checks

    # The round trip: nobody is there; by a message; by a command, through a running relay.
    case.setup(relay)
    relay.config["delivery"]["idle_progress"]["interval_ms"] = 200
    case.start(relay)
    text = case.command(relay, "doctor", "--probe")
    assert re.search(r"^Round trip\n  pass  round_trip: \d+\.\d ms, .* topic walferry\.\S+\.progress$", text, re.M), text
    case.apply("005_command.sql")
    case.setup(relay)
    by_command = look(relay, "--probe")["round_trip"]
    assert by_command["state"] == "passed" and by_command["text"].endswith(".control"), by_command
    print(by_command["text"])
    sent = case.one("SELECT count(*) FROM walferry.command")
    look(relay)
    assert case.one("SELECT count(*) FROM walferry.command") == sent == 1

    # Clocks: this machine is ahead of both; then the relay was, and the broker is behind what it wrote.
    env = {"LD_PRELOAD": e2e.preload("clock_ahead"), "CLOCK_AHEAD_S": "90",
           "ASAN_OPTIONS": e2e.SANITIZERS["ASAN_OPTIONS"] + ":verify_asan_link_order=0"}
    checks = finds(relay, "warned", "clock_database", env=env)
    assert "90.0 s behind" in checks["clock_database"]["text"], checks["clock_database"]
    assert doctor.line_of(checks["clock_database"], "shell") == "timedatectl set-ntp true"
    passes(relay, "clock_database", "clock_broker")
    case.stop(relay)
    case.start(relay, env=env)
    case.stop(relay)
    assert "90.0 s behind" in finds(relay, "warned", "clock_broker")["clock_broker"]["text"] or \
        "behind that of the relay" in finds(relay, "warned", "clock_broker")["clock_broker"]["text"]
    case.start(relay)
    case.put(rows=1)
    case.drain(relay=relay)
    passes(relay, "clock_broker")
    case.stop(relay)

    checks = look(relay, "--probe")
    assert checks["round_trip"]["state"] == "failed", checks["round_trip"]
    running = subprocess.Popen(doctor.line_of(checks["round_trip"], "command").split(),
                               env=relay._env(None), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert look(relay, "--probe")["round_trip"]["state"] == "passed"
        doctor.RAN.add("round_trip")
    finally:
        running.terminate()
        assert running.wait(20) == 0
    assert look(relay)["librdkafka"]["state"] in ("passed", "warned")

doctor.all_run("286")
