"""SIGHUP with a file that passes every look, claims, and is refused by the server only when the stream is to
start. By then the record in Kafka says what is published by the new file's routes. The relay goes back to
the old file all the same, which routes fewer tables, or more, says so, and goes on publishing; also where
the publication names schemas, and the one of the new route is not the old one's."""

import signal
import struct

import e2e
from lab.proxy import REQUEST, Proxy

REFUSAL = b"SERROR\0VERROR\0C42501\0Mpermission denied to use replication slots\0\0"


class RefusesToStart(Proxy):
    """A way to PostgreSQL on which START_REPLICATION is answered with an error."""
    refused = 0

    def _pump(self, pair, source, sink, direction, state):
        state[direction] = pair
        super()._pump(pair, source, sink, direction, state)

    def _connection_state(self):
        return {}

    def _forward(self, data, sink, direction, state):
        if direction != REQUEST or b"START_REPLICATION" not in data:
            return super()._forward(data, sink, direction, state)
        self.refused += 1
        client = state[direction][0]
        client.sendall(b"E" + struct.pack(">i", len(REFUSAL) + 4) + REFUSAL
                       + b"Z" + struct.pack(">i", 5) + b"I")
        return True


def goes_back(case, routes, others):
    """A relay with these routes meets a file with others whose stream is refused."""
    with RefusesToStart(case.pg.port) as refuses:
        relay = case.up({"routes": routes})
        case.put(rows=2)
        case.drain(relay=relay)
        old = relay.config
        relay.write_config(e2e.merge(old, {
            "source": {"connection": case.dsn(port=refuses.port)}, "routes": others}))
        claims = len(case.progress())
        relay.signal(signal.SIGHUP)
        e2e.wait("the file is refused",
                 lambda: relay.events("config.refused") or not relay.running(), 30)
        assert relay.running(), relay.log_text()[-3000:]
        assert refuses.refused == 1, refuses.refused
        assert "replication" in relay.events("config.refused")[0]
        e2e.wait("the old file is in force", lambda: len(relay.events("epoch.opened")) == 2, 30)
        assert len(case.progress()) >= claims + 2, "the new file has not claimed"
        assert not relay.events("publication.changed"), relay.log_text()[-3000:]
        case.put(rows=2)
        case.drain(relay=relay)
        relay.config = old
        case.stop(relay)
        case.judge()


SQL = ("CREATE SCHEMA more; CREATE TABLE more.there (LIKE public.outbox INCLUDING ALL);"
       " CREATE TABLE public.there (LIKE public.outbox INCLUDING ALL);")
SCHEMAS = ("CREATE PUBLICATION walferry_%s FOR TABLES IN SCHEMA public, more"
           " WITH (publish = 'insert', publish_via_partition_root = true)")


def routes(case, *tables):
    base = case.config()["routes"][0]
    return [dict(base, name="r%d" % i, **{"from": table}) for i, table in enumerate(tables)]


with e2e.Case(label="_a", sql=SQL) as case:
    case.setup(case.relay({"routes": routes(case, "public.outbox", "public.there")}, name="both"))
    goes_back(case, routes(case, "public.outbox"), routes(case, "public.outbox", "public.there"))

with e2e.Case(label="_b", sql=SQL) as case:
    goes_back(case, routes(case, "public.outbox", "public.there"), routes(case, "public.outbox"))

with e2e.Case(label="_c", sql=SQL) as case:
    case.sql(SCHEMAS % case.name)
    goes_back(case, routes(case, "public.outbox"), routes(case, "public.outbox", "more.there"))
