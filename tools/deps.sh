#!/bin/sh
# Install what is missing on Debian 12 (or a relative that has the same packages), and say so first.
#
#   tools/deps.sh LEVEL [--check]
#     build   compiler and libraries of the relay
#     demo    build, and the servers that `make demo` starts
#     test    demo, and the test tools
#     all     test, and what only developers use
#
# With --check nothing is installed; the exit code is 1 where something is missing. The packages are
# looked at each time, by one call of dpkg-query, so that no stamp can hide a missing one. No server
# is started: PostgreSQL's package is told to create no cluster, and service starts are denied while
# packages are being installed.
set -eu

build="gcc libc6-dev make pkg-config libpq-dev librdkafka-dev libjansson-dev libyaml-dev
       libmicrohttpd-dev"
demo="python3 python3-psycopg2 python3-confluent-kafka postgresql-15 openjdk-17-jre-headless maven
      kcat util-linux xz-utils"
test="openjdk-17-jdk-headless libcmocka-dev clang clang-tidy clang-format libclang-rt-14-dev
      shellcheck mandoc faketime iproute2 binutils prometheus"
all="valgrind git"

level=${1:-}
check=${2:-}
case $level in
    build) want=$build ;;
    demo) want="$build $demo" ;;
    test) want="$build $demo $test" ;;
    all) want="$build $demo $test $all" ;;
    *)
        echo "usage: tools/deps.sh build|demo|test|all [--check]" >&2
        exit 2
        ;;
esac

missing_of() {
    if ! command -v dpkg-query >/dev/null 2>&1; then
        echo "deps: this is no Debian; please install what these packages hold: $want" >&2
        exit 1
    fi
    # shellcheck disable=SC2086
    have=$(dpkg-query -W -f '${db:Status-Abbrev}|${Package} |${Provides}\n' $want 2>/dev/null |
        sed -n 's/^.i  *|\([^ ]*\) |.*/\1/p')
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

missing=$(missing_of)
if [ -z "$missing" ]; then
    exit 0
fi
if [ "$check" = --check ]; then
    echo "deps: missing: $missing" >&2
    exit 1
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

restore() {
    if [ -n "${clusters_kept:-}" ]; then
        $sudo mv -f "$clusters_kept" "$clusters"
    fi
    if [ -n "${policy_made:-}" ]; then
        $sudo rm -f "$policy"
    fi
}
trap restore EXIT
trap 'exit 130' INT TERM

# PostgreSQL's package makes and starts a cluster of its own when it is installed, unless told not
# to. A setting that is there already is put back afterwards.
clusters=/etc/postgresql-common/createcluster.conf
case " $missing " in
    *" postgresql-15 "*)
        echo "deps: no PostgreSQL cluster will be created ($clusters)"
        $sudo mkdir -p "${clusters%/*}"
        if [ -e "$clusters" ]; then
            clusters_kept=$clusters.walferry
            $sudo cp -p "$clusters" "$clusters_kept"
        fi
        echo "create_main_cluster = false" | $sudo tee -a "$clusters" >/dev/null
        ;;
esac

# A policy that denies service starts, for as long as the installation takes.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    policy_made=yes
    printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
    $sudo chmod 755 "$policy"
fi

$sudo apt-get update -qq </dev/null
# shellcheck disable=SC2086
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold $missing </dev/null

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
