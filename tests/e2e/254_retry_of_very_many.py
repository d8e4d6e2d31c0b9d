"""The same with 200,000 letters, which are many commands, and kills at any moment of it."""

import retries

LONG = True
BUILDS = ("release",)
SECONDS = 500

retries.check("exactly_once", 200000, (), kills=6)
