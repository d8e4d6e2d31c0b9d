"""The broker is killed (SIGKILL) under load and comes back: nothing lost, twice or split."""

import e2e
import flows

KAFKA = "own"
FIRST = True

with e2e.own_kafka() as kafka, e2e.Case(kafka=kafka) as case:
    flows.broker_kills(case, 2)
