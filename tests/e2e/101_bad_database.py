"""Bad databases: each refused with an exit code and a text that names the thing and its mend."""

import socket
import struct
import threading

import e2e

HBA = ["local all all trust", "host all postgres 127.0.0.1/32 trust",
       "host all all 127.0.0.1/32 scram-sha-256"]


def packet(kind, body):
    return kind + struct.pack(">i", len(body) + 4) + body


class Fake:
    """Answers every start-up packet the same way."""

    def __init__(self, answer):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.answer = answer
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self._client, args=(client,), daemon=True).start()

    def _client(self, client):
        while True:
            head = client.recv(8)
            if len(head) < 8:
                return
            length, code = struct.unpack(">ii", head)
            client.recv(length - 8) if length > 8 else None
            if code in (80877103, 80877104):  # SSL, GSS: no
                client.sendall(b"N")
                continue
            client.sendall(self.answer)
            client.recv(1000)
            client.close()
            return


OLD = packet(b"R", struct.pack(">i", 0)) + packet(b"S", b"server_version\x0013.9\0") + \
    packet(b"S", b"client_encoding\0UTF8\0") + packet(b"K", struct.pack(">ii", 1, 1)) + \
    packet(b"Z", b"I")
# What PgBouncer says to a replication connection.
POOLER = packet(b"E", b"SFATAL\0C08P01\0Munsupported startup parameter: replication\0\0")

with e2e.own_postgres(hba=HBA, conf={"max_replication_slots": 2}) as postgres, \
        e2e.Case(postgres=postgres) as case:
    case.sql("CREATE ROLE ferry LOGIN SUPERUSER REPLICATION PASSWORD 'right'")
    case.sql("CREATE ROLE plain LOGIN PASSWORD 'right'; GRANT SELECT ON public.outbox TO plain")

    def relay(connection, **more):
        return case.relay(e2e.merge({"source": {"connection": connection}}, more))

    def bad(connection, code, says, *commands):
        """setup ends with that code; of check it is the answer: no."""
        one = relay(connection)
        for command in commands or (("setup",), ("check", "--connect")):
            print(case.command(one, *command, code=1 if command[0] == "check" else code, says=says,
                               timeout=40), flush=True)

    bad(case.dsn("ferry", password="wrong"), 2, "password authentication failed")
    bad(case.dsn("nobody", password="wrong"), 2, "nobody")
    bad(postgres.dsn("no_such_database"), 2, "no_such_database")
    bad(case.dsn("plain", password="right"), 2, "REPLICATION|replication", ("check", "--connect"))
    bad("host=127.0.0.1 port=%d dbname=x user=postgres" % Fake(OLD).port, 2, "14")
    bad("host=127.0.0.1 port=%d dbname=x user=postgres" % Fake(POOLER).port, 2, "pooler|PgBouncer",
        ("check", "--connect"))

    # The publication: missing, then without the routed table.
    good = relay(case.dsn())
    case.command(good, "check", "--connect", code=1, says='publication "%s"' % case.db)
    case.sql('CREATE PUBLICATION "%s"' % case.db)
    case.command(good, "check", "--connect", code=1, says="public.outbox")
    case.sql('DROP PUBLICATION "%s"' % case.db)
    case.refused(good, 2, "walferry setup")

    # No free slot.
    for number in (1, 2):
        case.sql("SELECT pg_create_physical_replication_slot('taken_%d')" % number)
    case.command(good, "setup", code=2, says="max_replication_slots")
    case.sql("SELECT pg_drop_replication_slot('taken_1')")
    case.setup(good)
    case.start(good)
    case.put(rows=3)
    case.drain(relay=good)
    case.stop(good)

    # It loses its publication, then its table there, while it is down.
    case.sql('ALTER PUBLICATION "%s" DROP TABLE public.outbox' % case.db)
    case.refused(good, 2, "public.outbox")
    case.sql('DROP PUBLICATION "%s"' % case.db)
    case.refused(good, 2, "publication")
    # Rows of that time would be missing; here there are none, which only a person can know.
    case.command(good, "setup", code=3, says=("publication .*: created", "has changed"))
    case.mend(good, case.refused(good, 3, "publication_changed"), "--yes")
    case.start(good)
    case.put(rows=3)
    case.drain(relay=good)
    case.stop(good)
    case.judge()

with e2e.own_postgres(conf={"wal_level": "replica"}) as postgres, \
        e2e.Case(postgres=postgres, label="_replica") as case:
    one = case.relay()
    for command in (("setup",), ("check", "--connect")):
        case.command(one, *command, code=1 if command[0] == "check" else 2,
                     says="wal_level .*ALTER SYSTEM")
