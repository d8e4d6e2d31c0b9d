"""The package for another processor: built by `make deb ARCH=arm64`, installed, run by an emulator.

The tests take the places of tests/packages/run, and come last. The package is built in a root of its
own, which stays until the end, and installed in the one that had the container, where it gets by its
dependencies alone what it needs. qemu-aarch64-static runs the program as an argument: nothing is
registered with the kernel, so only what the program starts by itself (jq) is left out.
"""

import difflib
import json
import os
import re
import shlex
import shutil

ARCH = "arm64"
NAME = "walferry_0.1.0-1_%s.deb" % ARCH
# The oldest of its kind, so that no instruction is used that it does not know.
EMULATOR = "QEMU_CPU=cortex-a53 /usr/local/bin/qemu-aarch64-static"
# By it the heap profiler of jemalloc walks the stack, which Debian's jemalloc for arm64 has not.
ONE_ONLY = "libgcc-s1"

# Bytes above 0x7f, signs, exponents, escapes: what two processors might tell apart.
ROWS = [
    {"op": "insert", "table": "outbox",
     "after": {"id": "5f0c1f9e-0d1d-4c3b-9f3e-0a1b2c3d4e5f", "aggregatetype": "Bestellung",
               "aggregateid": "Ünïcödé-\u00ff-\u20ac-\U0001f600", "type": "Größe",
               "payload": {"text": "\u0001\u007f\u0080\u00e9\"\\/\U0010ffff", "n": [-0.0, 1e300, -1]},
               "headers": {"x": "\u00fc"}}},
    {"op": "message", "prefix": "outbox",
     "content": json.dumps({"id": "5f0c1f9e-0d1d-4c3b-9f3e-0a1b2c3d4e60", "aggregatetype": "order",
                            "aggregateid": "\u00e9", "type": "T", "payload": {"\u00e9": "\u00fc"}})},
    {"op": "insert", "table": "customers", "key": ["id"],
     "types": {"id": "bigint", "f4": "real", "f8": "double precision", "n": "numeric(20,4)",
               "n0": "numeric", "b": "bytea", "t": "timestamptz", "i": "interval", "u": "uuid",
               "a": "text[]", "m": "money", "bits": "bit varying(20)", "p": "point", "d": "date",
               "c": "char(3)", "h": "smallint", "net": "inet"},
     "after": {"id": "-9223372036854775808", "f4": "-1.1754944e-38", "f8": "4.9406564584124654e-324",
               "n": "-1234567890123456.7891", "n0": "-99999999999999999999.000001",
               "b": "\\x00ff807f80fe", "t": "0044-03-15 12:00:00.123456+00 BC",
               "i": "-3 years -2 mons +1 day -23:59:59.999999",
               "u": "ffffffff-ffff-ffff-ffff-ffffffffffff", "a": "{\"\u00e9\\\"\",NULL,\"\u20ac\"}",
               "m": "-$1,234.11", "bits": "1010000011", "p": "(-1.5,2.25)", "d": "1969-12-31",
               "c": "\u00e9  ", "h": "-32768", "net": "fe80::ff/64"}},
    {"op": "update", "table": "orders", "key": ["id"],
     "types": {"id": "integer", "total": "numeric(10,2)"},
     "before": {"id": -7}, "after": {"id": -7, "note": "\u00ff", "total": "-0.05"}},
    {"op": "delete", "table": "orders", "key": ["id"], "types": {"id": "integer"},
     "before": {"id": -2147483648}},
]


def test_build(places):
    """make deb ARCH=arm64: a root with a cross compiler, and the package for another processor"""
    places.stop_container()
    places.know(ARCH)
    tree = os.path.join(places.dir, "tree")
    os.mkdir(tree)
    places.sh("tar", "-xzf", os.path.join(places.dir, "one.tar.gz"), "-C", tree,
              "--strip-components=1")
    plan = places.sh("make", "-n", "deb", "ARCH=" + ARCH, "CROSS_ROOT=" + places.cross, cwd=tree)
    assert not os.path.exists(places.cross), "make -n has made it: " + plan.stdout
    done = places.sh("make", "deb", "ARCH=" + ARCH, "OUT=" + places.packages,
                     "CROSS_ROOT=" + places.cross, cwd=tree, timeout=900)
    path = os.path.join(places.packages, NAME)
    assert done.stdout.rstrip().endswith(path), done.stdout[-2000:]
    assert ARCH not in places.sh("dpkg", "--print-foreign-architectures").stdout.split() or \
        places.knew_already, "this machine has been told of " + ARCH
    return "%d bytes" % os.path.getsize(path)


def unpacked(places, name):
    """Where the package of that name lies unpacked."""
    directory = os.path.join(places.dir, name.replace(".deb", ""))
    if not os.path.exists(directory):
        places.sh("dpkg-deb", "-x", os.path.join(places.packages, name), directory)
    return directory


def field(places, name, what):
    return places.sh("dpkg-deb", "-f", os.path.join(places.packages, name), what).stdout.strip()


def bom(places, name):
    with open(unpacked(places, name) + "/usr/share/doc/walferry/walferry.cdx.json") as file:
        return json.load(file)


def test_package(places):
    """it is what the other one is: files, dependencies, bill of materials, hardening; lintian says nothing"""
    assert field(places, NAME, "Architecture") == ARCH
    needs = [re.sub(r" \(.*?\)", "", field(places, name, "Depends")) for name in (places.native, NAME)]
    assert needs[0].replace(ONE_ONLY + ", ", "") == needs[1], "\n".join(needs)
    files = [sorted(os.path.relpath(os.path.join(at, name), unpacked(places, package))
                    for at, _, names in os.walk(unpacked(places, package)) for name in names)
             for package in (places.native, NAME)]
    assert files[0] == files[1], set(files[0]) ^ set(files[1])
    program = unpacked(places, NAME) + "/usr/bin/walferry"
    head = places.sh("readelf", "-hlWd", program).stdout
    assert "AArch64" in head and "DYN (Position-Independent" in head and "BIND_NOW" in head, head
    assert "GNU_RELRO" in head and ".symtab" not in places.sh("readelf", "-SW", program).stdout, head
    found = [{component["name"]: component["purl"] for component in bom(places, name)["components"]}
             for name in (places.native, NAME)]
    assert set(found[0]) - {ONE_ONLY} == set(found[1]), set(found[0]) ^ set(found[1])
    assert all(purl.endswith("?arch=" + ARCH) for name, purl in found[1].items()
               if name != "librdkafka"), found[1]
    done = places.sh("lintian", "--allow-root", "--no-cfg", "--fail-on", "error,warning",
                     os.path.join(places.packages, NAME), check=False)
    assert done.returncode == 0, done.stdout
    return "%d files, %d components" % (len(files[1]), len(found[1]))


def emulator(places):
    """In both roots; one file of its package, which has one for each processor that there is."""
    places.chroot(places.boot, "apt-get -qq install -y --no-install-recommends --download-only "
                  "qemu-user-static && cd /var/cache/apt/archives && dpkg-deb --fsys-tarfile "
                  "$(ls qemu-user-static_*_amd64.deb | sort -V | tail -n 1) | "
                  "tar -x -C /usr/local/bin --strip-components=3 ./usr/bin/qemu-aarch64-static")
    shutil.copy(places.boot + "/usr/local/bin/qemu-aarch64-static",
                places.cross + "/usr/local/bin/qemu-aarch64-static")


def test_runs(places):
    """installed by apt with its dependencies alone: version, help, check, and what leaves is the same"""
    emulator(places)
    shutil.copy(os.path.join(places.packages, NAME), places.boot)
    places.chroot(places.boot, "apt-get -qq install -y --no-install-recommends -o Dpkg::Use-Pty=0 "
                  "/%s" % NAME)
    walferry = EMULATOR + " /usr/bin/walferry "
    version = places.chroot(places.boot, walferry + "version")
    assert version.startswith("walferry 0.1.0") and "pinned, static" in version, version
    assert re.search(r"^allocator: jemalloc .*\(static\)$", version, re.M), version
    assert "usage" in places.chroot(places.boot, walferry + "--help").lower()
    places.chroot(places.boot, walferry + "check -c /etc/walferry/walferry.yaml")
    bad = places.chroot(places.boot, walferry + "check -c /etc/hostname 2>&1 || echo $?")
    assert bad.splitlines()[-1] == "2", bad
    with open(places.boot + "/rows.json", "w") as file:
        json.dump(ROWS, file)
    shutil.copy(unpacked(places, places.native) + "/usr/bin/walferry", places.build + "/walferry")
    shutil.copy(places.boot + "/rows.json", places.build)
    examples = unpacked(places, NAME) + "/usr/share/doc/walferry/examples"
    lines = 0
    for name in ("outbox.yaml", "message-outbox.yaml", "changes.yaml"):
        for root in (places.boot, places.build):
            shutil.copy(os.path.join(examples, name), root)
        ask = "check -c /%s --sample /rows.json 2>&1 || true" % name
        here, there = (places.chroot(root, program + ask).splitlines() for root, program in (
            (places.build, "/walferry "), (places.boot, walferry)))
        assert here == there, "\n".join(difflib.unified_diff(here, there, "amd64", ARCH, lineterm=""))
        lines += len(here)
    return "%d lines" % lines


def test_units(places):
    """tests of codec, JSON, types and configuration, linked with the objects of the package, run there"""
    places.chroot(places.cross, "apt-get -qq install -y --no-install-recommends -o Dpkg::Use-Pty=0 "
                  "libcmocka-dev:%s && cd /walferry && make -j$(nproc) ARCH=%s unit-plain" % (
                      ARCH, ARCH))
    programs = places.chroot(places.cross, "cd /walferry && make -s ARCH=%s unit-plain-list" %
                             ARCH).split()
    assert len(programs) > 30, programs
    run = "cd /walferry && printf '%%s\\n' %s | xargs -P $(nproc) -I X sh -c " \
        "'%s X >X.out 2>&1 || { echo X; tail -n 30 X.out; }'" % (
            " ".join(map(shlex.quote, programs)), EMULATOR)
    failed = places.chroot(places.cross, run)
    assert not failed, failed[-6000:]
    count = 0
    for program in programs:
        with open(os.path.join(places.cross, "walferry", program + ".out"), errors="replace") as file:
            count += len(re.findall(r"^\[       OK \]", file.read(), re.M))
    assert count > 200, count
    return "%d tests in %d programs" % (count, len(programs))


TESTS = [test_build, test_package, test_runs, test_units]
