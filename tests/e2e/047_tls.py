"""PostgreSQL under TLS, where bytes may wait inside OpenSSL while the socket is quiet, and where each
message is a record of its own that is read by itself: transactions large and small arrive at once."""

import os
import shutil
import subprocess
import sys
import time

import e2e

if shutil.which("openssl") is None:
    sys.exit(77)

with e2e.own_postgres() as postgres:
    key, certificate = (os.path.join(postgres.data_dir, "server" + end) for end in (".key", ".crt"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", key, "-out", certificate], check=True, stderr=subprocess.DEVNULL)
    os.chmod(key, 0o600)
    e2e.lab.process.give(postgres.data_dir, postgres.user)
    postgres.conf["ssl"] = "on"
    postgres.restart()
    with e2e.Case(postgres=postgres) as case:
        root = os.path.join(case.dir, "root.crt")
        shutil.copy(certificate, root)
        relay = case.up({"source": {"connection": case.dsn(sslmode="verify-full",
                                                           sslrootcert=root)}})
        assert case.one("SELECT ssl FROM pg_stat_ssl JOIN pg_stat_replication USING (pid)")
        for rows in (1, 100, 20000, 1, 3000, 10):
            case.put(rows=rows, pad=200)
            began = time.monotonic()
            case.drain(relay=relay)
            took = time.monotonic() - began
            print("%d rows after %.2f s" % (rows, took))
            assert took < 5, "%d rows took %.1f s" % (rows, took)
        case.stop(relay)
        case.judge()
