"""walferry top in a terminal of the test's own: what it shows fits, is drawn anew each second and after a
resize, survives the relay's end and return, and the terminal is given back at every end."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios

import e2e

ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"
TOKEN = "0123456789abcdef-top"


class Screen:
    """The program in a terminal; its frames as lists of lines."""

    def __init__(self, relay, rows=24, columns=80, env=None, more=()):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(relay.binary, [relay.binary, "top", "-c", relay.path, *more],
                      dict(relay._env(None), LANG="C.UTF-8", TERM="xterm", LC_ALL="C.UTF-8", **(env or {})))
        self.text = ""
        self.ended = None
        self.resize(rows, columns)
        os.set_blocking(self.fd, False)

    def resize(self, rows, columns):
        self.rows, self.columns = rows, columns
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        try:
            self.text += os.read(self.fd, 1 << 16).decode()
        except (BlockingIOError, OSError):
            pass
        return self.text

    def frame(self):
        """The newest whole one."""
        frames = re.findall(r"\x1b\[H((?:(?!\x1b\[H).)*?)\x1b\[J", self.read(), re.S)
        return re.split(r"\r+\n", re.sub(r"\x1b\[[0-9;]*[mK]", "", frames[-1])) if frames else []

    def wait(self, what, probe, timeout=12):
        e2e.wait("%s; it shows %s" % (what, self.frame()), lambda: probe("\n".join(self.frame())), timeout)
        frame = self.frame()
        assert len(frame) <= self.rows and max(map(len, frame)) <= self.columns, frame
        return frame

    def echoes(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def exit(self, timeout=5):
        """Its exit code, or minus the signal; the terminal is what it was."""
        def gone():
            self.read()
            pid, self.ended = os.waitpid(self.pid, os.WNOHANG)
            return pid
        e2e.wait("top does not end", gone, timeout)
        self.read()
        assert self.text.count(ENTER) == self.text.count(LEAVE), self.text[-200:]
        assert self.text.rstrip().endswith(LEAVE), repr(self.text[-200:])
        os.close(self.fd)
        return os.waitstatus_to_exitcode(self.ended)


def state(pid):
    with open("/proc/%d/stat" % pid) as file:
        return file.read().rsplit(")", 1)[1].split()[0]


with e2e.Case(config={"admin": {"token": TOKEN}}) as case:
    relay = case.up()
    screen = Screen(relay)
    screen.wait("it is ready", lambda text: "READY, streaming" in text and "NOT READY" not in text)
    assert not screen.echoes()
    case.put(rows=50, transactions=4)
    case.drain(20)
    lines = screen.wait("events are counted", lambda text: re.search(r"outbox +\S+ +200 ", text))
    assert any("passes: " in line for line in lines) and any("none" in line for line in lines), lines
    assert "\x1b[32m" in screen.text
    # Another size is heeded at once, a small one, too.
    for size in ((40, 160), (10, 30), (3, 20), (24, 80)):
        screen.resize(*size)
        screen.wait("it fits %s" % (size,), lambda text: 0 < len(text.split("\n")) <= size[0] and max(
            map(len, text.split("\n"))) <= size[1], 3)
    # Stopped by the shell's key, it is the shell's terminal meanwhile.
    os.kill(screen.pid, signal.SIGTSTP)
    e2e.wait("it stops", lambda: state(screen.pid) == "T", 3)
    assert screen.read().endswith(LEAVE) and screen.echoes()
    os.kill(screen.pid, signal.SIGCONT)
    screen.wait("it goes on", lambda text: screen.text.count(ENTER) == 2 and "READY, streaming" in text)
    assert not screen.echoes()
    os.kill(screen.pid, signal.SIGSTOP)
    e2e.wait("it stops", lambda: state(screen.pid) == "T", 3)
    os.kill(screen.pid, signal.SIGCONT)
    e2e.wait("it has taken the terminal again", lambda: screen.read().count(ENTER) == 3, 3)
    # The relay ends and comes again; what was known stays.
    relay.kill()
    lines = screen.wait("it is away", lambda text: "AWAY: no answer from the admin port" in text)
    assert any("outbox" in line for line in lines)
    case.start(relay)
    screen.wait("it is back", lambda text: "AWAY" not in text and "READY, streaming" in text)
    case.put(rows=10)
    case.drain(20)
    screen.wait("it counts anew", lambda text: re.search(r"outbox +\S+ +10 ", text))
    os.write(screen.fd, b"xq")
    assert screen.exit() == 0
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        screen = Screen(relay, env={"NO_COLOR": "1"})
        screen.wait("it is ready", lambda text: "READY, streaming" in text)
        assert not re.search(r"\x1b\[[0-9;]*[1-9]m", screen.text), screen.text[-500:]
        os.kill(screen.pid, number)
        assert screen.exit() == 0
    # No terminal, or asked for: one picture.
    text = case.command(relay, "top", says="READY, streaming.*Routes.*outbox")
    assert "\x1b" not in text
    # Another token, and nobody: said, with a code.
    path = relay.path + ".other"
    with open(relay.path) as file, open(path, "w") as other:
        other.write(file.read().replace(TOKEN, TOKEN + "x"))
    done = subprocess.run([relay.binary, "top", "-c", path], env=relay._env(None), text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 1 and "asks for another token" in done.stderr, done
    case.stop(relay)
    case.command(relay, "top", "--once", code=1, says="no answer from the admin port .*is the relay running")
    case.judge()
