"""run --until-caught-up ends with 6 by itself where a server stays away, though retry.give_up_ms is 0."""

import time

import e2e
import lab.ports

SLOW = True

with e2e.Case() as case:
    away = "host=127.0.0.1 port=%d dbname=x" % lab.ports.free_port()
    relay = case.up()
    case.stop(relay)
    relay.config["source"]["connection"] = away
    began = time.monotonic()
    relay.start("--until-caught-up")
    assert relay.wait(120) == 6, relay.log_text()
    assert time.monotonic() - began >= 55
    assert "gave up after" in relay.log_text() and "--until-caught-up" in relay.log_text()
