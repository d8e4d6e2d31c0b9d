"""The migrations by other hands than psql's: golang-migrate and Flyway, with the names that
docs/DEVELOPERS.md gives the files. Where a tool cannot be had, its test is skipped."""

import os
import re
import shutil
import subprocess
import tempfile

from lab import cache

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MIGRATE = "github.com/golang-migrate/migrate/v4/cmd/migrate@v4.18.1"
TABLES = ("SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace::regnamespace::text"
          " IN ('public', 'walferry') ORDER BY 1")
POM = os.path.join(ROOT, "tests", "sql", "flyway.pom.xml")


class Skip(Exception):
    """Why a test cannot run here."""


def documented(directory):
    """The lines of the page that copy sql/ to migrations/, run as they are printed."""
    with open(os.path.join(ROOT, "docs", "DEVELOPERS.md")) as page:
        block = page.read().split("<!-- migrations -->")[1].split("```sh\n")[1].split("```")[0]
    os.symlink(os.path.join(ROOT, "sql"), os.path.join(directory, "sql"))
    subprocess.run(["sh", "-ec", block], cwd=directory, check=True)
    return os.path.join(directory, "migrations")


def run(arguments, timeout=240):
    done = subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=timeout, check=False)
    return done.returncode, done.stdout


def migrate_program():
    """golang-migrate: the one of the path, else built once and kept with the other downloads."""
    kept = os.path.join(cache.dir(), "migrate-v4.18.1")
    found = shutil.which("migrate") or (os.path.exists(kept) and kept)
    if found:
        return found
    if shutil.which("go") is None:
        raise Skip("neither migrate nor go is here")
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(["go", "install", "-tags", "postgres", MIGRATE], check=False,
                              env=dict(os.environ, GOBIN=directory), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
        if done.returncode != 0:
            raise Skip("golang-migrate cannot be fetched")
        shutil.move(os.path.join(directory, "migrate"), kept)
    return kept


def golang_migrate(server):
    """All up, all down, all up again; what is left behind is its own table."""
    program = migrate_program()
    url = "postgres://postgres@127.0.0.1:%d/postgres?sslmode=disable" % server.port
    with tempfile.TemporaryDirectory() as directory:
        path = documented(directory)
        names = sorted(os.listdir(path))
        ups = sum(name.endswith(".up.sql") for name in names)
        assert ups == sum(name.endswith(".down.sql") for name in names) >= 12, names
        before = server.sql(TABLES)
        for arguments in (["up"], ["down", "-all"], ["up"]):
            code, said = run([program, "-path", path, "-database", url, *arguments])
            assert code == 0, said
            have = {name for name, in server.sql(TABLES)}
            assert {"outbox", "inbox", "saga"} <= have if arguments == ["up"] else \
                have == {"schema_migrations"} | {name for name, in before}, have
        code, said = run([program, "-path", path, "-database", url, "down", "-all"])
        assert code == 0, said
    server.sql("DROP TABLE schema_migrations")


def flyway(server):
    """All of it, and once more, which finds nothing to do. Its undo is not in the free edition: psql."""
    if shutil.which("mvn") is None:
        raise Skip("mvn is not here")
    with tempfile.TemporaryDirectory() as directory:
        path = documented(directory)
        command = ["mvn", "-B", "-q", "-f", POM, "flyway:migrate",
                   "-Dflyway.url=jdbc:postgresql://127.0.0.1:%d/postgres" % server.port,
                   "-Dflyway.user=postgres", "-Dflyway.locations=filesystem:" + path,
                   "-Dflyway.schemas=public"]
        for _ in range(2):
            code, said = run(command)
            if code != 0 and re.search("Could not (transfer|find) artifact|could not be resolved", said):
                raise Skip("Flyway cannot be fetched")
            assert code == 0, said
        count = server.sql("SELECT count(*) FROM flyway_schema_history WHERE success AND version <> '0'")
        files = [name for name in os.listdir(path) if name.startswith("V")]
        assert count == [(len(files),)] and len(files) >= 12, (count, files)
        for name in sorted(files, reverse=True):
            undo = name.split("__")[1].replace(".sql", ".undo.sql")
            code, said = server.psql("-f", os.path.join(ROOT, "sql", undo))
            assert code == 0, said
    server.sql("DROP TABLE flyway_schema_history")


TESTS = (golang_migrate, flyway)
