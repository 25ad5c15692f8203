#!/bin/sh
# Every fuzzer of this folder, one after the other: run.sh [SECONDS of each].
set -eu
for fuzzer in "$(dirname "$0")"/*.sh; do
    [ "$(basename "$fuzzer")" = run.sh ] || sh "$fuzzer" "${1:-60}"
done
