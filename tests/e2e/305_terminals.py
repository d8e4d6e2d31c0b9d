"""What is printed for a terminal goes to one only: each command in a pty, with NO_COLOR, on one that knows no
sequences (TERM=dumb), and into a pipe. Colours and the cursor's ways are where they are wanted, and nowhere
else; each --help fits 80 columns and has examples."""

import os
import pty
import re
import signal
import subprocess
import time

import e2e

COLOUR = re.compile(r"\x1b\[[0-9;]*[1-9][0-9;]*m")
ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"
# Each command as it is safe beside a running relay; a code of None ends by a signal.
COMMANDS = [("check",), ("check", "--connect"), ("doctor",), ("doctor", "-o", "short"), ("doctor", "--probe"),
            ("setup",), ("status",), ("status", "--ready"), ("top", "--once"), ("dead-letter", "list"),
            ("reload", "--dry-run"), ("config", "show"), ("rebase", "--to", "nowhere"), ("skip", "nobody"),
            ("teardown",)]


def in_terminal(relay, arguments, term="xterm", no_colour=False, answer=None, until=None, config=True):
    """(code, all that it wrote) of the command with a terminal for everything."""
    pid, fd = pty.fork()
    if pid == 0:
        env = dict(relay._env(None), TERM=term)
        env.pop("NO_COLOR", None)
        if no_colour:
            env["NO_COLOR"] = "1"
        more = ["-c", relay.path] if config else []
        os.execve(relay.binary, [relay.binary, arguments[0], *more, *arguments[1:]], env)
    text, end, ended = "", time.monotonic() + 60, False
    os.set_blocking(fd, False)
    while not ended:
        assert time.monotonic() < end, (arguments, text)
        ended = bool(os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT))
        try:
            text += os.read(fd, 1 << 16).decode()
        except BlockingIOError:
            time.sleep(0.02)
        except OSError:  # the other end is closed
            time.sleep(0.02)
        if answer and "[y/N]" in text:
            os.write(fd, answer)
            answer = None
        if until and until in text:
            os.kill(pid, signal.SIGINT)
            until = None
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(fd)
    assert not e2e.REPORT.search(text), text
    return code, text


def plain(text):
    """Without the line that says what is waited for, which comes where the machine is slow."""
    return re.sub(r"\r[^\r\n]*\x1b\[K", "", text)


def commands(relay):
    for arguments in COMMANDS:
        name = " ".join(arguments)
        answer = b"n\n" if arguments == ("teardown",) else None
        code, text = in_terminal(relay, arguments, answer=answer)
        assert text.strip() and not COLOUR.search(text), (name, text)
        assert "\x1b" not in plain(text), (name, text)
        for more in ({"term": "dumb"}, {"term": "xterm", "no_colour": True}):
            again, text = in_terminal(relay, arguments, answer=answer, **more)
            assert again == code, (name, code, again, text)
            assert "\x1b" not in (text if more["term"] == "dumb" else plain(text)), (name, text)
        piped, out, err = relay.run(*arguments, env={"TERM": "xterm"})
        assert "\x1b" not in out + err and piped == (code if not answer else 2), (name, code, piped, out, err)


def top(relay):
    """It has colours and the screen on a terminal, no colours with NO_COLOR, and prints once where it cannot."""
    code, text = in_terminal(relay, ("top",), until="streaming")
    assert code == 0 and COLOUR.search(text) and text.count(ENTER) == text.count(LEAVE) == 1, text
    code, text = in_terminal(relay, ("top",), no_colour=True, until="streaming")
    assert code == 0 and not COLOUR.search(text) and ENTER in text, text
    code, text = in_terminal(relay, ("top",), term="dumb")
    assert code == 0 and "streaming" in text and "\x1b" not in text, text
    done = subprocess.run([relay.binary, "top", "-c", relay.path], env=dict(relay._env(None), TERM="xterm"),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60)
    assert done.returncode == 0 and "\x1b" not in done.stdout, done.stdout


def helps(relay):
    overview = subprocess.run([relay.binary, "help"], stdout=subprocess.PIPE, text=True, check=True,
                              env=relay._env(None)).stdout
    names = re.findall(r"^  ([a-z-]+) +", overview, re.M)
    assert {arguments[0] for arguments in COMMANDS} | {"run", "top", "help", "version"} == set(names), names
    for name in names:
        for term in ("xterm", "dumb"):
            code, text = in_terminal(relay, (name, "--help"), term=term, config=False)
            assert code == 0 and "\x1b" not in text, (name, text)
            assert max(map(len, text.split("\r\n"))) <= 80, (name, text)
            assert re.search(r"examples:\r\n  walferry %s" % name, text), (name, text)


with e2e.Case() as case:
    relay = case.up()
    case.put(rows=3)
    case.drain(relay=relay)
    relay.wait_ready()
    commands(relay)
    top(relay)
    helps(relay)
    case.stop(relay)
    case.judge()
