"""The newest broker that Maven has: the basic flow, kills of the relay and of the broker."""

import flows

LONG = True
KAFKA = "own"
BUILDS = ("asan", "release")
SECONDS = 600

flows.on_kafka("4.4.0")
