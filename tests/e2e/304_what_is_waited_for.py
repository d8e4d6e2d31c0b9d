"""No command is silent for longer than two seconds, beside a Kafka and a PostgreSQL that take a connection and say
nothing: a line on stderr says what it waits for, in place on a terminal, else at first and every ten seconds; under
--json nothing. `run` logs it until its first epoch is open."""

import os
import pty
import re
import signal
import socket
import subprocess
import time

import e2e
import lab.process
from lab.proxy import KafkaProxy

SLOW = True
SECONDS = 300

LATE_S = 4  # two seconds, and what a busy machine takes to begin
LINE = re.compile(r"^walferry (\S+): still at work after (\d+) s(?:: (.*))?$", re.M)


class Silent:
    """A port that takes connections and says nothing."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(64)
        self.port = self.socket.getsockname()[1]
        self.address = "127.0.0.1:%d" % self.port


class Command:
    """One that is at work; its standard error as it comes."""

    def __init__(self, case, relay, *arguments):
        self.name, self.relay = " ".join(arguments), relay
        self.path = os.path.join(case.dir, "said.%d" % len(os.listdir(case.dir)))
        relay.write_config()
        self.out, self.err = open(self.path + ".out", "wb"), open(self.path + ".err", "wb")
        self.began = time.monotonic()
        self.child = lab.process.spawn([relay.binary, arguments[0], "-c", relay.path, *arguments[1:]],
                                       stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.err,
                                       env=relay._env(None))

    def said(self):
        with open(self.path + ".err", errors="replace") as file:
            return file.read()

    def lines(self):
        return LINE.findall(self.said())

    def tells(self, on, timeout=LATE_S, count=1):
        """So many lines, the first in time; what each waits for."""
        try:
            e2e.wait("a line", lambda: len(self.lines()) >= count, timeout - (time.monotonic() - self.began))
        except RuntimeError:
            raise AssertionError("walferry %s says nothing:\n%s" % (self.name, self.said())) from None
        for name, seconds, text in self.lines():
            assert name == self.name.split()[0] and int(seconds) >= 2, self.said()
            assert re.search(on, text), "walferry %s: %s" % (self.name, self.said())
        with open(self.path + ".out", errors="replace") as file:
            assert "still at work" not in file.read()

    def end(self):
        """It ends when it is asked to."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGINT)
        code = self.child.wait(20)
        self.out.close()
        self.err.close()
        assert not e2e.REPORT.search(self.said()), self.said()
        return code


def all_tell(case, relay, commands, on):
    """A few at a time, for the machine has two cores."""
    for first in range(0, len(commands), 4):
        working = [Command(case, relay, *one) for one in commands[first:first + 4]]
        for one in working:
            one.tells(on)
        for one in working:
            one.end()


def commands_of(case):
    there = "%d-%016X-1" % (case.one("SELECT system_identifier FROM pg_control_system()"), 0x7000000)
    return [("status",), ("check", "--connect"), ("doctor",), ("doctor", "--probe"), ("setup",),
            ("setup", "--from-debezium", "lsn:0/1000000"), ("rebase", "--to", "slot", "--accept-loss", "--yes"),
            ("skip", there), ("teardown", "--yes"), ("setup", "--progress-version", "2")]


def silent_kafka(case, silent):
    case.setup(case.relay())  # or some would end for what is missing at the database
    relay = case.relay({"kafka": {"bootstrap.servers": silent.address}})
    commands = commands_of(case) + [("dead-letter", "list"), ("dead-letter", "show"),
                                    ("setup", "--switch-to", "wal")]
    all_tell(case, relay, commands, "waits for Kafka at %s: " % silent.address)
    # Again every ten seconds, and nothing under --json.
    quiet = Command(case, relay, "status", "--json")
    often = Command(case, relay, "doctor")
    often.tells(r"^check \w+; waits for Kafka", timeout=16, count=2)
    assert [10 <= int(two) - int(one) <= 13 for one, two in [[line[1] for line in often.lines()[:2]]]] == [True]
    assert not quiet.lines(), quiet.said()
    for one in (quiet, often):
        one.end()


def silent_postgres(case, silent):
    relay = case.relay({"source": {"connection": "host=127.0.0.1 port=%d dbname=x user=y" % silent.port}})
    commands = [one for one in commands_of(case) if one[0] != "setup" or "--progress-version" not in one]
    all_tell(case, relay, commands + [("run", "--publisher", "stdout"),
                                      ("dead-letter", "retry", "--all")],
             "waits for PostgreSQL at 127.0.0.1, port %d, to take the connection" % silent.port)


def running(case, silent):
    """run logs it: what it waits for is told before its first epoch, and never again."""
    relay = case.relay({"kafka": {"bootstrap.servers": silent.address}})
    relay.start()
    line = relay.wait_log("epoch.waits", timeout=LATE_S)
    assert 'detail="waits for Kafka at %s: ' % silent.address in line and re.search(r" seconds=[234]$", line), line
    relay.stop()
    relay.config["kafka"]["bootstrap.servers"] = case.kafka.bootstrap
    case.setup(relay)
    case.start(relay)
    case.put(rows=3)
    case.drain(relay=relay)
    time.sleep(3)
    assert not relay.events("epoch.waits"), relay.log_text()
    return relay


def in_place(case, silent):
    """One line that is renewed each second and is gone before anything else is said."""
    relay = case.relay({"kafka": {"bootstrap.servers": silent.address}})
    relay.write_config()
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(relay.binary, [relay.binary, "check", "--connect", "-c", relay.path],
                  dict(relay._env(None), TERM="xterm"))
    text, end = "", time.monotonic() + 6
    os.set_blocking(fd, False)
    while time.monotonic() < end and text.count("still at work") < 3:
        try:
            text += os.read(fd, 1 << 16).decode()
        except BlockingIOError:
            time.sleep(0.05)
    os.kill(pid, signal.SIGINT)
    os.set_blocking(fd, True)
    try:
        while True:
            part = os.read(fd, 1 << 16).decode()
            if not part:
                break
            text += part
    except OSError:
        pass
    os.waitpid(pid, 0)
    os.close(fd)
    shown = re.findall(r"\r(walferry check: still at work after (\d) s: [^\r\n]*)\x1b\[K", text)
    assert len(shown) >= 3 and [one[1] for one in shown[:3]] == ["2", "3", "4"], text
    assert all(len(one[0]) < 80 for one in shown), shown
    # What is left once each line that was renewed is taken away has none of it.
    left = re.sub(r"\r[^\r\n]*?\x1b\[K", "", text)
    assert "still at work" not in left and "walferry: " in left, text


def a_command_waits(case, relay):
    """The relay is away, and a command to it is not answered; and one that a reload waits for."""
    case.apply("005_command.sql")
    case.setup(relay)
    case.stop(relay)
    one = Command(case, relay, "dead-letter", "retry", "--all")
    one.tells(r"^0 letters done, command \d+ is sent and not answered yet")
    one.end()
    with KafkaProxy(case.kafka.bootstrap) as proxy:
        relay.config["kafka"]["bootstrap.servers"] = proxy.address
        case.start(relay)
        proxy.black_hole()
        relay.config["retry"]["max_ms"] = 900
        one = Command(case, relay, "reload", "--yes")
        one.tells("waits for the relay at %s" % relay.config["admin"]["listen"], timeout=LATE_S + 2)
        one.end()
        proxy.flow()
    case.stop(relay)


with e2e.Case() as case:
    case.kafka.create_topic(case.prefix + "any")  # without one, brokers count as coming up for 20 s
    silent_kafka(case, Silent())
    silent_postgres(case, Silent())
    in_place(case, Silent())
    relay = running(case, Silent())
    a_command_waits(case, relay)
