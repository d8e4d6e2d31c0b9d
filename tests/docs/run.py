#!/usr/bin/python3
"""Run what README.md and docs/*.md print, as it is printed, against real servers. TAP.

Each page gets a PostgreSQL with scram-sha-256 on 127.0.0.1:5432, a database shop, a Kafka on
127.0.0.1:9092, and a directory that looks like the checkout; both addresses are free because all of it
lives in a network namespace of its own, and so are its processes. Then its fenced blocks are run from top to bottom:

  ```yaml   with a key relay: becomes walferry.yaml, and is checked; other YAML must parse
  ```sql    goes through psql, as the administrator, and stops at the first error
  ```sh     goes through sh -e, all blocks of a page in one environment; `walferry run` stays behind
            in the background until the page ends or the next one, once it is ready
  ```json, ```ini, ```text   are shown, not run

A block that cannot be run has a comment before it, which no reader sees: <!-- not run: why -->. One
that must fail has <!-- fails -->, and <!-- shows: TEXT --> wants that text in what it prints, within some
seconds. <!-- needs: LIBRARY --> before those, or alone, is a library of tools/lab/libraries.py, and the block
is skipped, and said, where that cannot be had. A block without a language, or with an unknown one, fails the test,
so nothing is passed over by mistake. With --self-test a page with a planted fault must fail.
"""

import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))

from lab import kafka, libraries, postgres  # noqa: E402

SHOWN = ("json", "ini", "text", "properties", "c")
BLOCK = re.compile(r"^(?:<!-- (?P<mark>[^>]*?) -->\n+)?(?P<indent> *)```(?P<language>\w*)\n"
                   r"(?P<text>.*?)^(?P=indent)```$", re.M | re.S)
HBA = ["local all all trust", "host all all 127.0.0.1/32 scram-sha-256"]
RUNS = "walferry run(?!.*(?:--until-caught-up|--help))"
READY_SECONDS = 60
SHOWN_SECONDS = 15


class Page:
    """The servers and the environment of one page."""

    def __init__(self, dir):
        self.dir = dir
        self.pg = postgres.Postgres(os.path.join(dir, "pg"), hba=HBA)
        self.pg.port = 5432
        self.broker = kafka.Kafka(os.path.join(dir, "kafka"))
        self.broker.port = 9092
        self.broker.bootstrap = "127.0.0.1:9092"
        self.work = os.path.join(dir, "work")
        self.relay = None
        self.variables = {}

    def __enter__(self):
        self.pg.start()
        for statement in ("ALTER ROLE postgres PASSWORD 'admin'", "CREATE DATABASE shop"):
            self.administer(statement)
        self.broker.start()
        self.make_work()
        return self

    def __exit__(self, *_):
        self.stop_relay()
        self.broker.stop()
        self.pg.stop()

    def administer(self, statement):
        import psycopg2
        connection = psycopg2.connect(self.pg.socket_dsn())
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
        connection.close()

    def make_work(self):
        """What is in the checkout, in a directory that may be written to."""
        os.makedirs(self.work)
        for name in os.listdir(ROOT):
            if name not in (".git", "walferry.yaml", "walferry.password"):
                os.symlink(os.path.join(ROOT, name), os.path.join(self.work, name))
        bin = os.path.join(self.dir, "bin")
        os.makedirs(bin)
        with open(os.path.join(bin, "sudo"), "w") as file:
            file.write('#!/bin/sh\nexec "$@"\n')
        # Kafka's own scripts, as far as pages use them.
        with open(os.path.join(bin, "kafka-acls.sh"), "w") as file:
            file.write('#!/bin/sh\nexec %s -cp "%s/*" org.apache.kafka.tools.AclCommand "$@"\n'
                       % (self.broker.java, self.broker.jars))
        for name in os.listdir(bin):
            os.chmod(os.path.join(bin, name), 0o755)
        self.env = {
            "PATH": "%s:%s/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin" % (bin, self.dir),
            "HOME": self.dir, "LANG": "C.UTF-8", "DESTDIR": self.dir, "MAKEFLAGS": "",
            "PGHOST": "127.0.0.1", "PGUSER": "postgres", "PGPASSWORD": "admin",
        }

    def shell(self, text, timeout=120):
        """One block; variables that it exports are there for the next."""
        state = os.path.join(self.dir, "state")
        script = text + "\nexport -p >%s\n" % state
        done = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", script], cwd=self.work,
                              env=dict(self.env, **self.variables), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=timeout, check=False)
        if done.returncode == 0:
            exported = subprocess.run(["bash", "-c", ". %s; env -0" % state], env={},
                                      stdout=subprocess.PIPE, text=True, check=True).stdout
            self.variables = dict(item.split("=", 1) for item in exported.split("\0") if item)
        return done.returncode, done.stdout

    def run_relay(self, line):
        self.stop_relay()
        self.log = os.path.join(self.dir, "relay.log")
        with open(self.log, "wb") as log:
            self.relay = subprocess.Popen(["bash", "-c", "exec " + line], cwd=self.work,
                                          env=dict(self.env, **self.variables), stdout=log,
                                          stderr=log)
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until and self.relay.poll() is None:
            code, _ = self.shell("walferry status --ready")
            if code == 0:
                return 0, ""
            time.sleep(0.2)
        with open(self.log) as log:
            return 1, "the relay is not ready:\n" + log.read()

    def stop_relay(self):
        if self.relay is not None:
            self.relay.terminate()
            self.relay.wait(20)
            self.relay = None

    def sh(self, text):
        """Lines up to a `walferry run`, which goes to the background, and those behind it."""
        said = ""
        for part in re.split("^(%s.*)$" % RUNS, text, flags=re.M):
            if re.match(RUNS, part):
                code, out = self.run_relay(re.sub(r"\s+#.*", "", part))
            elif part.strip():
                code, out = self.shell(part)
            else:
                continue
            said += out
            if code != 0:
                return code, said
        return 0, said

    def sql(self, text):
        path = os.path.join(self.dir, "block.sql")
        with open(path, "w") as file:
            file.write(text)
        return self.shell("psql -q -v ON_ERROR_STOP=1 -d shop -f " + path)

    def yaml(self, text):
        path = os.path.join(self.work, "walferry.yaml")
        if re.search(r"^relay:", text, re.M):
            with open(path, "w") as file:
                file.write(text)
            password = os.path.join(self.work, "walferry.password")
            if not os.path.exists(password):
                open(password, "w").close()
            return self.shell("%s check -c %s" % (os.path.join(ROOT, "build", "walferry"), path))
        import yaml
        try:
            list(yaml.safe_load_all(text))
        except yaml.YAMLError as error:
            return 1, str(error)
        return 0, ""


def blocks(text):
    for match in BLOCK.finditer(text):
        line = text[:match.start("language")].count("\n") + 1
        indent = match.group("indent")
        body = "".join(part[len(indent):] for part in match.group("text").splitlines(True))
        yield line, match.group("mark") or "", match.group("language"), body


def fences(text):
    return len(re.findall(r"^ *```", text, re.M))


def needed(text):
    """The libraries that a page names."""
    return set(re.findall(r"^<!-- needs: ([\w-]+)", text, re.M))


def run_needy(page, mark, language, body):
    """A block that wants a library in the environment."""
    name, _, rest = mark[7:].partition(", ")
    variables, why = json.loads(os.environ["WALFERRY_DOCS_LIBRARIES"])[name]
    if why is not None:
        return 0, "# SKIP " + why
    before = page.env
    page.env = dict(before, **variables)
    try:
        return run_block(page, rest, language, body)
    finally:
        page.env = before
        for variable in variables:
            page.variables.pop(variable, None)


def run_block(page, mark, language, body):
    """(code, output), or None where it is only shown."""
    if mark.startswith("needs: "):
        return run_needy(page, mark, language, body)
    if mark.startswith("not run: ") and len(mark) > 14 or language in SHOWN:
        return None
    if language not in ("sh", "sql", "yaml"):
        return 1, 'a block in "%s": run it, show it as text, or say why it is not run' % language
    shows = mark[7:] if mark.startswith("shows: ") else ""
    until = time.monotonic() + SHOWN_SECONDS
    while True:
        try:
            code, said = getattr(page, language)(body)
        except subprocess.TimeoutExpired as error:
            return 1, "no end within %d s: %s" % (error.timeout, error.stdout)
        if mark == "fails":
            return (0, said) if code != 0 else (1, "it did not fail\n" + said)
        if code == 0 and shows in said:
            return code, said
        if not shows or time.monotonic() > until:
            return code or 1, "not shown: %s\n%s" % (shows, said) if shows else said
        time.sleep(0.3)


def run_page(path, name):
    """[(title, ok, output)]"""
    with open(path) as file:
        text = file.read()
    found = list(blocks(text))
    results = [("%s: every block is seen" % name, fences(text) == 2 * len(found),
                "%d fences, %d blocks" % (fences(text), len(found)))]
    if all(mark.startswith("not run: ") or language in SHOWN for _, mark, language, _ in found):
        return results
    dir = tempfile.mkdtemp(prefix="walferry-docs-")
    os.chmod(dir, 0o755)
    try:
        with Page(dir) as page:
            for line, mark, language, body in found:
                outcome = run_block(page, mark, language, body)
                if outcome is not None:
                    results.append(("%s:%d %s" % (name, line, language), outcome[0] == 0,
                                    body + "\n" + outcome[1]))
    finally:
        shutil.rmtree(dir, ignore_errors=True)
    return results


def report(results, count):
    for title, ok, output in results:
        count += 1
        skip = " " + output[output.index("# SKIP "):] if ok and "# SKIP " in output else ""
        print("%s %d - %s%s" % ("ok" if ok else "not ok", count, title, skip), flush=True)
        if not ok:
            print("".join("    " + line + "\n" for line in output[-3000:].splitlines()), flush=True)
    return count


def self_test():
    """A page with a command that is wrong, a block that is not marked, and one that is."""
    with tempfile.NamedTemporaryFile("w", suffix=".md") as file:
        file.write("```sh\nwalferry chekc\n```\n\n```\nplain\n```\n\n<!-- not run: nobody can -->\n"
                   "```sh\nfalse\n```\n\n```sql\nSELECT 1 FROM nothing\n```\n\n```sh\ntrue\n```\n")
        file.flush()
        got = [(title.split(" ")[-1], ok) for title, ok, _ in run_page(file.name, "planted")]
    want = [("seen", True), ("sh", False), ("", False), ("sql", False), ("sh", True)]
    return [("planted faults are found", got == want, "%s, not %s" % (got, want))]


def pages_of_all():
    return ["README.md"] + sorted(glob.glob("docs/*.md", root_dir=ROOT))


def fetched(pages):
    """{library: ({variable: path}, why it cannot be had)}; where the pages run there is no network."""
    names = set()
    for name in pages:
        with open(os.path.join(ROOT, name)) as file:
            names |= needed(file.read())
    return {name: libraries.ensure(name) for name in sorted(names)}


def main(arguments):
    if os.environ.get("WALFERRY_DOCS_NAMESPACE") is None:
        if os.geteuid() != 0:
            print("ok 1 - commands of the documents # SKIP a network namespace needs root")
            return 0
        os.environ["WALFERRY_DOCS_NAMESPACE"] = "1"
        os.environ["WALFERRY_DOCS_LIBRARIES"] = json.dumps(fetched(arguments or pages_of_all()))
        # /proc is made private by hand: in a root that is no mount point unshare cannot do it.
        os.execvp("unshare", ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount",
                              "--propagation", "unchanged", "sh", "-ec",
                              "mount --make-rprivate /proc; mount -t proc proc /proc;"
                              ' ip link set lo up; exec "$@"', "sh",
                              sys.executable, os.path.abspath(__file__), *arguments])
    pages = arguments or pages_of_all()
    count, failed = 0, False
    for results in ([self_test()] if not arguments else []):
        count = report(results, count)
        failed |= not all(ok for _, ok, _ in results)
    for name in pages:
        results = run_page(os.path.join(ROOT, name), name)
        count = report(results, count)
        failed |= not all(ok for _, ok, _ in results)
    print("1..%d" % count)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
