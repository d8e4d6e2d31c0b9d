#!/usr/bin/python3
"""Run the test suites, time every test, count, and say which ones took longest.

  tools/test.py [SUITE...]      default: all of them, in this order:
    build      release, asan, tsan; gcc and clang with warnings as errors; size; make install
    lint       shellcheck, man pages, Python files that do not compile
    tidy       tests/tidy.sh
    unit       cmocka programs in tests/unit, tests/golden, tests/contract
    system     with the system's librdkafka, in build/system: the tests of publish/, which alone
               calls it, and a few end to end
    sim        the simulator (make sim, make sim-slow)
    fuzz       every fuzzer for a moment, from its seeds
    sql        the migrations on every PostgreSQL major
    docs       the commands that README and docs/ print, as they are printed
    compat     walferry against what the real Debezium connector was recorded to write
    counts     instructions a row, against those that are kept (bench/instructions)
    demo       what make demo runs, for a shorter time
    e2e        tests/e2e/run; it leaves build/reports/e2e.json
  and only where they are named:
    slow       tests/e2e/run --slow: the scripts that say SLOW = True, which mostly wait (make
               test-slow)
  and because they take too long for every day (make test-long):
    long       the simulator for longer; tests/e2e/run --long: the scripts that say LONG = True, and
               on every PostgreSQL major those that e2e runs on one

A suite that does not exist is an error, a test that cannot run here is "skipped" and counted. The
last line is `N passed, N failed, N skipped`; the exit code is 1 where anything failed.

A program counts as many tests as it reports: cmocka through its XML file, others as TAP lines
("ok 1 - name", "not ok 2 - name", "ok 3 - name # SKIP why"); one test where it reports none.
"""

import argparse
import collections
import concurrent.futures
import glob
import json
import os
import re
import resource
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree

from lab import kafka

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
REPORTS = os.path.join(ROOT, "build", "reports")
SIZE_LIMIT = 15 * 1000 * 1000
WAITING = ("sql", "docs")
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}

Result = collections.namedtuple("Result", "suite name seconds ok skipped output",
                                defaults=(False, ""))


def run(suite, name, command, timeout=600, env=None, cpu_seconds=None):
    """Run a command to its end; one Result for each test that it reports.

    cpu_seconds bounds what a program may compute. That is what tells an endless loop from a machine
    that has much else to do; timeout is for what waits and is never woken."""
    started = time.monotonic()
    xml = os.path.join(REPORTS, suite, re.sub(r"[^A-Za-z0-9_.-]", "_", name) + "-%g.xml")
    os.makedirs(os.path.dirname(xml), exist_ok=True)
    for old in glob.glob(xml.replace("%g", "*")):
        os.unlink(old)
    environment = dict(os.environ, **SANITIZERS)
    if "jobserver" in environment.get("MAKEFLAGS", ""):
        del environment["MAKEFLAGS"]  # its pipes are not handed down
    environment.update({"CMOCKA_MESSAGE_OUTPUT": "XML", "CMOCKA_XML_FILE": xml})
    environment.update(env or {})
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
                              check=False, preexec_fn=cpu_seconds and (
                                  lambda: resource.setrlimit(resource.RLIMIT_CPU,
                                                             (cpu_seconds, cpu_seconds + 5))))
        code, output = done.returncode, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as error:
        code = -1
        output = (error.stdout or b"").decode(errors="replace") + "\nno end within %d s" % timeout
    except OSError as error:
        code, output = -1, str(error)
    seconds = time.monotonic() - started
    if code == -signal.SIGXCPU:
        output += "\nno end within %d s of CPU time" % cpu_seconds
    found = []
    for file in sorted(glob.glob(xml.replace("%g", "*"))):
        found += from_xml(suite, name, file)
    if not found:
        found = from_tap(suite, name, output, seconds)
    if code == 77 and not found:  # automake's "cannot run here"
        return [Result(suite, name, seconds, True, True, output)]
    if code != 0 and all(result.ok for result in found):
        found.append(Result(suite, name, seconds, False, False, output))
    if not found:
        found.append(Result(suite, name, seconds, True, False, output))
    return found


def from_xml(suite, program, path):
    """The tests of one cmocka XML report."""
    results = []
    try:
        tree = ElementTree.parse(path)
    except ElementTree.ParseError:
        # The text of a failure is not always well-formed; the exit code says the rest.
        return []
    for case in tree.iter("testcase"):
        failure = case.find("failure")
        if failure is None:
            failure = case.find("error")
        results.append(Result(suite, "%s: %s" % (program, case.get("name")),
                              float(case.get("time") or 0), failure is None,
                              case.find("skipped") is not None,
                              (failure.text or "") if failure is not None else ""))
    return results


def from_tap(suite, program, output, seconds):
    """The tests of TAP output; the time of the program is shared out among them."""
    found = list(re.finditer(r"^(not )?ok\b(?: \d+)?(?: -)? ([^#\n]*?)\s*(?:# *(.*))?$", output,
                             re.M))
    ends = [match.start() for match in found[1:]] + [len(output)]
    results = []
    for match, end in zip(found, ends):
        bad, name, directive = match.group(1), match.group(2), match.group(3) or ""
        skipped = directive.lower().startswith("skip")
        time_given = re.search(r"time=([0-9.]+)", directive)
        each = float(time_given.group(1)) if time_given else seconds / len(found)
        results.append(Result(suite, "%s: %s" % (program, name), each, not bad, skipped,
                              output[match.end():end].strip("\n") if bad else ""))
    return results


class Runner:
    def __init__(self, make):
        self.make = shlex.split(make)
        self.results = []
        self.started = time.monotonic()

    def add(self, results):
        for result in results:
            self.results.append(result)
            if not result.ok:
                print("FAIL  %s/%s\n%s" % (result.suite, result.name,
                                           indent(result.output[-6000:])), flush=True)

    def whole(self, suite):
        """One suite, and the line that says what became of it and how busy the machine was."""
        started, (busy, total) = time.monotonic(), processor_time()
        getattr(self, suite)()
        seconds, (busy_now, total_now) = time.monotonic() - started, processor_time()
        mine = [result for result in self.results if result.suite == suite]
        failed = sum(not result.ok for result in mine)
        share = 100 * (busy_now - busy) / max(total_now - total, 1)
        print("%-6s %4d tests, %d failed, %.1f s, processors %.0f %% busy" % (
            suite, len(mine), failed, seconds, share), flush=True)

    def target(self, suite, *targets, timeout=900):
        """A make target as a test."""
        self.add(run(suite, "make " + " ".join(targets),
                     self.make + ["--no-print-directory", "-j%d" % (os.cpu_count() or 2)]
                     + list(targets), timeout))

    def build(self):
        # gcc sees all of it here and in unit-build, so only clang gets a pass of its own.
        self.target("build", "all", "WERROR=1")
        self.target("build", "asan", "WERROR=1")
        self.target("build", "tsan", "WERROR=1")
        self.target("build", "lint-clang")
        self.add([stripped_size()])
        self.add(run("build", "make install, uninstall", [
            "sh", "-ec", """
            dir=$(mktemp -d)
            trap 'rm -rf "$dir"' EXIT
            "$0" --no-print-directory install DESTDIR="$dir" PREFIX=/usr >/dev/null
            "$dir"/usr/bin/walferry version | grep '^allocator: jemalloc .*(static)$'
            test -z "$(nm "$dir"/usr/bin/walferry 2>/dev/null)"
            "$0" --no-print-directory install DESTDIR="$dir" PREFIX=/usr STRIP= >/dev/null
            nm "$dir"/usr/bin/walferry | grep -q ' T main$'
            test -s "$dir"/usr/share/man/man1/walferry.1
            test -s "$dir"/usr/share/walferry/walferry.yaml
            test -s "$dir"/usr/share/bash-completion/completions/walferry
            test -s "$dir"/usr/share/walferry/sql/001_outbox.sql
            grep -q Edenhill "$dir"/usr/share/doc/walferry/librdkafka-LICENSES.txt
            for unit in walferry walferry@; do
                grep -q '^ExecStart=/usr/bin/walferry' "$dir/usr/lib/systemd/system/$unit.service"
            done
            "$0" --no-print-directory uninstall DESTDIR="$dir" PREFIX=/usr >/dev/null
            test -z "$(find "$dir" -type f)"
            """, self.make[0]]))
        # As `sudo make install` behind `make`: another user, and so another cache.
        self.add(run("build", "make install with another cache builds nothing", [
            "sh", "-ec", """
            dir=$(mktemp -d)
            trap 'rm -rf "$dir"' EXIT
            before=$(stat -c %y build/walferry build/release/librdkafka.cflags)
            XDG_CACHE_HOME="$dir/cache" LIBRDKAFKA_TARBALL=/nonexistent \
                "$0" --no-print-directory install DESTDIR="$dir" >/dev/null
            test "$before" = "$(stat -c %y build/walferry build/release/librdkafka.cflags)"
            """, self.make[0]]))

    def lint(self):
        scripts = [path for path in tracked() if is_shell(path)]
        self.add(run("lint", "shellcheck", ["shellcheck"] + scripts))
        self.add(run("lint", "python compiles", [
            sys.executable, "-c",
            "import sys\nfor p in sys.argv[1:]: compile(open(p).read(), p, 'exec')"]
            + [path for path in tracked() if path.endswith(".py")]))
        for page in sorted(glob.glob("docs/man/*.[15]", root_dir=ROOT)):
            self.add(run("lint", page, ["mandoc", "-T", "lint", "-W", "warning", page]))
        self.target("lint", "all")
        self.add(run("lint", "tests/completion.py", [sys.executable, "tests/completion.py"]))

    def tidy(self):
        self.add(run("tidy", "tests/tidy.sh", ["tests/tidy.sh"]))

    def unit(self):
        self.target("unit", "unit-build", "WERROR=1")
        self.cmocka("unit", "build/asan", ["tests/unit/*_test.c", "tests/golden/*_test.c",
                                           "tests/contract/*_test.c"])

    def system(self):
        patterns = ["tests/unit/publish_*_test.c", "tests/contract/publisher_*_test.c"]
        sources = sum((glob.glob(pattern, root_dir=ROOT) for pattern in patterns), [])
        self.target("system", "SYSTEM_LIBRDKAFKA=1", "WERROR=1", "build/system/asan/walferry",
                    *["build/system/asan/" + source[:-2] for source in sources])
        self.add(run("system", "it says so", [
            "sh", "-ec", 'build/system/asan/walferry version | grep "^librdkafka .* (system)$"']))
        self.cmocka("system", "build/system/asan", patterns)
        self.end_to_end("system", "--build", "asan", "--only", "^(010|020|086)_",
                        env={"WALFERRY_E2E_FROM": "build/system"})

    def cmocka(self, suite, directory, patterns):
        """The programs in directory of the sources that match."""
        sources = sorted(sum((glob.glob(pattern, root_dir=ROOT) for pattern in patterns), []))
        programs = [(source[len("tests/"):-2], os.path.join(directory, source[:-2]))
                    for source in sources]
        # The contract of the publisher is tested against a real broker. Many of them wait for it.
        with tempfile.TemporaryDirectory(prefix="walferry-unit-") as dir, \
                kafka.Kafka(os.path.join(dir, "kafka")) as broker, \
                concurrent.futures.ThreadPoolExecutor(1 + (os.cpu_count() or 2)) as pool:
            env = {"WALFERRY_TEST_BOOTSTRAP": broker.bootstrap}
            for results in pool.map(lambda job: run(
                    suite, job[0], [job[1]], 600, env, cpu_seconds=120), programs):
                self.add(results)

    def sim(self):
        self.target("sim", "sim", "SIM_SEEDS=700")
        self.target("sim", "sim-slow", "SLOW_SEEDS=30")  # its three at a time

    def fuzz(self):
        self.target("fuzz", "fuzz-build")
        self.add(run("fuzz", "tests/fuzz/smoke.sh", ["tests/fuzz/smoke.sh", "build/fuzz", "5000"]))

    def sql(self):
        self.add(run("sql", "tests/sql/migrations.py",
                     [sys.executable, "tests/sql/migrations.py"]))

    def docs(self):
        self.add(run("docs", "tests/metrics/run.py", [sys.executable, "tests/metrics/run.py"]))
        self.add(run("docs", "tests/docs/run.py", [sys.executable, "tests/docs/run.py"]))

    def compat(self):
        self.add(run("compat", "tests/compat/self_test.py",
                     [sys.executable, "tests/compat/self_test.py"]))
        self.target("compat", "all")
        self.add(run("compat", "tests/compat/run", [
            sys.executable, "-u", "tests/compat/run", "compare", "--recorded",
            "--variant", "plain"]))

    def counts(self):
        self.target("counts", "build/bench/path", "build/walferry")
        self.add(run("counts", "bench/instructions", [sys.executable, "bench/instructions"], 300))

    def demo(self):
        self.add(run("demo", "tools/demo.py",
                     [sys.executable, "-u", "tools/demo.py", "--seconds", "6"], 180))

    def e2e(self):
        self.end_to_end("e2e")

    def long(self):
        self.target("long", "all", "asan", "tsan")
        self.target("long", "sim", "sim-slow", "SIM_SEEDS=6000", "SLOW_SEEDS=200", timeout=3600)
        reads = "build/asan/tests/unit/route_jq_reads_test"
        self.target("long", reads)
        self.add(run("long", "unit/route_jq_reads_test", [reads], 1800,
                     {"WALFERRY_JQ_PROGRAMS": "20000"}))
        self.add(run("long", "tests/sql/migrations.py",
                     [sys.executable, "tests/sql/migrations.py", "^migrators:"]))
        self.end_to_end("long", "--long")

    def slow(self):
        self.target("slow", "all", "asan")
        self.end_to_end("slow", "--slow")

    def end_to_end(self, suite, *arguments, env=None):
        report = os.path.join(REPORTS, "e2e.json")
        if os.path.exists(report):
            os.unlink(report)
        started = time.monotonic()
        code = subprocess.run(["tests/e2e/run", *arguments], cwd=ROOT, stdin=subprocess.DEVNULL,
                              env=dict(os.environ, **(env or {})), check=False).returncode
        seconds = time.monotonic() - started
        try:
            with open(report) as file:
                rows = json.load(file)
        except (OSError, ValueError) as error:
            rows = []
            print("e2e: no report: %s" % error)
        self.results += [Result(suite, row["name"], row["seconds"], row["ok"],
                                row.get("skipped", False)) for row in rows]
        if (code != 0 and all(row["ok"] for row in rows)) or not rows:
            self.add([Result(suite, "tests/e2e/run", seconds, False, False, "exit %d" % code)])

    def close(self):
        slowest = sorted(self.results, key=lambda result: -result.seconds)[:10]
        print("\nThe ten slowest:")
        for result in slowest:
            print("  %7.1f s  %s/%s" % (result.seconds, result.suite, result.name))
        skipped = [result for result in self.results if result.ok and result.skipped]
        failed = [result for result in self.results if not result.ok]
        for title, chosen in (("Skipped:", skipped), ("Failed:", failed)):
            if chosen:
                print("\n" + title)
                for result in chosen:
                    print("  %s/%s" % (result.suite, result.name))
        with open(os.path.join(REPORTS, "tests.json"), "w") as file:
            json.dump([result._replace(output="")._asdict() for result in self.results], file,
                      indent=1)
        passed = len(self.results) - len(failed) - len(skipped)
        print("\nin %.0f s" % (time.monotonic() - self.started))
        print("%d passed, %d failed, %d skipped" % (passed, len(failed), len(skipped)), flush=True)
        return 1 if failed or not passed else 0


def processor_time():
    """Busy and all time of the machine's processors since its start, in ticks (proc(5))."""
    with open("/proc/stat") as file:
        ticks = [int(word) for word in file.readline().split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def indent(text):
    return "".join("    " + line + "\n" for line in text.rstrip().splitlines())


def tracked():
    """The files of the project, as git sees them, or as the tree has them without git."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    if listed.returncode == 0:
        names = listed.stdout.split("\n")
    else:
        names = [os.path.relpath(os.path.join(base, name), ROOT)
                 for base, dirs, files in os.walk(ROOT) for name in files
                 if "/build" not in base and "/.git" not in base]
    return [name for name in sorted(set(names))
            if name and os.path.isfile(os.path.join(ROOT, name))]


def is_shell(path):
    with open(os.path.join(ROOT, path), "rb") as file:
        first = file.readline(80)
    return re.match(rb"#! *(/usr)?/bin/(env )?(ba|da)?sh\b", first) is not None


def stripped_size():
    """The release binary, stripped, is smaller than SIZE_LIMIT."""
    stripped = os.path.join(REPORTS, "walferry.stripped")
    os.makedirs(REPORTS, exist_ok=True)
    done = subprocess.run(["strip", "-o", stripped, os.path.join(ROOT, "build", "walferry")],
                          stderr=subprocess.STDOUT, stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        return Result("build", "stripped size", 0.0, False, False, done.stdout.decode())
    size = os.path.getsize(stripped)
    os.unlink(stripped)
    return Result("build", "stripped size", 0.0, size < SIZE_LIMIT, False, "%d bytes" % size)


def main():
    suites = ("build", "lint", "tidy", "unit", "system", "sim", "fuzz", "sql", "docs", "compat",
              "counts", "demo", "e2e")
    parser = argparse.ArgumentParser(description="run the test suites")
    parser.add_argument("--make", default="make", help="the make to build with")
    known = suites + ("slow", "long")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=" ".join(known))
    arguments = parser.parse_args()
    for suite in arguments.suites:
        if suite not in known:
            parser.error("no suite %s; there are: %s" % (suite, " ".join(known)))
    os.chdir(ROOT)
    os.makedirs(REPORTS, exist_ok=True)
    runner = Runner(arguments.make)
    for group in together(arguments.suites or suites):
        with concurrent.futures.ThreadPoolExecutor(len(group)) as pool:
            for done in [pool.submit(runner.whole, suite) for suite in group]:
                done.result()
    return runner.close()


def together(suites):
    """The suites in their order; those of WAITING, which leave the processors idle, side by side."""
    groups = []
    for suite in suites:
        if groups and suite in WAITING and groups[-1][-1] in WAITING:
            groups[-1].append(suite)
        else:
            groups.append([suite])
    return groups


if __name__ == "__main__":
    sys.exit(main())
