"""A private PostgreSQL server on a free loopback port.

wal_level is logical and fsync is off unless the test's conf says otherwise. The superuser is
`postgres` and everybody on loopback is trusted unless hba gives other lines.
"""

import os
import signal
import subprocess

from . import cache, ports, process

DEFAULTS = {
    "listen_addresses": "127.0.0.1",
    "wal_level": "logical",
    "max_wal_senders": 40,
    "max_replication_slots": 40,
    "max_connections": 150,
    "shared_buffers": "64MB",
    "max_wal_size": "4GB",
    "fsync": "off",
    "full_page_writes": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d/%a ",
}

TRUST = ["local all all trust", "host all all 127.0.0.1/32 trust",
         "local replication all trust", "host replication all 127.0.0.1/32 trust"]


def _quote(value):
    """One value of a libpq connection string."""
    return "'%s'" % str(value).replace("\\", "\\\\").replace("'", "\\'")


class Postgres:
    superuser = "postgres"

    def __init__(self, dir, major=None, conf=None, hba=None, keep=False):
        """dir: made by us, belongs to the server's user; hba: lines of pg_hba.conf.

        major: Debian's own where none is named (15 on Debian 12, 17 on 13)."""
        major = major or cache.own_major()
        self.bin = cache.postgres_bin(major)
        if self.bin is None:
            raise RuntimeError("PostgreSQL %d cannot be had on this machine" % major)
        self.major = major
        self.user = process.unprivileged()
        self.dir = os.path.abspath(dir)
        self.data_dir = os.path.join(self.dir, "data")
        self.log = os.path.join(self.dir, "postgres.log")
        # A socket path has a limit of 107 bytes, so the socket stays at the top.
        self.socket_dir = self.dir
        self.conf = dict(DEFAULTS, **(conf or {}))
        self.hba = list(hba) if hba else TRUST
        self.keep = keep
        self.port = ports.free_port()
        self._child = None

    @property
    def pid(self):
        return self._child.pid if self._child else None

    def start(self, timeout=60):
        if not os.path.exists(os.path.join(self.data_dir, "PG_VERSION")):
            self._initdb()
        self._write_conf()
        with open(self.log, "ab") as log:
            self._child = process.spawn(
                [os.path.join(self.bin, "postgres"), "-D", self.data_dir, "-p", self.port,
                 "-k", self.socket_dir],
                user=self.user, death_signal="QUIT", keep=self.keep, stdout=log, stderr=log,
                cwd=self.dir)
        process.wait_for("PostgreSQL does not start", self._answers, timeout, self._child, self.log)
        return self

    def _initdb(self):
        process.give(self.dir, self.user)
        child = process.spawn(
            [os.path.join(self.bin, "initdb"), "-D", self.data_dir, "-U", self.superuser,
             "-A", "trust", "-E", "UTF8", "--locale=C", "-N"],
            user=self.user, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=self.dir)
        output = child.communicate()[0]
        if child.returncode != 0:
            raise RuntimeError("initdb failed:\n%s" % output.decode(errors="replace"))

    def _write_conf(self):
        with open(os.path.join(self.data_dir, "postgresql.auto.conf"), "w") as file:
            for key, value in self.conf.items():
                file.write("%s = '%s'\n" % (key, str(value).replace("'", "''")))
        self.write_hba(self.hba)

    def write_hba(self, lines):
        """New pg_hba.conf lines; a running server needs reload() to see them."""
        self.hba = list(lines)
        with open(os.path.join(self.data_dir, "pg_hba.conf"), "w") as file:
            file.write("\n".join(self.hba) + "\n")

    def _answers(self):
        import psycopg2
        try:
            psycopg2.connect(self.socket_dsn(connect_timeout=2)).close()
            return True
        except psycopg2.OperationalError as error:
            # A test may refuse the superuser; the server is up all the same.
            return "pg_hba" in str(error) or "authentication" in str(error)

    def to_next_timeline(self):
        """The server goes through recovery and comes back on the next timeline, its slots with it."""
        self.stop()
        signal_file = os.path.join(self.data_dir, "standby.signal")
        with open(signal_file, "w"):
            pass
        os.chmod(signal_file, 0o666)
        self.start()
        assert self.sql("SELECT pg_promote(true, 60)")[0][0]

    def dsn(self, dbname="postgres", user="postgres", **extra):
        """A libpq connection string over TCP."""
        parts = dict({"host": "127.0.0.1", "port": self.port, "dbname": dbname, "user": user},
                     **extra)
        return " ".join("%s=%s" % (key, _quote(value)) for key, value in parts.items())

    def socket_dsn(self, dbname="postgres", user="postgres", **extra):
        """The same over the Unix socket."""
        return self.dsn(dbname, user, **dict({"host": self.socket_dir}, **extra))

    def connect(self, dbname="postgres", user="postgres", autocommit=True, **extra):
        """A psycopg2 connection over TCP."""
        import psycopg2
        connection = psycopg2.connect(self.dsn(dbname, user, **extra))
        connection.autocommit = autocommit
        return connection

    def sql(self, text, parameters=None, dbname="postgres", user="postgres"):
        """Run text in autocommit; the rows, or None where there are none."""
        connection = self.connect(dbname, user)
        try:
            with connection.cursor() as cursor:
                cursor.execute(text, parameters)
                return cursor.fetchall() if cursor.description else None
        finally:
            connection.close()

    def psql(self, *arguments, dbname="postgres", user="postgres", timeout=60):
        """Run psql as the migrations are meant to be run: (code, output and errors together)."""
        psql = os.path.join(self.bin, "psql")
        result = subprocess.run(
            [psql if os.path.exists(psql) else "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1",
             "-d", self.dsn(dbname, user), *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=timeout, check=False)
        return result.returncode, result.stdout

    def reload(self):
        self._child.send_signal(signal.SIGHUP)

    def stop(self, mode="fast", timeout=30):
        """Stop as pg_ctl does; raise where the server is still there after timeout."""
        if self._child is None:
            return
        number = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}[mode]
        if self._child.poll() is None:
            self._child.send_signal(number)
            try:
                self._child.wait(timeout)
            except subprocess.TimeoutExpired:
                raise RuntimeError("PostgreSQL did not stop (%s) within %g s%s"
                                   % (mode, timeout, process.tail(self.log))) from None
        self._child = None

    def kill(self):
        """SIGKILL for the postmaster; its children notice and end by themselves."""
        process.end(self._child, signal.SIGKILL)
        self._child = None

    def restart(self, mode="fast", timeout=30):
        self.stop(mode, timeout)
        return self.start()

    def __enter__(self):
        return self.start() if self._child is None else self

    def __exit__(self, *_):
        try:
            self.stop("immediate", 10)
        except RuntimeError:
            self.kill()
