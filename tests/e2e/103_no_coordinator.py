"""A broker without a transaction coordinator (its state topic cannot be made): said plainly, and the
relay goes on trying until it gives up."""

import concurrent.futures

import e2e

KAFKA = "own"
FIRST = True

with e2e.own_kafka(conf={"transaction.state.log.replication.factor": 3,
                         "transaction.state.log.min.isr": 2}) as kafka, \
        e2e.Case(kafka=kafka) as case:
    case.sql('CREATE PUBLICATION "%s" FOR TABLE public.outbox' % case.db)
    one, two = (case.relay({"retry": {"give_up_ms": 2000}}) for _ in range(2))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:  # each waits for half a minute
        runs = [pool.submit(case.command, one, "check", "--connect", code=6, says="coordinator",
                            timeout=90),
                pool.submit(case.command, two, "setup", code=6, says="coordinator|producer id",
                            timeout=90)]
        for run in runs:
            print(run.result())
    assert case.slot() is None
