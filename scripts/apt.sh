#!/usr/bin/env bash
# Install the Debian packages named as arguments, those already there left alone. Safe to repeat and to interrupt.
# Needs root or sudo only when one is missing.
set -euo pipefail

missing=()
if ! command -v dpkg-query >/dev/null; then
    echo "apt.sh: this is no Debian; install by your own means: $*" >&2
    exit 0
fi
for package in "$@"; do
    state=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
    [[ $state == "install ok installed" ]] || missing+=("$package")
done
((${#missing[@]})) || exit 0

as_root=()
if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
        echo "apt.sh: root is needed once, run: apt-get install -y --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi

apt() {
    # Waits for another apt instead of failing. The list lock does not know the option, hence the tries below.
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=400 -o Acquire::Retries=3 -qq "$@"
}
refresh() {
    local try
    for try in 1 2 3 4 5 6; do
        if apt update; then return 0; fi
        echo "apt.sh: package lists not refreshed, try $try of 6" >&2
        sleep $((try * 5))
    done
    return 1
}
put() { apt install -y --no-install-recommends "${missing[@]}"; }

echo "Debian packages: installing ${missing[*]}"
# A dpkg that was interrupted refuses everything until this has run.
[[ -z $(ls -A /var/lib/dpkg/updates 2>/dev/null) ]] || "${as_root[@]}" dpkg --configure -a
# Lists that are missing or old name files the archive no longer has: refresh only when installing fails with them.
if ! put >/dev/null 2>&1; then
    refresh
    put >/dev/null
fi
