#!/usr/bin/env bash
# Builds the web interface, web/, into orthanc_fast/rest/static/app/ with the versions of web/package-lock.json.
set -euo pipefail
cd "$(dirname "$0")/../web"
node="$(sh ../scripts/node.sh "$@")"
export PATH="$node:$PATH"
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then npm ci --silent; fi
node build.mjs
