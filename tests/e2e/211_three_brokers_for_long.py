"""Three brokers, forty kills of one at a time, eighty of the relay. The seed is printed; as an argument
or in $WALFERRY_E2E_SEED it comes again."""

import e2e
import flows

LONG = True
KAFKA = "own"
BUILDS = ("asan", "release")
SECONDS = 2400

seed = e2e.seed()
with e2e.own_cluster() as cluster, e2e.Case(kafka=cluster) as case:
    flows.one_of_three(case, cluster, 40, seed)
