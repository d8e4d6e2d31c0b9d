#!/usr/bin/python3
"""Break the program on purpose and demand that the named test notices.

  tests/mutants/run.py [--only PATTERN] [--kinds KIND,...] [--jobs N] [--out DIRECTORY]
                       [--list] [--check]

The mutants stand in table.py. The tree is copied to DIRECTORY (build/mutants), once for each job.
First every killer is run unmutated and must pass; then each mutant is applied, must compile, and
its killer must fail and say what the table says. An expression that is not found exactly once is a
failure: the source has moved on and the mutant must follow.

KIND: sim, unit (seconds each), broker (starts a Kafka), e2e (starts PostgreSQL and Kafka for each).
Prints a TAP line for each; the exit code is 1 where one failed."""

import argparse
import contextlib
import fnmatch
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, "tools")]

import table
from lab import kafka

SIM = "build/asan/tests/sim/sim"
SIM_SEEDS = 50
ENVIRONMENT = dict(os.environ, ASAN_OPTIONS="detect_leaks=0:abort_on_error=0")
for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "CMOCKA_MESSAGE_OUTPUT", "CMOCKA_XML_FILE"):
    ENVIRONMENT.pop(name, None)


class Problem(Exception):
    pass


# ---- Killers ----

def kind_of(killer):
    return killer.split()[0]


def target_of(killer):
    """What make has to build for it."""
    kind, _, rest = killer.partition(" ")
    if kind == "sim":
        return [SIM]
    if kind in ("unit", "broker"):
        return [program_of(rest)]
    return ["all", "asan"]


def program_of(name):
    for part in ("unit", "contract", "golden"):
        if os.path.exists(os.path.join(ROOT, "tests", part, name + ".c")):
            return "build/asan/tests/%s/%s" % (part, name)
    raise Problem("there is no test program %s" % name)


def command_of(killer):
    kind, _, rest = killer.partition(" ")
    if kind == "sim":
        # One seed that fails is enough.
        return [SIM, "--seeds", rest or str(SIM_SEEDS), "--failures", "1"]
    if kind in ("unit", "broker"):
        return [program_of(rest)]
    return ["tests/e2e/run", "--only", "^" + rest + r".*\.asan"]


def run_killer(killer, tree, env):
    """(passed, output)"""
    timeout = 600 if kind_of(killer) == "e2e" else 300
    try:
        done = subprocess.run(command_of(killer), cwd=tree, env=env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
                              check=False)
    except subprocess.TimeoutExpired as error:
        return False, (error.stdout or b"").decode(errors="replace") + "\nno end in time"
    return done.returncode == 0, done.stdout.decode(errors="replace")


# ---- Trees ----

def tracked():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    if listed.returncode == 0:
        names = listed.stdout.split("\n")
    else:
        names = [os.path.relpath(os.path.join(base, name), ROOT)
                 for base, dirs, files in os.walk(ROOT) for name in files
                 if "/build" not in base and "/.git" not in base]
    return [name for name in names if name and os.path.isfile(os.path.join(ROOT, name))]


def copy_tree(tree):
    """The sources, and what is built of them already, with their times: make goes on from there."""
    shutil.rmtree(tree, ignore_errors=True)
    for name in tracked():
        path = os.path.join(tree, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        shutil.copy2(os.path.join(ROOT, name), path)
    os.makedirs(os.path.join(tree, "build"))
    built = os.path.join(ROOT, "build", "asan")
    if os.path.isdir(built):
        subprocess.run(["cp", "-a", built, os.path.join(tree, "build", "asan")], check=False)


def make(tree, targets):
    done = subprocess.run(["make", "-s", "-j2"] + targets, cwd=tree, env=ENVIRONMENT, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise Problem("it does not compile:\n" + done.stdout[-3000:])


# ---- Mutants ----

def pattern_of(expression):
    """Any blanks and line breaks between the tokens."""
    return re.compile(r"\s*".join(re.escape(token)
                                  for token in re.findall(r"\w+|[^\w\s]", expression)))


def mutated(mutant, tree):
    """({path: what it is}, {path: what it becomes}). Raises Problem."""
    was = {}
    texts = {}
    for name in tracked():
        if any(fnmatch.fnmatch(name, where) for where in mutant.where):
            with open(os.path.join(tree, name)) as file:
                texts[name] = file.read()
    for expression, replacement in mutant.changes:
        found = [(name, match) for name, text in texts.items()
                 for match in pattern_of(expression).finditer(text)]
        if len(found) != 1:
            raise Problem("stands %d times in %s: %s" % (len(found), " ".join(mutant.where),
                                                         expression))
        name, match = found[0]
        was.setdefault(name, texts[name])
        texts[name] = texts[name][:match.start()] + replacement + texts[name][match.end():]
    return was, texts


def apply(mutant, tree):
    """Changes the files; returns {path: what it was}."""
    was, becomes = mutated(mutant, tree)
    for name in was:
        write(tree, name, becomes[name])
    return was


def write(tree, name, text):
    with open(os.path.join(tree, name), "w") as file:
        file.write(text)


def judge(mutant, tree, env):
    """What was noticed, in a line. Raises Problem."""
    was = apply(mutant, tree)
    try:
        make(tree, target_of(mutant.killer))
        passed, output = run_killer(mutant.killer, tree, env)
    finally:
        for name, text in was.items():
            write(tree, name, text)
    if passed:
        raise Problem("%s does not notice" % mutant.killer)
    said = re.search(r"^.*(%s).*$" % mutant.says, output, re.M)
    if said is None:
        raise Problem("%s fails, but does not say /%s/:\n%s" % (mutant.killer, mutant.says,
                                                               output[-3000:]))
    return said.group(0).strip()


# ---- A run ----

def check_table(chosen):
    """Without building anything: does each expression still stand once?"""
    problems = 0
    for mutant in chosen:
        try:
            mutated(mutant, ROOT)
        except Problem as problem:
            print("mutant %s: %s" % (mutant.name, problem))
            problems += 1
    return 1 if problems else 0


class Report:
    def __init__(self):
        self.lock = threading.Lock()
        self.passed = self.failed = 0

    def say(self, ok, name, seconds, detail=""):
        with self.lock:
            self.passed += ok
            self.failed += not ok
            print("%s %d - %s # time=%.1f" % ("ok" if ok else "not ok", self.passed + self.failed,
                                              name, seconds))
            for line in detail.splitlines():
                print("    " + line[:200])
            sys.stdout.flush()


def worker(tree, jobs, env, report):
    while True:
        try:
            mutant = jobs.get_nowait()
        except queue.Empty:
            return
        started = time.monotonic()
        name = "mutant %s (%s), killed by %s" % (mutant.name, mutant.breaks, mutant.killer)
        try:
            detail = judge(mutant, tree, env)
            report.say(True, name, time.monotonic() - started, detail)
        except Problem as problem:
            report.say(False, name, time.monotonic() - started, str(problem))


def check_killers(killers, tree, env, report):
    """Unmutated they pass; a test that fails anyway kills nothing."""
    make(tree, sorted({target for killer in killers for target in target_of(killer)}))
    for killer in killers:
        started = time.monotonic()
        passed, output = run_killer(killer, tree, env)
        if "skipped: " in output:
            passed = False
        report.say(passed, "unmutated: " + killer, time.monotonic() - started,
                   "" if passed else output[-3000:])


def run(chosen, jobs, out):
    report = Report()
    killers = sorted({mutant.killer for mutant in chosen})
    trees = [os.path.join(out, "tree%d" % i) for i in range(jobs)]
    with contextlib.ExitStack() as stack:
        env = dict(ENVIRONMENT)
        if any(kind_of(killer) == "broker" for killer in killers):
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="walferry-mutants-"))
            broker = stack.enter_context(kafka.Kafka(os.path.join(directory, "kafka")))
            env["WALFERRY_TEST_BOOTSTRAP"] = broker.bootstrap
        for tree in trees:
            copy_tree(tree)
        check_killers(killers, trees[0], env, report)
        if report.failed == 0:
            work(chosen, trees, env, report)
    print("%d passed, %d failed" % (report.passed, report.failed))
    return 1 if report.failed or not report.passed else 0


def work(chosen, trees, env, report):
    """End-to-end tests use the machine alone; the others share it."""
    alone = queue.Queue()
    beside = queue.Queue()
    for mutant in chosen:
        (alone if kind_of(mutant.killer) == "e2e" else beside).put(mutant)
    threads = [threading.Thread(target=worker, args=(tree, beside, env, report)) for tree in trees]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    worker(trees[0], alone, env, report)


def main():
    parser = argparse.ArgumentParser(description="break the program; the tests must notice")
    parser.add_argument("--only", default="", metavar="PATTERN", help="of the names")
    parser.add_argument("--kinds", default="sim,unit,broker,e2e")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--out", default=os.path.join(ROOT, "build", "mutants"))
    parser.add_argument("--list", action="store_true", help="only name them")
    parser.add_argument("--check", action="store_true",
                        help="only see whether each expression stands once, build nothing")
    arguments = parser.parse_args()
    kinds = arguments.kinds.split(",")
    chosen = [mutant for mutant in table.MUTANTS
              if re.search(arguments.only, mutant.name) and kind_of(mutant.killer) in kinds]
    if len({mutant.name for mutant in table.MUTANTS}) != len(table.MUTANTS):
        sys.exit("two mutants have one name")
    if arguments.list:
        for mutant in chosen:
            print("%-50s %-9s %s" % (mutant.name, mutant.breaks, mutant.killer))
        return 0
    if arguments.check:
        return check_table(chosen)
    return run(chosen, arguments.jobs, os.path.abspath(arguments.out))


if __name__ == "__main__":
    sys.exit(main())
