#!/bin/sh
# Installs the Debian packages that the tests need, where it may; never starts a service.
# What is missing afterwards is said by the test run itself, which fails unless ALLOW_MISSING=1.
set -u
missing=""
for package in "$@"; do
    dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
command -v apt-get >/dev/null 2>&1 || { echo "no apt-get: cannot install$missing"; exit 0; }
if [ "$(id -u)" = 0 ]; then as_root=""; elif sudo -n true 2>/dev/null; then as_root="sudo"; else
    echo "not root: cannot install$missing"; exit 0
fi
# A policy that forbids starting services, for the time of the installation only.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod +x "$policy"
    trap '$as_root rm -f "$policy"' EXIT
fi
$as_root apt-get update -qq || true
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
    echo "could not install$missing"
exit 0
