"""Client libraries of applications, with which the tests run the lines of docs/DEVELOPERS.md as they are
printed. Fetched once, by the registries' own clients, and kept beside the other downloads.

  python3 tools/lab/libraries.py          fill the cache now, and say what cannot be had
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lab import cache  # noqa: E402

FETCH_SECONDS = 240


class Library:
    """program runs it, fetch gets it into {dir}, variable finds it there under path."""

    def __init__(self, version, program, fetch, variable, path):
        self.version, self.program, self.fetch = version, program, fetch
        self.variable, self.path = variable, path


LIBRARIES = {
    "sqlalchemy": Library(
        "2.0.36", sys.executable,
        [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps",
         "--root-user-action=ignore", "--target", "{dir}", "SQLAlchemy=={version}",
         "typing_extensions==4.12.2"], "PYTHONPATH", ""),
    "node-postgres": Library(
        "8.13.1", "node",
        ["npm", "install", "--silent", "--no-package-lock", "--no-audit", "--no-fund",
         "--ignore-scripts", "--prefix", "{dir}", "pg@{version}"], "NODE_PATH", "node_modules"),
    "jdbc": Library(
        "42.7.4", "javac",
        ["mvn", "-B", "-q", "dependency:copy", "-Dartifact=org.postgresql:postgresql:{version}",
         "-DoutputDirectory={dir}"], "CLASSPATH", "postgresql-42.7.4.jar"),
}


def _fetch(name, target):
    """Why not; None where it is there now."""
    library = LIBRARIES[name]
    fresh = tempfile.mkdtemp(dir=cache.dir())
    try:
        command = [part.format(dir=fresh, version=library.version) for part in library.fetch]
        if shutil.which(command[0]) is None:
            return "%s is not here" % command[0]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False,
                              cwd=fresh, stderr=subprocess.STDOUT, text=True, timeout=FETCH_SECONDS)
        if done.returncode != 0 or not os.path.exists(os.path.join(fresh, library.path)):
            last = done.stdout.strip().splitlines()[-1:]
            return "%s cannot be fetched: %s" % (name, " ".join(last)[:120])
        os.chmod(fresh, 0o755)
        os.rename(fresh, target)
        return None
    except subprocess.TimeoutExpired:
        return "%s cannot be fetched in %d s" % (name, FETCH_SECONDS)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def ensure(name):
    """({variable: path}, None), or ({}, why it cannot be had)."""
    library = LIBRARIES[name]
    if shutil.which(library.program) is None:
        return {}, "%s is not here" % library.program
    target = os.path.join(cache.dir(), "%s-%s" % (name, library.version))
    with open(os.path.join(cache.dir(), name + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        why = None if os.path.isdir(target) else _fetch(name, target)
    return ({library.variable: os.path.join(target, library.path)}, None) if why is None else ({}, why)


if __name__ == "__main__":
    for each in sorted(LIBRARIES):
        found, reason = ensure(each)
        print("%s: %s" % (each, reason or " ".join(found.values())))
