"""The relay as a child process: its config file, its log, its admin port."""

import json
import os
import signal
import subprocess
import urllib.error
import urllib.request

from . import process


class Relay:
    def __init__(self, binary, config, dir, env=None, name="relay", keep=False):
        """config: a dict, written as JSON (which is YAML) at every start, so a test may edit it."""
        self.binary = os.path.abspath(binary)
        self.config = config
        self.dir = os.path.abspath(dir)
        self.env = dict(env or {})
        self.name = name
        self.keep = keep
        self.path = os.path.join(self.dir, name + ".yaml")
        self.log = os.path.join(self.dir, name + ".log")
        self.returncode = None
        self._child = None
        self._mark = 0
        os.makedirs(self.dir, exist_ok=True)

    @property
    def pid(self):
        return self._child.pid if self._child else None

    def write_config(self, config=None):
        if config is not None:
            self.config = config
        fresh = self.path + ".new"
        with open(fresh, "w") as file:
            json.dump(self.config, file, indent=2)
            file.write("\n")
        os.replace(fresh, self.path)

    def _env(self, env):
        return dict(os.environ, **dict(self.env, **(env or {})))

    def start(self, *arguments, command="run", env=None):
        """`walferry run -c FILE ...` in the background; its log is appended to .log."""
        assert self._child is None or self._child.poll() is not None, "the relay runs already"
        self.write_config()
        self._mark = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        self.returncode = None
        with open(self.log, "ab") as log:
            self._child = process.spawn([self.binary, command, "-c", self.path, *arguments],
                                        keep=self.keep, stdout=log, stderr=log,
                                        env=self._env(env))
        return self

    def run(self, command, *arguments, timeout=60, env=None, input=None):
        """A command to its end: (code, standard output, standard error)."""
        self.write_config()
        try:
            result = subprocess.run(
                [self.binary, command, "-c", self.path, *arguments], timeout=timeout, text=True,
                errors="replace", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env=self._env(env), check=False,
                **({"input": input} if input is not None else {"stdin": subprocess.DEVNULL}))
        except subprocess.TimeoutExpired as late:
            said = b"".join(each or b"" for each in (late.stdout, late.stderr)).decode(errors="replace")
            raise RuntimeError("walferry %s did not end within %g s\n%s"
                               % (" ".join((command,) + arguments), timeout, said)) from None
        return result.returncode, result.stdout, result.stderr

    def running(self):
        return self._child is not None and self._child.poll() is None

    def signal(self, number):
        self._child.send_signal(number)

    def wait(self, timeout=30):
        """The exit code; raises with the end of the log where it does not end."""
        try:
            self.returncode = self._child.wait(timeout)
        except subprocess.TimeoutExpired:
            raise RuntimeError("%s did not end within %g s%s"
                               % (self.name, timeout, process.tail(self.log))) from None
        return self.returncode

    def stop(self, timeout=15):
        """SIGTERM; the exit code. Raises where it takes longer than timeout."""
        if self._child is None:
            return None
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill(self):
        """SIGKILL."""
        if self._child is not None:
            self.returncode = process.end(self._child, signal.SIGKILL)

    def pause(self):
        self._child.send_signal(signal.SIGSTOP)

    def resume(self):
        self._child.send_signal(signal.SIGCONT)

    def log_text(self, all=False):
        """What was logged since the last start (or ever)."""
        if not os.path.exists(self.log):
            return ""
        with open(self.log, errors="replace") as file:
            file.seek(0 if all else self._mark)
            return file.read()

    def log_lines(self, all=False):
        return self.log_text(all).splitlines()

    def events(self, event, all=False):
        """The log lines of one event."""
        return [line for line in self.log_lines(all) if is_event(line, event)]

    def wait_log(self, event, timeout=30, count=1):
        """Wait for the count-th line of an event since the last start; that line."""
        process.wait_for("%s never logged %s" % (self.name, event),
                         lambda: len(self.events(event)) >= count, timeout, self._child, self.log)
        return self.events(event)[count - 1]

    def admin(self, path, timeout=5):
        """GET from the admin port: (status, body)."""
        url = "http://%s%s" % (self.config["admin"]["listen"], path)
        try:
            with urllib.request.urlopen(url, timeout=timeout) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def ready(self):
        """Whether /readyz says 200 now."""
        try:
            return self.admin("/readyz")[0] == 200
        except OSError:
            return False

    def wait_ready(self, timeout=30):
        process.wait_for("%s does not become ready" % self.name, self.ready, timeout, self._child,
                         self.log)
        return self

    def metric(self, name, **labels):
        """The sum of a metric's samples whose labels include the given ones."""
        total = 0.0
        for line in self.admin("/metrics")[1].splitlines():
            if not line.startswith("#") and line.split("{")[0].split(" ")[0] == name:
                if all('%s="%s"' % item in line for item in labels.items()):
                    total += float(line.rsplit(" ", 1)[1])
        return total

    def state(self):
        """One letter, as in proc(5): T is stopped."""
        with open("/proc/%d/stat" % self.pid) as file:
            return file.read().rsplit(")", 1)[1].split()[0]

    def rss_kb(self):
        return self._memory_kb("VmRSS")

    def peak_rss_kb(self):
        """The most that it ever was."""
        return self._memory_kb("VmHWM")

    def _memory_kb(self, name):
        with open("/proc/%d/status" % self.pid) as file:
            return int(next(line for line in file if line.startswith(name + ":")).split()[1])

    def cpu_seconds(self):
        """User and system time of the process so far."""
        with open("/proc/%d/stat" % self.pid) as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


def is_event(line, event):
    """Whether a log line, logfmt or JSON, is of this event."""
    if line.startswith("{"):
        try:
            return json.loads(line).get("event") == event
        except ValueError:
            return False
    return " event=%s " % event in " %s " % line
