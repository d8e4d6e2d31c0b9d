"""Three brokers, forty kills of one at a time, eighty of the relay. With an argument: that seed."""

import random
import sys

import e2e
import flows

LONG = True
KAFKA = "own"
BUILDS = ("asan", "release")
SECONDS = 2400

seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(10000)
print("three brokers: seed %d" % seed, flush=True)
with e2e.own_cluster() as cluster, e2e.Case(kafka=cluster) as case:
    flows.one_of_three(case, cluster, 40, random.Random(seed))
