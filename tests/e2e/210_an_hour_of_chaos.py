"""An hour of everything at once, a new seed every five minutes; each is printed. It is shorter where
$WALFERRY_CHAOS_SECONDS says so. With arguments: SEED [SECONDS], that one alone."""

import os
import random
import sys
import time

import chaos

LONG = True
SECONDS = 4800

if len(sys.argv) > 1:
    chaos.chaos(int(sys.argv[2]) if len(sys.argv) > 2 else 240, int(sys.argv[1]))
    sys.exit(0)
end, number = time.monotonic() + int(os.environ.get("WALFERRY_CHAOS_SECONDS", "3600")), 0
while time.monotonic() < end:
    number += 1
    seed = random.randrange(100000)
    chaos.chaos(240, seed, label="_%d" % number)
    chaos.late_answers(60, seed, label="_%d_late" % number)
