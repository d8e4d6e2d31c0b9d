"""The image for arm64, built on amd64 and run by an emulator: make test-image-arm64.

It is apart from the other container tests, since making a base image of Debian by an emulator takes
minutes. An emulator that the kernel has been told of is used; otherwise Debian's is, and the kernel
forgets it again. BuildKit makes the image, of docker itself before 23, of the plugin buildx after it.
"""

import contextlib
import json
import os
import re
import shutil
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PLATFORM = "linux/arm64"
BINFMT = "/proc/sys/fs/binfmt_misc"
MACHINE = "b700"  # e_machine of arm64, at the end of what marks its programs
RUN = ("run", "--rm", "--platform", PLATFORM, "--network", "none", "--read-only", "--cap-drop", "ALL")
# jq runs in a process that the relay starts of itself: for `when` and for the value, two of one row.
ROWS = [
    {"op": "update", "table": "orders", "key": ["id"], "types": {"id": "integer"},
     "before": {"id": 7, "status": "paid"},
     "after": {"id": 7, "customer_id": 3, "total": "9.90", "status": "shipped"}},
    {"op": "insert", "table": "baskets", "key": ["id"], "types": {"id": "bigint", "lines": "jsonb"},
     "after": {"id": 8, "lines": [{"sku": "\u00fc-1", "count": 2}, {"sku": "b", "count": -1}]}}]
VALUES = [{"order": 7, "customer": 3, "total": "9.90"},
          {"basket": 8, "sku": "\u00fc-1", "count": 2}, {"basket": 8, "sku": "b", "count": -1}]


def knows():
    """Whether the kernel runs programs of arm64 in containers, too: F has opened the emulator."""
    for name in os.listdir(BINFMT) if os.path.isdir(BINFMT) else []:
        if name not in ("register", "status"):
            with open(os.path.join(BINFMT, name)) as file:
                said = dict((line.replace(":", "").split(" ", 1) + [""])[:2]
                            for line in file.read().splitlines())
            if "enabled" in said and "F" in said.get("flags", "") \
                    and said.get("magic", "").startswith("7f454c46") and said["magic"].endswith(MACHINE):
                return True
    return False


@contextlib.contextmanager
def emulator(sh, skip):
    """The kernel knows one for as long as this lasts."""
    if knows():
        yield
        return
    mounted = os.path.exists(BINFMT + "/register")
    if not mounted and sh("mount", "-t", "binfmt_misc", "binfmt_misc", BINFMT,
                          check=False).returncode != 0:
        raise skip("the kernel can be told of no emulator (binfmt_misc)")
    name = "walferry-%d" % os.getpid()
    try:
        with tempfile.TemporaryDirectory(dir="/var/tmp") as work:
            os.chmod(work, 0o755)
            done = sh("sh", "-euc", "apt-get -qq download qemu-user-static >log 2>&1 || { cat log; exit 1; }; "
                      "dpkg-deb -x *.deb .", cwd=work, check=False)
            program = work + "/usr/bin/qemu-aarch64-static"
            if done.returncode != 0 or not os.path.exists(program):
                raise skip("Debian 12 has an emulator in qemu-user-static, here is none: " + done.stdout[-300:])
            with open(work + "/usr/lib/binfmt.d/qemu-aarch64.conf") as file:
                mark = file.read().strip().split(":")[2:6]
            with open(BINFMT + "/register", "w") as file:
                file.write(":".join(["", name, *mark, program, "F"]))
        yield
    finally:
        if os.path.exists(os.path.join(BINFMT, name)):
            with open(os.path.join(BINFMT, name), "w") as file:
                file.write("-1")
        if not mounted:
            sh("umount", BINFMT, check=False)


def buildkit(sh, skip):
    """docker as the environment has it, or Debian's beside it, that builds by BuildKit."""
    for program in ("docker", "/usr/bin/docker"):
        if shutil.which(program):
            version = sh(program, "version", "-f", "{{.Client.Version}}", check=False).stdout
            if re.match(r"\d+", version) and int(version.split(".")[0]) < 23 or \
                    sh(program, "buildx", "version", check=False).returncode == 0:
                return program
    raise skip("docker has no BuildKit (apt-get install docker-buildx)")


def built(names, sh, skip):
    """The image, by the command of docs/OPERATIONS.md, with base images of here."""
    program = buildkit(sh, skip)
    tag = "walferry-test-arm64:%d" % os.getpid()
    arguments = []
    environment = dict(os.environ, DOCKER_BUILDKIT="1",
                       PATH=os.path.dirname(shutil.which(program)) + ":" + os.environ["PATH"])
    if "BUILD_BASE" in names:
        done = sh(os.path.join(ROOT, "docker", "local", "arm64"), timeout=1200, check=False, env=environment)
        if done.returncode == 75:
            raise skip("no base image of arm64 can be made here: " + done.stdout.strip())
        assert done.returncode == 0, done.stdout
        names = dict(re.findall(r"^([A-Z_]+)=(.+)$", done.stdout, re.M), CROSS_BASE=names["BUILD_BASE"])
    for name in ("BASE", "BUILD_BASE", "CROSS_BASE"):
        if name in names:
            arguments += ["--build-arg", "%s=%s" % (name, names[name])]
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        if os.environ.get(name):
            arguments += ["--build-arg", "%s=%s" % (name, os.environ[name])]
    sh("docker", "build", "--platform", PLATFORM, "--build-arg", "CROSS=arm64", "--network", "host", *arguments,
       "-f", os.path.join(ROOT, "docker/Dockerfile"), "-t", tag, ROOT, timeout=1500, env=environment)
    return tag


def test_platform(docker, tag):
    """all of it is of arm64, installed whole, with certificates, sql and manual pages"""
    image = json.loads(docker("image", "inspect", tag))[0]
    assert image["Architecture"] == "arm64" and image["Config"]["User"] == "65532:65532", image
    listed = docker(*RUN, "--entrypoint", "sh", tag, "-c", "uname -m; dpkg-query -W -f "
                    "'${Package} ${Architecture} ${db:Status-Abbrev}\\n'").splitlines()
    assert listed[0] == "aarch64" and "libpq5 arm64 ii " in listed, listed
    assert {line.split()[1] for line in listed[1:]} == {"arm64", "all"}, listed
    assert {line.split()[2] for line in listed[1:]} == {"ii"}, listed
    docker(*RUN, "--entrypoint", "sh", tag, "-c",
           "test $(ls /usr/lib/ssl/certs/*.0 | wc -l) -gt 100 && test -s /usr/share/walferry/sql/001_outbox.sql"
           " && test -s /usr/share/man/man1/walferry.1 && ! test -e /walferry && ! test -e /src")
    return "%d packages" % (len(listed) - 1)


def test_runs(docker, tag):
    """version, check of its sample file, and of a wrong one"""
    version = docker(*RUN, tag, "version")
    assert version.startswith("walferry 0.1.0") and "pinned, static" in version, version
    docker(*RUN, tag, "check", "-c", "/etc/walferry/example.yaml")
    code = docker(*RUN, "--entrypoint", "sh", tag, "-c", "walferry check -c /etc/passwd >/dev/null 2>&1; echo $?")
    assert code == "2", code
    return version.splitlines()[0]


def test_jq(docker, tag):
    """a route by jq, whose process the relay starts of itself"""
    with tempfile.TemporaryDirectory(dir="/tmp") as work:
        os.chmod(work, 0o755)
        shutil.copy(os.path.join(ROOT, "config", "examples", "events.yaml"), work)
        with open(work + "/rows.json", "w") as file:
            json.dump(ROWS, file)
        os.chmod(work + "/rows.json", 0o644)
        said = docker(*RUN, "-v", work + ":/work:ro", tag, "check", "-c", "/work/events.yaml",
                      "--sample", "/work/rows.json")
    values = [json.loads(text) for text in re.findall(r"^    value +(\{.*\})$", said, re.M)]
    assert [value.get("data", value) for value in values] == VALUES, said
    return "%d events" % len(values)


@contextlib.contextmanager
def image(names, sh, skip):
    """Its name, for as long as this lasts."""
    with emulator(sh, skip):
        started = time.monotonic()
        tag = built(names, sh, skip)
        print("image for arm64 built in %.0f s" % (time.monotonic() - started), flush=True)
        try:
            yield tag
        finally:
            sh("docker", "image", "rm", "-f", tag, check=False)


TESTS = [test_platform, test_runs, test_jq]
