#!/bin/sh
# Breaks one invariant at a time in a copy of a source file and demands that the simulator notices.
#
#   COMPILE='cc …' LINK_BEFORE='cc … objects' LINK_AFTER=libraries mutants.sh DIRECTORY
#
# exit 0: every mutant was caught. A mutant is a sed script on one file; its object is linked before
# the library and so takes the place of the real one. A script that changes nothing is an error: the
# source has moved on and the mutant must follow.
# shellcheck disable=SC2086 # commands are meant to be split into words
set -eu
out=${1:?usage: mutants.sh DIRECTORY}
seeds=${MUTANT_SEEDS:-200}
passed=0
failed=0

no() {
    echo "not ok mutant $1"
    failed=$((failed + 1))
}

mutant() { # NAME FILE SED_SCRIPT
    name=$1 file=$2 dir=$out/$1
    mkdir -p "$dir"
    sed "$3" "$file" >"$dir/mutant.c"
    if cmp -s "$file" "$dir/mutant.c"; then
        no "$name: the sed script changes nothing in $file"
    elif ! $COMPILE -c -o "$dir/mutant.o" "$dir/mutant.c" >"$dir/build.log" 2>&1; then
        no "$name: it does not build, see $dir/build.log"
    elif ! $LINK_BEFORE "$dir/mutant.o" $LINK_AFTER -o "$dir/sim" >"$dir/build.log" 2>&1; then
        no "$name: it does not link, see $dir/build.log"
    elif "$dir/sim" --seeds "$seeds" >"$dir/run.log" 2>&1; then
        no "$name: $seeds seeds did not notice"
    else
        echo "ok mutant $name: $(grep -m 1 -E 'seed|Assertion' "$dir/run.log" | cut -c 1-160)"
        passed=$((passed + 1))
    fi
}

# I1: what is only on its way to Kafka is confirmed to PostgreSQL.
mutant confirm-before-commit src/relay/reader.c \
    's|^    channel_send(r->o.circuit->full, .*|    source_confirm(r->o.source, batch->end);\n&|'

# I4: Kafka commits in the middle of a PostgreSQL transaction and does not say so.
mutant commit-in-mid-transaction src/relay/writer.c \
    's|^    if (batch->ends_txn .. too_old(w, now_us))$|    if (batch != NULL)|
     s|^    if (w->last.partial.final_lsn == 0 .. message.*|    if (w != NULL)|'

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
