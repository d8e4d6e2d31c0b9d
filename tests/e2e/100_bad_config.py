"""Bad configuration: exit 2 and a text that names file, line, key and mend; for `check` and `run`."""

import os

import e2e

GOOD = """relay: @NAME@
source: {connection: "@DSN@"}
kafka: {bootstrap.servers: "@KAFKA@"}
routes:
  - {name: outbox, from: public.outbox, as: outbox}
"""
BAD = [
    ("not YAML", "relay: [unclosed\n", r"bad.yaml:\d+: "),
    ("not YAML either", "\tx: {}\n", r"bad.yaml:\d+: "),
    ("unknown key", GOOD + "delivrey: {}\n", r"bad.yaml:6: .*delivrey.*delivery"),
    ("unknown inner key", GOOD + "delivery: {stricct: true}\n", r"bad.yaml:6: .*stricct.*strict"),
    ("duplicate key", GOOD + "relay: again\n", r"bad.yaml:6: .*relay.*twice|duplicate|again"),
    ("wrong type", GOOD + "delivery: {commit_interval_ms: soon}\n",
     r"bad.yaml:6: .*commit_interval_ms"),
    ("out of range", GOOD + "delivery: {commit_interval_ms: -5}\n",
     r"bad.yaml:6: .*commit_interval_ms"),
    ("bad size", GOOD + "delivery: {memory_limit: 64XB}\n", r"bad.yaml:6: .*memory_limit"),
    ("bad enum", GOOD + "delivery: {guarantee: exactly_twice}\n",
     r"bad.yaml:6: .*guarantee.*exactly_once"),
    ("missing file", GOOD + "log: {level: \"${file:/nowhere/at/all}\"}\n",
     r"bad.yaml:6: .*/nowhere/at/all"),
    ("missing variable", GOOD + "log: {level: \"${env:NO_SUCH_THING}\"}\n",
     r"bad.yaml:6: .*NO_SUCH_THING"),
    ("two routes of one name", GOOD + "  - {name: outbox, from: public.b, as: outbox}\n",
     r"bad.yaml:6: .*outbox"),
    ("bad template", GOOD + "  - {name: b, from: public.b, as: outbox, topic: \"x.{unclosed\"}\n",
     r"bad.yaml:6: .*(template|topic)"),
    ("unknown fact", GOOD + "  - {name: b, from: public.b, as: outbox, topic: \"{@nothing}\"}\n",
     r"bad.yaml:6: .*@nothing"),
    ("no such librdkafka property", GOOD.replace(
        '"@KAFKA@"}', '"@KAFKA@", no.such.property: 1}'), r"bad.yaml:3: .*no\.such\.property"),
    ("bad value for librdkafka", GOOD.replace(
        '"@KAFKA@"}', '"@KAFKA@", queued.min.messages: many}'), r"bad.yaml:3: .*queued\.min"),
    ("property that the guarantee needs", GOOD.replace(
        '"@KAFKA@"}', '"@KAFKA@", enable.idempotence: false}'), r"bad.yaml:3: .*enable\.idempotence"),
    ("acks", GOOD.replace('"@KAFKA@"}', '"@KAFKA@", acks: 1}'), r"bad.yaml:3: .*acks"),
    ("bad relay name", GOOD.replace("@NAME@", "Not-A-Name"), r"bad.yaml:1: .*relay"),
    ("no routes", GOOD.split("routes:")[0], r"routes"),
    ("no relay", GOOD.replace("relay: @NAME@\n", ""), r"relay"),
    ("what is not built yet", GOOD.replace("as: outbox", "as: outbox, format: avro"),
     r"bad.yaml:5: .*avro"),
    ("no such mode", GOOD.replace("source: {", "source: {mode: pull, "), r"bad.yaml:2: .*pull"),
]

with e2e.Case() as case:
    relay = case.relay(name="bad")
    relay.write_config = lambda config=None: None

    def write(text):
        with open(relay.path, "w") as file:
            file.write(text.replace("@NAME@", case.name).replace("@DSN@", case.dsn())
                       .replace("@KAFKA@", case.kafka.bootstrap))

    write(GOOD)
    case.command(relay, "check")
    for label, text, says in BAD:
        write(text)
        print("-- " + label, flush=True)
        print(case.command(relay, "check", code=2, says=says), flush=True)
        case.refused(relay, 2, says, timeout=10)
    os.unlink(relay.path)
    case.command(relay, "check", code=2, says="bad.yaml")
    write(GOOD)
    case.command(relay, "chekc", code=2)
    case.command(relay, "run", "--no-such-option", code=2, says="--no-such-option")
    assert case.slot() is None
