"""SIGHUP with a good file (the next epoch has it), a bad one (kept out, with the line) and one that
needs a restart (refused, with the key); no event suffers."""

import signal

import e2e

with e2e.Case() as case:
    relay = case.up()
    shop = case.shop(writers=2, rate=40).start()
    e2e.wait("events", lambda: case.seen(0.1) > 20)

    def reload(config=None, text=None):
        if text is not None:
            with open(relay.path, "w") as file:
                file.write(text)
        else:
            relay.write_config(config)
        relay.signal(signal.SIGHUP)

    good = e2e.merge(relay.config, {"delivery": {"commit_interval_ms": 20}})
    good["routes"] = [dict(good["routes"][0], headers={"id": "{id}", "eventType": "{type}",
                                                       "fresh": "yes"})]
    old = dict(relay.config)
    reload(good)
    relay.wait_log("config.reloaded")
    relay.wait_log("epoch.opened", count=2)
    e2e.wait("events of the new file", lambda: case.seen(0.1) and any(
        e2e.oracle.header(event, "fresh") == "yes" for event in case.tail.events))

    opened = len(relay.events("epoch.opened"))
    reload(text="relay: %s\nsauce: {}\n" % case.name)
    e2e.wait("the bad file is refused", lambda: "sauce" in relay.log_text())
    for change, key in (({"relay": "another"}, "relay"),
                        ({"source": {"slot": "another"}}, "source.slot"),
                        ({"delivery": {"guarantee": "at_least_once"}}, "delivery.guarantee"),
                        ({"admin": {"listen": "off"}}, "admin.listen")):
        reload(e2e.merge(good, change))
        e2e.wait("%s is refused" % key, lambda: any(
            key in line and "restart" in line for line in relay.log_lines()))
    assert len(relay.events("epoch.opened")) == opened
    relay.config = old
    shop.stop()
    case.drain(relay=relay)
    case.stop(relay)
    case.judge()
