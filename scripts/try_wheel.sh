#!/usr/bin/env bash
# Installs a wheel into an empty environment, without any compiler, starts the server once and stores one file.
set -euo pipefail
wheel=$(realpath "$1")
case "$wheel" in *-cp311-abi3-*) ;; *) echo "not a cp311-abi3 wheel: $wheel" >&2; exit 1 ;; esac
work=$(mktemp -d)
server=""
cleanup() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    [ -z "$server" ] || wait "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT
python3 -m venv "$work/venv"
CC=false "$work/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "$wheel"
cd "$work"
cat > make_file.py <<'PY'
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
meta = FileMetaDataset()
meta.TransferSyntaxUID = ExplicitVRLittleEndian
dataset = FileDataset("x.dcm", {}, file_meta=meta, preamble=b"\0" * 128)
dataset.PatientID = "wheel"
dataset.SOPClassUID = meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = generate_uid()
dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
dataset.save_as("x.dcm", enforce_file_format=True)
PY
venv/bin/python make_file.py
port=$(venv/bin/python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf '{"HttpPort": %s, "StorageDirectory": "store"}' "$port" > config.json
venv/bin/orthanc-fast serve config.json > log 2>&1 &
server=$!
for _ in $(seq 100); do grep -q serves log && break; sleep 0.1; done
venv/bin/orthanc-fast import x.dcm --server "http://127.0.0.1:$port"
id=$(venv/bin/python -c "
import json, urllib.request as u
print(json.load(u.urlopen('http://127.0.0.1:$port/instances'))[0])")
venv/bin/python -c "
import urllib.request as u
stored = u.urlopen('http://127.0.0.1:$port/instances/$id/file').read()
assert stored == open('x.dcm', 'rb').read(), 'the file came back changed'"
echo "the wheel works: $(basename "$wheel")"
