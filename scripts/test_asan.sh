#!/bin/sh
# The tests of the compiled parts under AddressSanitizer, in a copy of the sources: test_asan.sh [TEST...].
set -eu
cd "$(dirname "$0")/.."
python=$PWD/${PYTHON:-.venv/bin/python}
copy=$PWD/build/asan
[ $# -gt 0 ] || set -- tests/dicom/test_mutations.py tests/dicom/test_rewriting.py tests/dicom/test_pydicom_view.py tests/network/test_pdu_reader.py \
    tests/imaging/test_bad_codestreams.py tests/imaging/test_window.py tests/imaging/test_png.py tests/storage tests/index/test_search.py \
    tests/services/archive/test_zip_records.py tests/services/archive/test_dicomdir.py
mkdir -p "$copy"
cp -r pyproject.toml setup.py README.md LICENSE _ext orthanc_fast tests "$copy"
cd "$copy"
rm -f orthanc_fast/_ext/*.so
SANITIZE=1 "$python" setup.py --quiet build_ext --inplace
LD_PRELOAD=$(gcc -print-file-name=libasan.so) ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc PYTHONPATH=$copy \
    "$python" -m pytest -p no:cacheprovider "$@"
