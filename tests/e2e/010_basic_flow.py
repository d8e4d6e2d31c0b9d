"""Committed transactions arrive once, in order, with their headers; commands and admin port agree."""

import e2e
import flows

BUILDS = ("asan", "release", "tsan")

with e2e.Case() as case:
    flows.basic(case, read="dump" if e2e.build() == "asan" else "python")
