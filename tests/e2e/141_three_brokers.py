"""Three brokers, three replicas, two in sync: one is killed (SIGKILL) at a time, and the relay while
it is away. Leaders and the transaction coordinator move; nothing is lost, twice or split. The seed is
printed; as an argument or in $WALFERRY_E2E_SEED it comes again."""

import e2e
import flows

SLOW = True
KAFKA = "own"
ALONE = True  # beside other tests two cores are too few for three brokers
SECONDS = 300

seed = e2e.seed()
with e2e.own_cluster() as cluster, e2e.Case(kafka=cluster) as case:
    flows.one_of_three(case, cluster, 3, seed)
