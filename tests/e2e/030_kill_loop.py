"""kill -9 fifty times and more under load: nothing lost, twice, reordered or split."""

import random
import sys

import e2e
import flows

BUILDS = ("asan", "release", "tsan")
SECONDS = 240
FIRST = True
KILLS = 52

seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(10000)
print("kills: seed %d" % seed, flush=True)
with e2e.Case() as case:
    span = {"release": (0.01, 0.4), "asan": (0.05, 0.7), "tsan": (0.05, 0.9)}[e2e.build()]
    flows.kills(case, KILLS, *span, random.Random(seed), seed=seed)
    case.judge("dump" if e2e.build() == "asan" else "python")
