"""Two EndTxn are sent in one transaction, because the first answer is lost: strict mode makes the
producer anew before the next transaction, and nothing is lost or twice."""

import e2e
from lab.proxy import CUT, RESPONSE, KafkaProxy

with e2e.Case() as case, KafkaProxy(case.kafka.bootstrap) as proxy:
    relay = case.up({"kafka": {"bootstrap.servers": proxy.address}})
    case.put(rows=3)
    case.drain(relay=relay)
    for number in range(1, 4):
        inits = proxy.seen["InitProducerId"]
        cut = proxy.rule("EndTxn", RESPONSE, CUT)
        case.put(rows=3)
        assert cut.hit.wait(20)
        case.drain(relay=relay)
        case.put(rows=3)
        case.drain(relay=relay)
        e2e.wait("a new producer", lambda: proxy.seen["InitProducerId"] > inits)
    recreated = relay.metric("walferry_producers_recreated_total")
    failed = len(relay.events("epoch.failed"))
    assert recreated + failed >= 3, (recreated, failed)
    assert recreated >= 1, "strict mode was never needed: %s" % relay.log_text()
    case.stop(relay)
    case.judge("dump")
