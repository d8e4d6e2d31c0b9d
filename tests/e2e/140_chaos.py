"""A minute of everything at once; the seed is printed, and as an argument it comes again."""

import random
import sys

import chaos

SECONDS = 240
FIRST = True
LONG = True

seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(100000)
chaos.chaos(45, seed)
chaos.late_answers(15, seed, label="_late")
