"""Three brokers, three replicas, two in sync: one is killed (SIGKILL) at a time, and the relay while
it is away. Leaders and the transaction coordinator move; nothing is lost, twice or split."""

import random
import sys

import e2e
import flows

KAFKA = "own"
FIRST = True
LONG = True
SECONDS = 240

seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(10000)
print("three brokers: seed %d" % seed, flush=True)
with e2e.own_cluster() as cluster, e2e.Case(kafka=cluster) as case:
    flows.one_of_three(case, cluster, 2, random.Random(seed))
