#!/bin/sh
# Do two programs publish the same events? Simulates the same seeds with the present tree and with
# the commit BASE, and compares what the model Kafka committed (dump.h).
#
#   MAKE=make same.sh SIMULATOR BASE DIRECTORY [SEEDS]
#
# SIMULATOR is the present one, built. BASE is unpacked and built below DIRECTORY, with its own
# simulator, but with the dump and the workload of today; a simulator from before the dump gets its
# hooks from dump.patch. Prints two hashes for each: of the events, which must be equal, and of the
# boundaries of transactions, which only inform. exit 1: a seed differs, and the first one is named.
set -eu
simulator=${1:?usage: same.sh SIMULATOR BASE DIRECTORY [SEEDS]}
base=${2:?no BASE: make sim-same BASE=<commit>}
out=$3
seeds=${4:-2000}
here=$(dirname "$0")
make=${MAKE:-make}

unpack_base() {
    rm -rf "$out/base"
    mkdir -p "$out/base"
    commit=$(git rev-parse --verify --short "$base^{commit}")
    git archive "$commit" | tar -x -C "$out/base"
    if [ ! -e "$out/base/tests/sim/dump.h" ]; then
        (cd "$out/base" && patch -s -p1) <"$here/dump.patch"
    fi
    cp "$here"/dump.[ch] "$here"/workload.[ch] "$out/base/tests/sim/"
    # Its own variables, not those of the make that called this.
    (unset MAKEFLAGS MFLAGS MAKELEVEL &&
        $make -s -C "$out/base" -j2 build/asan/tests/sim/sim) >"$out/base.log" 2>&1 ||
        { tail -n 30 "$out/base.log"; echo "the simulator of $base does not build"; exit 1; }
}

# Writes a line for each seed to $2, two processes for two cores.
digest() {
    half=$((seeds / 2))
    "$1" --first 1 --seeds "$half" --digest "$2.1" >"$2.log" & pid=$!
    "$1" --first $((half + 1)) --seeds $((seeds - half)) --digest "$2.2" >>"$2.log" || failed=1
    wait "$pid" || failed=1
    cat "$2.1" "$2.2" >"$2"
    [ "$failed" -eq 0 ] || { cat "$2.log"; exit 1; }
    [ "$(wc -l <"$2")" -eq "$seeds" ] || { echo "$1 did not dump $seeds seeds"; exit 1; }
    cut -d ' ' -f 1-5 "$2" >"$2.events"
    cut -d ' ' -f 1,2,6- "$2" >"$2.boundaries"
}

say() { # NAME FILE
    printf '%-9s events %s boundaries %s\n' "$1" \
        "$(sha256sum <"$2.events" | cut -c 1-16)" "$(sha256sum <"$2.boundaries" | cut -c 1-16)"
}

name_difference() {
    seed=$(diff "$out/base.digest.events" "$out/here.digest.events" |
        sed -n 's/^[<>] seed \([0-9]*\) .*/\1/p' | head -n 1)
    echo "seed $seed is the first that differs; < is $base:"
    "$out/base/build/asan/tests/sim/sim" --seed "$seed" --dump "$out/base.dump" >/dev/null || :
    "$simulator" --seed "$seed" --dump "$out/here.dump" >/dev/null || :
    for side in base here; do
        grep -E '^(workload|event) ' "$out/$side.dump" >"$out/$side.dump.events"
    done
    diff "$out/base.dump.events" "$out/here.dump.events" | head -n 10
}

failed=0
unpack_base
digest "$out/base/build/asan/tests/sim/sim" "$out/base.digest"
digest "$simulator" "$out/here.digest"
say "$commit" "$out/base.digest"
say here "$out/here.digest"
if ! cmp -s "$out/base.digest.events" "$out/here.digest.events"; then
    name_difference
    exit 1
fi
cmp -s "$out/base.digest.boundaries" "$out/here.digest.boundaries" ||
    echo "the boundaries of $(diff "$out/base.digest.boundaries" "$out/here.digest.boundaries" |
        grep -c '^<') seeds differ, the events do not"
echo "ok the events of seeds 1 to $seeds are those of $commit"
