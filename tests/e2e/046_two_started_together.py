"""Two instances started at the same moment under load: one works on, the other exits with code 4;
they do not fence each other in turn."""

import e2e

with e2e.Case() as case:
    relays = [case.relay(), case.relay()]
    case.setup(relays[0])
    shop = case.shop(writers=2, rate=30).start()
    for relay in relays:
        relay.start()
    e2e.wait("one of them ends", lambda: not all(relay.running() for relay in relays), 40)
    loser, winner = sorted(relays, key=lambda relay: relay.running())
    assert loser.wait(1) == 4, "%s%s" % (loser.returncode, e2e.lab.process.tail(loser.log))
    seen = case.seen()
    e2e.wait("events by the other", lambda: case.seen(0.1) > seen + 20)
    assert winner.running()
    shop.stop()
    case.drain(relay=winner)
    generations = [record["generation"] for record in case.progress()]
    assert max(generations) - min(generations) <= 6, "they fenced each other: %s" % generations
    case.stop(winner)
    case.judge()
