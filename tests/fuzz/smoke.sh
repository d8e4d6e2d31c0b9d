#!/bin/sh
# smoke.sh [DIR [RUNS]]: every fuzzer of DIR (build/fuzz) for RUNS (20,000) inputs, from the seeds
# alone and with a fixed random seed. Prints "ok fuzz <name> …" for each; fails where one does.
set -eu

dir=${1:-build/fuzz} runs=${2:-20000}
here=$(cd "$(dirname "$0")" && pwd)
names=
for source in "$here"/*_fuzz.c; do
    names="$names $(basename "$source" .c)"
done
# shellcheck disable=SC2086 # names are words
exec "$here/run.sh" "$dir" fresh "-runs=$runs" $names
