#!/bin/sh
# Install what is missing on Debian 12 or 13, and say so first: what, how large it is and how long
# it takes.
#
#   tools/deps.sh LEVEL[:ARCH] [--check]
#     build   compiler and libraries of the relay, and what its librdkafka is built with
#     system  build, and the system's librdkafka
#     demo    build, and the servers that `make demo` starts
#     test    demo, the system's librdkafka, and the test tools
#     docker  test, and what runs containers
#     deb     build, and what makes a Debian package
#     packages  test, deb, and what installs packages in roots of their own
#     page    test, and a browser, which alone takes 400 MB: for the status page
#     all     test, and what only developers use
#
# build:arm64, system:arm64 and deb:arm64 are the same for another architecture: a cross compiler
# and that architecture's libraries. It is for roots that are made for this (tools/package/cross):
# dpkg must know the architecture already, and nothing is removed, though some of these libraries
# cannot lie beside those of this machine's own.
#
# With --check nothing is installed; the exit code is 1 where something is missing. The packages are
# looked at each time, by one call of dpkg-query, so that no stamp can hide a missing one. No server
# is started: PostgreSQL's package is told to create no cluster, and service starts are denied while
# packages are being installed; both are as they were afterwards, also after a failure or a signal.
set -eu

level=${1:-}
check=${2:-}
arch=
case $level in
    *:*) arch=${level#*:} level=${level%%:*} ;;
esac

# What differs between the two releases: PostgreSQL, the JDK, and clang's runtime library.
# shellcheck disable=SC1091
release=$(. /etc/os-release 2>/dev/null && echo "${ID:-} ${VERSION_ID:-}") || release=
case $release in
    "debian 13")
        postgres=postgresql-17 jdk=openjdk-21 clang_rt=libclang-rt-19-dev
        docker="docker.io docker-cli docker-compose"
        ;;
    *)
        postgres=postgresql-15 jdk=openjdk-17 clang_rt=libclang-rt-14-dev
        docker="docker.io docker-compose"
        ;;
esac

build="gcc libc6-dev make pkg-config libpq-dev libjansson-dev libyaml-dev libmicrohttpd-dev
       libssl-dev libcurl4-openssl-dev libsasl2-dev libzstd-dev liblz4-dev zlib1g-dev
       libjq-dev libpcre2-dev libjemalloc-dev curl ca-certificates"
system=librdkafka-dev
demo="python3 python3-psycopg2 python3-confluent-kafka $postgres $jdk-jre-headless maven
      kcat util-linux xz-utils"
test="$jdk-jdk-headless libcmocka-dev clang clang-tidy clang-format $clang_rt
      shellcheck mandoc faketime iproute2 procps binutils prometheus python3-jsonschema
      python3-yaml zsh fish valgrind"
docker="$docker iptables debootstrap"
deb="dpkg-dev binutils python3"
packages="lintian debootstrap systemd-container python3-pip"
page="chromium fonts-dejavu-core"
all="git"

case $level in
    build) want=$build ;;
    system) want="$build $system" ;;
    demo) want="$build $demo" ;;
    test) want="$build $demo $system $test" ;;
    docker) want="$build $demo $system $test $docker" ;;
    deb) want="$build $deb" ;;
    packages) want="$build $demo $system $test $deb $packages" ;;
    page) want="$build $demo $system $test $page" ;;
    all) want="$build $demo $system $test $all" ;;
    *)
        echo "usage: tools/deps.sh build|system|demo|test|docker|deb|packages|page|all" \
            "[--check]" >&2
        exit 2
        ;;
esac

# The same for another architecture: its libraries, and tools of this one.
foreign() {
    for package in $want; do
        case $package in
            gcc) echo gcc-aarch64-linux-gnu ;;
            pkg-config | lib* | zlib1g-dev) echo "$package:$arch" ;;
            *) echo "$package" ;;
        esac
    done
}
case $arch:$level in
    :*) ;;
    arm64:build | arm64:system | arm64:deb) want=$(foreign) ;;
    *)
        echo "deps: there is no $level:$arch, only build:arm64, system:arm64 and deb:arm64" >&2
        exit 2
        ;;
esac

# With their architecture, and those of this machine without it, too.
missing_of() {
    native=$(dpkg --print-architecture)
    # shellcheck disable=SC2086
    have=$(dpkg-query -W -f '${db:Status-Abbrev}|${Package}|${Architecture}\n' $want \
        2>/dev/null | awk -F '|' -v native="$native" '
            $1 ~ /^.i/ { print $2 ":" $3 }
            $1 ~ /^.i/ && ($3 == native || $3 == "all") { print $2 }')
    for package in $want; do
        case "
$have
" in
            *"
$package
"*) ;;
            *) printf '%s ' "$package" ;;
        esac
    done
}

# Elsewhere the same things have other names; the tools themselves are what counts there.
elsewhere() {
    needed="a C11 compiler, GNU make, pkg-config, libpq, jansson, libyaml, libmicrohttpd, OpenSSL,"
    needed="$needed libcurl, PCRE2, zstd, lz4, zlib, libsasl2 (for GSSAPI), jemalloc (faster with),"
    needed="$needed curl or npm"
    if [ "$level" = system ] || [ "$level" = test ] || [ "$level" = all ]; then
        needed="$needed, librdkafka (2.0.2 or newer)"
    fi
    if [ "$level" != build ] && [ "$level" != system ] && [ "$level" != deb ]; then
        needed="$needed, python3 with psycopg2 and confluent-kafka, PostgreSQL 14 or newer,"
        needed="$needed JDK 17 or newer, Maven, kcat"
    fi
    if [ "$level" != build ] && [ "$level" != system ] && [ "$level" != demo ] &&
        [ "$level" != deb ]; then
        needed="$needed, cmocka, clang and its tools, shellcheck, mandoc, faketime, iproute2,"
        needed="$needed promtool, python3 with jsonschema and yaml, zsh, fish"
    fi
    echo "deps: this is not Debian 12 or 13, so nothing is installed; what is needed: $needed" >&2
}
case $release in
    "debian 12" | "debian 13") ;;
    *)
        elsewhere
        exit 1
        ;;
esac

missing=$(missing_of)
if [ -z "$missing" ]; then
    exit 0
fi
if [ "$check" = --check ]; then
    echo "deps: missing: $missing" >&2
    exit 1
fi

keep=
if [ -n "$arch" ]; then
    keep=--no-remove
    if ! dpkg --print-foreign-architectures | grep -qx "$arch"; then
        echo "deps: missing: $missing" >&2
        echo "deps: dpkg does not know $arch here, and is not told so for you:" \
            "dpkg --add-architecture $arch" >&2
        exit 1
    fi
fi

sudo=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "deps: missing: $missing" >&2
        echo "deps: run as root: apt-get install --no-install-recommends $missing" >&2
        exit 1
    fi
    sudo=sudo
fi

echo "deps: will install with apt-get${sudo:+ (through sudo)}: $missing"

# Read by postgresql-common beside its own settings, which stay untouched.
clusters=/etc/postgresql-common/createcluster.d
policy=/usr/sbin/policy-rc.d
restore() {
    if [ -n "${clusters_made:-}" ]; then
        $sudo rm -f "$clusters/walferry.conf"
    fi
    if [ -n "${policy_made:-}" ]; then
        $sudo rm -f "$policy"
    fi
    clusters_made='' policy_made=''
}
trap restore EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

$sudo apt-get update -qq </dev/null

# shellcheck disable=SC2086
$sudo env LC_ALL=C apt-get install --assume-no --no-install-recommends $missing </dev/null \
    2>/dev/null | sed -n -e 's/^Need to get \(.*\) of archives\.$/deps: downloads \1/p' \
    -e 's/^After this operation, \(.*\) of additional disk space.*$/deps: takes \1 on disk/p'
echo "deps: this takes about a minute for each 500 MB on disk, more where the network is slow"

# PostgreSQL's package makes and starts a cluster of its own when it is installed, unless told not
# to.
case " $missing " in
    *" $postgres "*)
        echo "deps: no PostgreSQL cluster will be created ($clusters/walferry.conf, for now)"
        clusters_made=yes
        $sudo mkdir -p "$clusters"
        echo "create_main_cluster = false" | $sudo tee "$clusters/walferry.conf" >/dev/null
        ;;
esac

# A policy that denies service starts, for as long as the installation takes.
if [ ! -e "$policy" ]; then
    policy_made=yes
    printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
    $sudo chmod 755 "$policy"
fi

# shellcheck disable=SC2086
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold $keep $missing </dev/null >/dev/null

# promtool comes with a server that would start at the next boot.
case " $missing " in
    *" prometheus "*)
        if command -v systemctl >/dev/null 2>&1; then
            $sudo systemctl disable -q prometheus prometheus-node-exporter 2>/dev/null || true
        fi
        ;;
esac

missing=$(missing_of)
if [ -n "$missing" ]; then
    echo "deps: still missing after apt-get: $missing" >&2
    exit 1
fi
