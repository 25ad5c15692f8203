#!/bin/sh
# Starting it: "$(sh scripts/orthanc_root.sh)"/orthanc CONFIGURATION...   (its plugins: FOLDER/usr/share/orthanc/plugins)
#
# Orthanc 1.13.0 with its plugins, the measure of the tests and the bench, in a Debian root of its own. Prints the
# folder of the root, and makes it the first time (one or two minutes, 440 MB; by root or sudo). The server runs from
# outside through the root's own loader, so that nothing of it meets the libraries of this machine, and needs no chroot.
#
#   --if-there      makes nothing: without a root it ends with 1
#
#   ORTHANC_ROOT    the folder (default: ${XDG_CACHE_HOME:-~/.cache}/orthanc-fast/orthanc-1.13.0)
#   DEBIAN_MIRROR   where the packages come from; of snapshot.debian.org when the suite has moved on
set -eu

VERSION=1.13.0
SUITE=testing
MIRROR=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
PACKAGES="orthanc orthanc-dicomweb orthanc-python orthanc-gdcm orthanc-postgresql"
ROOT=${ORTHANC_ROOT:-${XDG_CACHE_HOME:-$HOME/.cache}/orthanc-fast/orthanc-$VERSION}
BUILDING=$ROOT.building

fail() { echo "no Orthanc $VERSION: $*" >&2; exit 1; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n -- "$@"; fi
}

# inside COMMAND...: in the root that is being made, with the proxies of this machine.
inside() {
    as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C ${http_proxy:+"http_proxy=$http_proxy"} \
        ${https_proxy:+"https_proxy=$https_proxy"} chroot "$BUILDING" "$@"
}

remove_building() {
    as_root umount "$BUILDING/proc" "$BUILDING/sys" 2>/dev/null || true
    as_root rm -rf --one-file-system "$BUILDING"
}

install_debootstrap() {
    command -v debootstrap >/dev/null || [ -x /usr/sbin/debootstrap ] && return
    command -v apt-get >/dev/null || fail "debootstrap is missing, and there is no apt-get"
    as_root apt-get update -qq || true
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap ||
        fail "could not install debootstrap"
}

# The start from outside. exec: the process has the number of the one that was started.
write_starter() {
    as_root tee "$BUILDING/orthanc" >/dev/null <<'STARTER'
#!/bin/sh
root=$(dirname "$(readlink -f "$0")")
libraries=$root/usr/lib/$(uname -m)-linux-gnu
dictionaries=$root/usr/share/dcmtk    # as where it is installed; to be given for LoadPrivateDictionary false
export DCMDICTPATH="${DCMDICTPATH:-$dictionaries/dicom.dic:$dictionaries/private.dic}"
export LOCPATH="$root/usr/lib/locale" PYTHONHOME="$root/usr"
for loader in "$root"/lib64/ld-linux-*.so.* "$root"/lib/ld-linux-*.so.*; do
    [ ! -e "$loader" ] || exec "$loader" --library-path "$libraries:$root/usr/lib" "$root/usr/sbin/Orthanc" "$@"
done
echo "no loader in $root" >&2
exit 1
STARTER
    as_root chmod 755 "$BUILDING/orthanc"
}

build() {
    [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null || fail "its root can be made by root only ($ROOT)"
    install_debootstrap
    remove_building
    PATH=$PATH:/usr/sbin:/sbin
    as_root debootstrap --variant=minbase "$SUITE" "$BUILDING" "$MIRROR" || fail "debootstrap $SUITE from $MIRROR"
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$BUILDING/usr/sbin/policy-rc.d" >/dev/null  # starts no service
    as_root chmod 755 "$BUILDING/usr/sbin/policy-rc.d"
    # shellcheck disable=SC2086
    inside apt-get install -y -qq --no-install-recommends $PACKAGES || fail "could not install $PACKAGES"
    inside apt-get clean
    # Its default, as a folder: LOCPATH knows no archives. Without it there is no case of letters beyond ASCII.
    inside localedef --no-archive -i en_US -f UTF-8 en_US.UTF-8 || fail "could not make the locale en_US.UTF-8"
    offered=$(inside dpkg-query --show --showformat='${Version}' orthanc)
    case $offered in
        "$VERSION"|"$VERSION"[+~-]*) ;;
        *) fail "Debian $SUITE has Orthanc $offered by now; DEBIAN_MIRROR may name an archive that still has $VERSION" ;;
    esac
    write_starter
    as_root mv -T "$BUILDING" "$ROOT"
}

# A root has its name only when it is complete; who comes meanwhile waits for the one who builds.
if [ ! -d "$ROOT" ]; then
    [ "${1:-}" != --if-there ] || exit 1
    mkdir -p "$(dirname "$ROOT")"
    exec 9>"$ROOT.lock"
    flock 9
    if [ ! -d "$ROOT" ]; then
        echo "making a root of Debian $SUITE with Orthanc $VERSION: $ROOT" >&2
        build >"$ROOT.log" 2>&1 &    # not `build || ...`, in which a shell forgets -e
        wait $! || { remove_building; tail -n 3 "$ROOT.log" >&2; fail "see $ROOT.log"; }
    fi
fi
echo "$ROOT"
