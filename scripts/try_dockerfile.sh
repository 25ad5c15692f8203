#!/usr/bin/env bash
# Builds and tries the image of the Dockerfile. With a Docker engine by `docker build`; without one its instructions are
# followed one by one in bare Debian roots (debootstrap with Python in place of the base image), which needs root.
# Then, either way: the server starts as its own user, its health check succeeds, /system answers with the password and
# refuses without, the volume is all that is written to, there is no compiler, SIGTERM ends it with 0.
#
#   try_dockerfile.sh [FOLDER]      FOLDER (default: a temporary one) keeps the bare root for the next time
set -euo pipefail
cd "$(dirname "$0")/.."
ROOT=$PWD
WORK=${1:-$(mktemp -d)}
MIRROR=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
CERTIFICATES=/etc/ssl/certs/ca-certificates.crt
mkdir -p "$WORK"
KEPT=$#
CONTAINER='' HOLDER='' SERVER=''
cleanup() {
    [ -z "$CONTAINER" ] || docker rm -fv "$CONTAINER" >/dev/null
    for process in $SERVER $HOLDER; do kill "$process" 2>/dev/null || true; done
    wait
    if [ "$KEPT" = 0 ]; then rm -rf --one-file-system "$WORK"; else rm -rf --one-file-system "$WORK"/stage*; fi
}
trap cleanup EXIT

say() { printf '== %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

with_docker() {
    docker build -t orthanc_fast:try .
    CONTAINER=$(docker run -d -e ORTHANC_PASSWORD=secret -e "ORTHANC__NAME=by a variable" -v /var/lib/orthanc/db -e ORTHANC__DICOM_WEB__ROOT=/rs/ orthanc_fast:try)
    in_image() { docker exec "$CONTAINER" "$@"; }
    stop_image() { docker stop -t 10 "$CONTAINER" >/dev/null; [ "$(docker inspect -f '{{.State.ExitCode}}' "$CONTAINER")" = 0 ]; }
    HEALTH=(orthanc-fast health /etc/orthanc)
    try_server
}

# A fresh root in place of FROM.
bare_root() {
    if [ ! -e "$WORK/bare/.complete" ]; then
        say "debootstrap bookworm"
        rm -rf --one-file-system "$WORK/bare"
        debootstrap --variant=minbase --include=ca-certificates,python3,python3-pip,libpython3-dev bookworm "$WORK/bare" "$MIRROR" > "$WORK/debootstrap.log" 2>&1 ||
            { tail -5 "$WORK/debootstrap.log"; fail debootstrap; }
        ln -s python3 "$WORK/bare/usr/bin/python"
        rm -f "$WORK"/bare/usr/lib/python3*/EXTERNALLY-MANAGED    # pip installs for all, as in the base image
        [ ! -e $CERTIFICATES ] || cp $CERTIFICATES "$WORK/bare$CERTIFICATES"
        touch "$WORK/bare/.complete"
    fi
    rm -rf --one-file-system "$1"
    cp -a "$WORK/bare" "$1"
    cp /etc/resolv.conf "$1/etc/resolv.conf"
}

# inside STAGE USER COMMAND...: in the root of a stage, in its working folder, with a bare environment.
inside() {
    local stage=$1 user=$2
    shift 2
    chroot --userspec="$user" "$WORK/$stage" /usr/bin/env -i PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin HOME=/ \
        DEBIAN_FRONTEND=noninteractive PIP_CERT=$CERTIFICATES PIP_ROOT_USER_ACTION=ignore \
        /bin/sh -c 'cd "$1" && shift && exec "$@"' sh "$FOLDER" "$@"
}

# The words of a JSON array, one a line.
words() { python3 -c 'import json, sys; print("\n".join(json.loads(sys.argv[1])))' "$1"; }

without_docker() {
    [ "$(id -u)" = 0 ] || fail "without a Docker engine this needs root, for chroot"
    command -v debootstrap >/dev/null || fail "neither a Docker engine nor debootstrap is installed"
    local number=0 stage='' keyword rest source
    FOLDER=/ USER_NAME=root VOLUMES=() ENVIRONMENT=() HEALTH=() ENTRY=() COMMAND=()
    declare -A stages
    while read -r keyword rest; do
        case $keyword in
        '' | '#'*) continue ;;
        esac
        say "$keyword $rest"
        case $keyword in
        FROM)
            [[ $rest == python:3.*-slim-bookworm* ]] || fail "no stand-in for this base image"
            stage=stage$((number++)) FOLDER=/ USER_NAME=root
            [[ $rest != *' AS '* ]] || stages[${rest##* AS }]=$stage
            bare_root "$WORK/$stage"
            ;;
        RUN) inside "$stage" "$USER_NAME" /bin/sh -c "$rest" > "$WORK/run.log" 2>&1 || { tail -20 "$WORK/run.log"; fail "$rest"; } ;;
        WORKDIR) FOLDER=$rest && mkdir -p "$WORK/$stage$rest" ;;
        COPY)
            source=$ROOT
            [[ $rest != --from=* ]] || { source=${rest%% *} source=$WORK/${stages[${source#--from=}]} rest=${rest#* }; }
            copy "$source" "$WORK/$stage" $rest
            ;;
        USER) USER_NAME=$rest ;;
        VOLUME) VOLUMES+=("$rest") ;;
        EXPOSE) ;;
        HEALTHCHECK) mapfile -t HEALTH < <(words "${rest#*CMD }") ;;
        STOPSIGNAL) ;;
        ENV) ENVIRONMENT+=("$rest") ;;
        ENTRYPOINT) mapfile -t ENTRY < <(words "$rest") ;;
        CMD) mapfile -t COMMAND < <(words "$rest") ;;
        *) fail "this instruction is not known here: $keyword" ;;
        esac
    done < <(sed -e ':a' -e '/\\$/N; s/\\\n//; ta' Dockerfile)

    # The server has a network of its own, so that it meets no other server's ports.
    FINAL=$stage
    inside "$FINAL" root touch /tmp/before
    unshare --net bash -c 'ip link set lo up; exec sleep infinity' &
    HOLDER=$!
    until nsenter --net --target "$HOLDER" ip link show lo | grep -q 'LOOPBACK,UP'; do sleep 0.1; done
    in_image() { in_network "$FINAL" "$USER_NAME" "$@"; }
    stop_image() { kill -TERM "$SERVER" && wait "$SERVER" && SERVER=; }
    in_image "${ENTRY[@]}" "${COMMAND[@]}" > "$WORK/server.log" 2>&1 &
    SERVER=$!
    try_server
    local strays volume outside=()
    for volume in "${VOLUMES[@]}"; do outside+=(! -path ".$volume/*"); done
    strays=$(cd "$WORK/$FINAL" && find . -xdev -newer tmp/before -type f ! -path ./tmp/before "${outside[@]}")
    [ -z "$strays" ] || fail "written outside of the volume: $strays"
}

# copy SOURCE_ROOT TARGET_ROOT SOURCE... TARGET, as COPY does: what is in a folder, not the folder.
copy() {
    local from=$1 to=$2 target=${*: -1} item
    shift 2
    [[ $target == /* ]] || target=$FOLDER/$target
    for item in "${@:1:$#-1}"; do
        if [ -d "$from/$item" ]; then
            mkdir -p "$to$target" && cp -r "$from/$item/." "$to$target/"
        elif [[ $target == */ || $target == */. ]]; then
            mkdir -p "$to$target" && cp "$from/$item" "$to$target/"
        else
            cp "$from/$item" "$to$target"
        fi
    done
}

# As `inside`, in the network of the server and with its environment.
in_network() {
    local stage=$1 user=$2
    shift 2
    exec nsenter --net --target "$HOLDER" chroot --userspec="$user" "$WORK/$stage" /usr/bin/env -i \
        PATH=/usr/local/bin:/usr/bin:/bin HOME=/ "${ENVIRONMENT[@]}" \
        ORTHANC_PASSWORD=secret ORTHANC__DICOM_WEB__ROOT=/rs/ ORTHANC__NAME="by a variable" "$@"
}

try_server() {
    local attempt
    for attempt in $(seq 60); do
        if (in_image "${HEALTH[@]}") 2>/dev/null; then break; fi
        [ "$attempt" -lt 60 ] || { cat "$WORK/server.log" 2>/dev/null; fail "the health check does not succeed"; }
        sleep 0.5
    done
    say "the health check succeeds"
    (in_image python -c '
import base64, json, os, shutil, urllib.error, urllib.request
assert os.getuid() == 1042, os.getuid()
for compiler in ("cc", "gcc", "c++"):
    assert shutil.which(compiler) is None, compiler
request = urllib.request.Request("http://127.0.0.1:8042/system")
try:
    urllib.request.urlopen(request)
    raise SystemExit("served without a password")
except urllib.error.HTTPError as error:
    assert error.code == 401, error.code
request.add_header("Authorization", "Basic " + base64.b64encode(b"orthanc:secret").decode())
system = json.load(urllib.request.urlopen(request))
assert system["Name"] == "by a variable", system
print(system)
') || fail "the server does not answer as it should"
    stop_image || fail "SIGTERM does not end the server with 0"
    say "stopped with 0"
}

if docker info >/dev/null 2>&1; then with_docker; else without_docker; fi
say "the Dockerfile works"
