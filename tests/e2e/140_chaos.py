"""A minute of everything at once; then answers that come late. The seed is printed; as an argument or
in $WALFERRY_E2E_SEED it comes again."""

import chaos
import e2e

SECONDS = 420
FIRST = True

seed = e2e.seed()
chaos.chaos(60, seed)
chaos.late_answers(10, seed, label="_late")
