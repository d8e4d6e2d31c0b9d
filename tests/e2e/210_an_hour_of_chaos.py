"""An hour of everything at once, a new seed every five minutes; each is printed. With arguments:
SEED [SECONDS], that one alone."""

import random
import sys
import time

import chaos

LONG = True
SECONDS = 4800

if len(sys.argv) > 1:
    chaos.chaos(int(sys.argv[2]) if len(sys.argv) > 2 else 240, int(sys.argv[1]))
    sys.exit(0)
end, number = time.monotonic() + 3600, 0
while time.monotonic() < end:
    number += 1
    seed = random.randrange(100000)
    chaos.chaos(240, seed, label="_%d" % number)
    chaos.late_answers(60, seed, label="_%d_late" % number)
