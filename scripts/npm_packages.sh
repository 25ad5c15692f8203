#!/bin/sh
# Viewers, JavaScript clients of DICOMweb and the judge of accessibility, which the tests use in a browser, as the npm
# registry has them. Nothing of them is run here, and nothing that they depend on is installed. `npm_packages.sh NAME`
# prints the folder of one package and fetches it the first time, `npm_packages.sh` fetches all of them.
#
#   --if-there      fetches nothing: without the package it ends with 1
#
#   NPM_PACKAGES    the folder (default: ${XDG_CACHE_HOME:-~/.cache}/orthanc-fast/npm)
#   NPM             the npm to use (default: that of scripts/node.sh)
set -eu

# name, version, SHA-512 of the package in base64 as `npm view NAME@VERSION dist.integrity` shows it
PACKAGES="
@ohif/app 3.13.2 WZdxmpmG7rqFgW9ZJLcbgr3XCtLi1KDNPoMaeY5PPe6j4G4fjEjjkycZM6C6Zk2F87BKxFfpq+jd5xXZB9E8EA==
axe-core 4.14.1 FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==
cornerstone-core 2.6.1 LAXjXwNnK2W65ZxpE7phVLjbijkYUrAQIGv5xqKjK8+dmIGlBxqvPHnyGwEqVDyKOWVrpXP6ymUPwrGGRwzgMg==
cornerstone-wado-image-loader 4.13.2 NGqH44bY1VMY8OYuVykkLriNtZQrmoZU/S6f/1t1xX3rMc+WUMNN+yi4Nu3jp6nckLdH/bVGiigoJXrp0dTrAg==
dicom-parser 1.8.21 lYCweHQDsC8UFpXErPlg86Px2A8bay0HiUY+wzoG3xv5GzgqVHU3lziwSc/Gzn7VV7y2KeP072SzCviuOoU02w==
dicomweb-client 0.11.3 7t1Rc/01fyFnKlQeNPW9Pvxvmsx8R/BgB2n7BxTuWirRFwlTC5upEeLeS3vO72P+n6/SQZ3+5ij0bgaWDHQG/A==
volview 4.4.1 dYFSHLzBZXDz5Cb/QX3oMndSrVO9cClHlpO0xNobZ2L6UDlMpNF5U1M1j67oFwbmT+trrhueulXHFHekeIlxVg==
"
FOLDER=${NPM_PACKAGES:-${XDG_CACHE_HOME:-$HOME/.cache}/orthanc-fast/npm}

fail() { echo "no package of npm: $*" >&2; exit 1; }

# folder_of NAME VERSION
folder_of() { echo "$FOLDER/$(echo "$1" | tr -d @ | tr / -)-$2"; }

# Says which npm there is.
find_npm() {
    if [ -n "${NPM:-}" ]; then echo "$NPM"; else echo "$(sh "$(dirname "$0")/node.sh")/npm"; fi
}

# fetch NAME VERSION HASH TARGET
fetch() {
    npm=$(find_npm) || fail "there is no npm"
    (cd "$BUILDING" && PATH=$(dirname "$npm"):$PATH "$npm" pack --silent "$1@$2" >/dev/null) || fail "could not fetch $1 $2"
    set -- "$1" "$2" "$3" "$4" "$BUILDING"/*.tgz
    found=$(python3 -c 'import base64, hashlib, sys
print(base64.b64encode(hashlib.sha512(open(sys.argv[1], "rb").read()).digest()).decode())' "$5")
    [ "$found" = "$3" ] || fail "$1 $2 is not what it was: its SHA-512 is $found"
    tar -xzf "$5" -C "$BUILDING"
    grep -q "\"version\": *\"$2\"" "$BUILDING/package/package.json" || fail "$1 is not of version $2"
    mv -T "$BUILDING/package" "$4"
}

fetch_all=1
there=0
if [ "${1:-}" = --if-there ]; then there=1; shift; fi
if [ $# -gt 0 ]; then fetch_all=0; wanted=$1; fi
known=0
echo "$PACKAGES" | { while read -r name version hash; do
    [ -n "$name" ] || continue
    [ $fetch_all = 1 ] || [ "$name" = "$wanted" ] || continue
    known=1
    target=$(folder_of "$name" "$version")
    # A folder has its name only when it is complete; who comes meanwhile waits for the one who fetches.
    if [ ! -d "$target" ]; then
        [ $there = 0 ] || exit 1
        mkdir -p "$FOLDER"
        exec 9>"$target.lock"
        flock 9
        if [ ! -d "$target" ]; then
            echo "fetching $name $version: $target" >&2
            BUILDING=$(mktemp -d "$target.XXXXXX")
            trap 'rm -rf "$BUILDING"' EXIT
            fetch "$name" "$version" "$hash" "$target"
            rm -rf "$BUILDING"
        fi
    fi
    [ $fetch_all = 1 ] || echo "$target"
done; [ $known = 1 ] || fail "unknown: ${wanted:-}"; }
