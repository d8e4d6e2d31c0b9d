"""A private PgBouncer in front of a PostgreSQL, on a free loopback port.

Everybody whom the server trusts is trusted. The binary is $WALFERRY_PGBOUNCER, or the machine's own.
"""

import os
import re
import shutil
import socket
import subprocess

from . import ports, process

# From this version on it carries replication.
CARRIES = (1, 23)


def find():
    """(binary, version as numbers), or None where there is none."""
    path = os.environ.get("WALFERRY_PGBOUNCER") or shutil.which("pgbouncer") or \
        shutil.which("pgbouncer", path="/usr/sbin")
    if not path or not os.path.exists(path):
        return None
    text = subprocess.run([path, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return path, tuple(int(number) for number in re.search(r"PgBouncer (\d+)\.(\d+)", text).groups())


class PgBouncer:
    def __init__(self, dir, postgres, binary, pool_mode="session", users=("postgres",)):
        """dir: made by us, belongs to the server's user."""
        self.dir = os.path.abspath(dir)
        self.postgres = postgres
        self.binary = binary
        self.pool_mode = pool_mode
        self.users = users
        self.port = ports.free_port()
        self.log = os.path.join(self.dir, "pgbouncer.log")
        self._child = None

    def dsn(self, dbname, user="postgres"):
        return "host=127.0.0.1 port=%d dbname=%s user=%s" % (self.port, dbname, user)

    def start(self):
        users, ini = (os.path.join(self.dir, name) for name in ("users.txt", "pgbouncer.ini"))
        with open(users, "w") as file:
            file.write("".join('"%s" ""\n' % user for user in self.users))
        with open(ini, "w") as file:
            file.write("[databases]\n* = host=127.0.0.1 port=%d\n[pgbouncer]\n"
                       "listen_addr = 127.0.0.1\nlisten_port = %d\nunix_socket_dir =\n"
                       "auth_type = trust\nauth_file = %s\npool_mode = %s\n"
                       "ignore_startup_parameters = extra_float_digits\n"
                       % (self.postgres.port, self.port, users, self.pool_mode))
        process.give(self.dir, self.postgres.user)
        with open(self.log, "ab") as log:
            self._child = process.spawn([self.binary, ini], user=self.postgres.user, stdout=log,
                                        stderr=log, cwd=self.dir)
        process.wait_for("PgBouncer does not start", self._listens, 20, self._child, self.log)
        return self

    def _listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def stop(self):
        """All its connections end."""
        process.end(self._child)
        self._child = None

    def __enter__(self):
        return self.start() if self._child is None else self

    def __exit__(self, *_):
        if self._child is not None:
            self.stop()
