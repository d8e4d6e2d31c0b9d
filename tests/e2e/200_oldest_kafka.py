"""The oldest broker that is claimed, with ZooKeeper: the basic flow, kills of the relay and of the broker."""

import flows

LONG = True
KAFKA = "own"
BUILDS = ("asan", "release")
SECONDS = 600

flows.on_kafka("2.4.1")
