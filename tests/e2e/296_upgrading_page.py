"""docs/UPGRADING.md from top to bottom, with 0.1.0 as the older program: each line of its blocks is run as it
stands there, but for the package and the service, which are a program and a process here. Every event comes
once and in order."""

import os
import re
import subprocess

import e2e
import older

SECONDS = 300
PAGE = os.path.join(e2e.ROOT, "docs", "UPGRADING.md")


def blocks():
    with open(PAGE) as file:
        return [one.split("\n") for one in re.findall(r"```sh\n(.*?)\n```", file.read(), re.S)]


class Machine:
    """Where the page is typed: `walferry` is the program that is installed."""

    def __init__(self, case, programs):
        self.case, self.programs, self.relay = case, programs, case.relay()
        self.bin = os.path.join(case.dir, "bin")
        os.makedirs(self.bin)
        self.install("old")

    def install(self, name):
        self.relay.binary = self.programs[name]
        link = os.path.join(self.bin, "walferry")
        if os.path.lexists(link):
            os.remove(link)
        os.symlink(self.programs[name], link)

    def type(self, line):
        if line.startswith("systemctl stop "):
            self.case.put(rows=3, transactions=3)
            self.case.stop(self.relay)
            self.case.put(rows=3, transactions=3)
        elif line.startswith("systemctl start "):
            self.case.start(self.relay)
            self.case.put(rows=2, transactions=3)
            self.case.drain(relay=self.relay)
        elif line.startswith("apt-get install "):
            self.install("old" if "old" in line else "new")
        else:
            assert line.startswith("walferry "), line
            if line == "walferry status" and self.relay.running():  # a person is slower than this test
                e2e.wait("readiness", self.relay.ready, 20)
            self.run(line)

    def run(self, line):
        self.relay.write_config()
        env = dict(os.environ, **e2e.sanitizers(e2e.build()))
        env.update(PATH=self.bin + ":" + env["PATH"], WALFERRY_CONFIG=self.relay.path)
        got = subprocess.run(["sh", "-c", line], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             stdin=subprocess.DEVNULL, text=True, timeout=60, check=False)
        print("$ %s\n%s" % (line, got.stdout), flush=True)
        assert got.returncode == 0, "%s: code %d\n%s" % (line, got.returncode, got.stdout)


with e2e.Case() as case:
    machine = Machine(case, {"old": older.build_0_1_0(), "new": e2e.binary()})
    case.setup(machine.relay)
    case.start(machine.relay)
    case.put(rows=4, transactions=3)
    before, beside, up, back = blocks()
    versions = []
    for block, program in ((before, None), (beside, "new"), (up, "old"), (back, None), (up, None)):
        if program:
            machine.install(program)
        for line in block:
            machine.type(line)
        versions.append(case.progress()[-1]["v"])
    assert versions == [1, 1, 3, 1, 3], versions
    case.stop(machine.relay)
    case.judge()
