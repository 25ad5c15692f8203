#!/bin/sh
# Fuzzes the rewriter of data sets with coverage guidance under AddressSanitizer: rewrite.sh [SECONDS].
set -eu
cd "$(dirname "$0")/../.."
python="${PYTHON:-.venv/bin/python}"
build="$PWD/build/fuzz"
mkdir -p "$build"
gcc -shared -fPIC -O2 -o "$build/coverage.so" tests/fuzz/coverage.c
SANITIZE=1 ONLY=rewrite,scan CFLAGS="-fsanitize-coverage=trace-pc" "$python" setup.py -q build_ext --force \
    --build-lib "$build/lib" --build-temp "$build/temp"
cd "$build"
LD_PRELOAD="$(gcc -print-file-name=libasan.so) $build/coverage.so" ASAN_OPTIONS=detect_leaks=0 \
    PYTHONPATH="$OLDPWD/tests/fuzz:$OLDPWD/tests" PYTHONMALLOC=malloc \
    "$OLDPWD/$python" "$OLDPWD/tests/fuzz/fuzz_rewrite.py" "$build/lib/orthanc_fast/_ext" "${1:-60}"
