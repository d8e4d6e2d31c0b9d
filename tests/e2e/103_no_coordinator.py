"""A broker without a transaction coordinator (its state topic cannot be made): said plainly, and the
relay goes on trying until it gives up."""

import e2e

KAFKA = "own"

with e2e.own_kafka(conf={"transaction.state.log.replication.factor": 3,
                         "transaction.state.log.min.isr": 2}) as kafka, \
        e2e.Case(kafka=kafka) as case:
    relay = case.relay({"retry": {"give_up_ms": 2000}})
    case.sql('CREATE PUBLICATION "%s" FOR TABLE public.outbox' % case.db)
    case.command(relay, "check", "--connect", code=1, says="coordinator", timeout=90)
    case.command(relay, "setup", code=6, says="coordinator|producer id", timeout=90)
    assert case.slot() is None
