#!/bin/sh
# The fuzzers of this folder, with coverage guidance under AddressSanitizer: run.sh [SECONDS of each [NAME...]].
set -eu
cd "$(dirname "$0")/../.."
seconds="${1:-60}"
[ "$#" = 0 ] || shift
top="$PWD"
python="${PYTHON:-.venv/bin/python}"
build="$top/build/fuzz"

# The compiled extensions that a fuzzer tries.
extensions() {
    case "$1" in
        pdata) echo pdata ;;
        requestor) echo pdata,pdata_writer ;;
        reader) echo scan,tagjson ;;
        frames) echo rle,cells,scan ;;
        rewrite) echo rewrite,scan ;;
        edit) echo edit,scan ;;
        png) echo png ;;
        multipart) echo buffers ;;
        *) echo "there is no fuzzer $1" >&2; exit 2 ;;
    esac
}

mkdir -p "$build"
gcc -shared -fPIC -O2 -o "$build/coverage.so" tests/fuzz/coverage.c
for name in ${*:-pdata requestor reader frames rewrite edit png multipart}; do
    only="$(extensions "$name")"
    SANITIZE=1 ONLY="$only" CFLAGS="-fsanitize-coverage=trace-pc" "$python" setup.py -q build_ext --force \
        --build-lib "$build/lib" --build-temp "$build/temp"
    (cd "$build"
        LD_PRELOAD="$(gcc -print-file-name=libasan.so) $build/coverage.so" ASAN_OPTIONS=detect_leaks=0 \
            PYTHONPATH="$top/tests/fuzz:$top/tests" PYTHONMALLOC=malloc \
            "$top/$python" "$top/tests/fuzz/fuzz_$name.py" "$build/lib/orthanc_fast/_ext" "$seconds")
done
