"""The same with 200,000 letters, which are many commands, and kills at any moment behind the first
answer. Each command reads on where the one before it was, so they take as long as the first."""

import retries

LONG = True
BUILDS = ("release",)
SECONDS = 420

retries.check("exactly_once", 200000, (), kills=6)
