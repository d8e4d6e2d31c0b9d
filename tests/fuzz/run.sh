#!/bin/sh
# run.sh DIR keep|fresh LIMIT NAME…: runs the fuzzers DIR/NAME, each until LIMIT (an option of
# libFuzzer), from the seeds that the repository holds. keep: what is found goes on into the next
# run; fresh: the run starts from the seeds alone, so the same sources give the same run. Prints one
# line for each; on a failure the fuzzer's own words and where the input lies.
set -eu

dir=$1 mode=$2 limit=$3
shift 3
root=$(cd "$(dirname "$0")/../.." && pwd)
status=0

seeds_of() {
    case $1 in
    config_fuzz) printf '%s\n' "$root"/config/*.yaml "$root"/config/examples/*.yaml ;;
    decode_fuzz | stream_fuzz) printf '%s\n' "$root"/tests/golden/*.frames ;;
    esac
    # Inputs that once failed.
    printf '%s\n' "$root/tests/fuzz/seeds/$1"/*
}

for name in "$@"; do
    corpus=$dir/corpus/$name
    [ "$mode" = keep ] || corpus=$dir/fresh/$name
    [ "$mode" = keep ] || rm -rf "$corpus"
    mkdir -p "$corpus"
    seeds_of "$name" | while read -r seed; do
        [ ! -f "$seed" ] || cp "$seed" "$corpus/"
    done
    dictionary=
    [ ! -f "$root/tests/fuzz/${name%_fuzz}.dict" ] ||
        dictionary=-dict=$root/tests/fuzz/${name%_fuzz}.dict
    # shellcheck disable=SC2086 # an empty dictionary is no argument
    if "$dir/$name" "$limit" -seed=1 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
        -artifact_prefix="$dir/$name." $dictionary "$corpus" >"$dir/$name.log" 2>&1; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$dir/$name.log")
        echo "ok fuzz ${name%_fuzz} ($runs runs)"
    else
        tail -n 40 "$dir/$name.log"
        echo "not ok fuzz ${name%_fuzz}: see $dir/$name.log"
        status=1
    fi
done
exit $status
