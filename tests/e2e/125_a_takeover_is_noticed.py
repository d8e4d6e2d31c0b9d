"""An idle relay notices at once that a command or another instance has taken it over, ends with 4, and
does not say that the server was shut down. It asks the broker seldom."""

import time

import e2e
from lab.proxy import KafkaProxy

QUIET = {"delivery": {"idle_progress": {"bytes": "1GB", "interval_ms": 600000}}}


def ended(relay, began):
    assert relay.wait(10) == 4, relay.log_text()
    took = time.monotonic() - began
    text = relay.log_text()
    assert "has taken relay" in text and "server_shutdown" not in text, text
    print("ended %.2f s after the takeover began" % took)


def asks_seldom(proxy, seconds=3):
    """Twice a second whether there is a successor, and now and then for metadata."""
    proxy.seen.clear()
    time.sleep(seconds)
    asked = sum(proxy.seen.values())
    assert 0 < asked <= 5 * seconds, proxy.seen


with e2e.Case(config=QUIET) as case, KafkaProxy(case.kafka.bootstrap) as proxy:
    relay = case.up({"kafka": {"bootstrap.servers": proxy.address}})
    case.put(rows=2)
    case.drain(relay=relay)
    time.sleep(1)
    asks_seldom(proxy)
    system = case.one("SELECT system_identifier FROM pg_control_system()")
    ahead = "%d-%016X-1" % (system, case.current_lsn() + 0x1000000)

    began = time.monotonic()
    case.command(relay, "skip", ahead, "--take-over", says="will be passed over")
    ended(relay, began)

    case.start(relay)
    began = time.monotonic()
    case.command(relay, "rebase", "--to", "slot", "--accept-repeat", "--yes", "--take-over", says="goes on from")
    ended(relay, began)

    case.start(relay)
    second = case.relay()
    began = time.monotonic()
    case.start(second)
    ended(relay, began)
    # Who took over stays, and takes nothing for a successor that came before it.
    case.put(rows=3)
    case.drain(relay=second)
    case.stop(second)
    case.judge()
