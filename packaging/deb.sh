#!/usr/bin/env bash
# deb.sh PYTHON RUNTIME WHEELHOUSE OUT: OUT/okng_VERSION_amd64.deb (RUNTIME gpu: okng-gpu_...) and OUT/okng-kiosk_VERSION_all.deb.
#
#   1 the wheels become a virtual environment for /opt/okng, compiled; the simulated camera is built
#   2 units, users, folders, rules, example, papers go to their places
#   3 dpkg-deb packs it; the same source and wheels give the same bytes (SOURCE_DATE_EPOCH)
#
# PYTHON: the environment of `make setup`. SBOM: Python of the environment that makes the SBOM (sbom.sh); unset: none is
# shipped. VERSION and DEB_COMPRESS ("xz", "zstd -z3", ...) may be set.
set -euo pipefail
umask 022
export LC_ALL=C.UTF-8 TZ=UTC

python=$(realpath -s "$1") runtime=$2 house=$(realpath "$3") out=$(realpath -m "$4")
root=$(cd "$(dirname "$0")/.." && pwd)
packaging=$root/packaging
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct)}
export SOURCE_DATE_EPOCH PYTHONHASHSEED=0
home=/opt/okng
package=okng about="" relations=$'Conflicts: okng-gpu\nReplaces: okng-gpu\n'
if [[ $runtime == gpu ]]; then
    package=okng-gpu about=" (NVIDIA GPU)" relations=$'Provides: okng\nConflicts: okng\nReplaces: okng\n'
fi
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
box=$stage/$package
mkdir -p "$box$home" "$box/DEBIAN" "$out"

put() { # put MODE SOURCE PLACE: one file
    install -D -m "$1" "$2" "$box$3"
}

system() {
    local file
    for file in "$root"/systemd/okng*.{service,target,timer,socket,path,mount,slice}; do
        [[ -f $file && $file != */okng-kiosk.service ]] || continue
        put 644 "$file" "/usr/lib/systemd/system/${file##*/}"
    done
    put 644 "$packaging/debian/settings-first.conf" /usr/lib/systemd/system/okng-.service.d/settings-first.conf
    # A new image without settings has nothing to show and is good: a file of that name for one unit goes before that of all.
    put 644 "$packaging/debian/mark-good.conf" /usr/lib/systemd/system/okng-mark-good.service.d/settings-first.conf
    put 644 "$root/systemd/okng.sysusers.conf" /usr/lib/sysusers.d/okng.conf
    put 644 "$root/systemd/okng.tmpfiles.conf" /usr/lib/tmpfiles.d/okng.conf
    for file in "$root"/systemd/udev/*.rules; do put 644 "$file" "/usr/lib/udev/rules.d/${file##*/}"; done
    # Further folders are for people to take from: update hooks, a firewall's example.
    for file in "$root"/systemd/*/; do
        file=${file%/}
        [[ ${file##*/} != kiosk && ${file##*/} != udev ]] || continue
        mkdir -p "$box/usr/share/okng" && cp -r --preserve=mode "$file" "$box/usr/share/okng/"
    done
    mkdir -p "$box/usr/bin" "$box/etc/okng"
    ln -s "$home/bin/okng" "$box/usr/bin/okng"
    put 644 "$packaging/okng.toml.example" /usr/share/okng/okng.toml.example
    # A link is no configuration file: nobody is asked about it at an upgrade.
    ln -s ../../usr/share/okng/okng.toml.example "$box/etc/okng/okng.toml.example"
    for file in "$root"/docs/*.md; do put 644 "$file" "/usr/share/doc/$package/${file##*/}"; done
    for file in CHANGELOG.md SECURITY.md NOTICE; do put 644 "$root/$file" "/usr/share/doc/$package/$file"; done
    if [[ $package != okng ]]; then ln -s "$package" "$box/usr/share/doc/okng"; fi
    if [[ -n ${SBOM:-} ]]; then
        "$packaging/sbom.sh" "$SBOM" "$box$home" "$box/usr/share/doc/$package/okng.cdx.json"
        "$python" "$packaging/copyright.py" "$box/usr/share/doc/$package/okng.cdx.json" "$home" \
            >"$box/usr/share/doc/$package/copyright"
    else
        put 644 "$root/NOTICE" "/usr/share/doc/$package/copyright"
    fi
}

kiosk() {
    box=$stage/okng-kiosk
    mkdir -p "$box/DEBIAN"
    put 644 "$root/systemd/okng-kiosk.service" /usr/lib/systemd/system/okng-kiosk.service
    put 644 "$root/systemd/kiosk/okng-kiosk.sysusers.conf" /usr/lib/sysusers.d/okng-kiosk.conf
    put 644 "$root/systemd/kiosk/70-okng-kiosk.rules" /usr/lib/udev/rules.d/70-okng-kiosk.rules
    put 755 "$root/systemd/kiosk/browser" /usr/lib/okng/kiosk/browser
    put 644 "$root/systemd/kiosk/weston.ini" /etc/okng/kiosk/weston.ini
    put 644 "$root/systemd/kiosk/policies.json" /etc/chromium/policies/managed/okng.json
    put 644 "$root/systemd/kiosk/README.md" /usr/share/doc/okng-kiosk/README.md
    put 644 "$root/NOTICE" /usr/share/doc/okng-kiosk/copyright
    printf '%s\n' /etc/okng/kiosk/weston.ini /etc/chromium/policies/managed/okng.json >"$box/DEBIAN/conffiles"
}

# What is filled in: names, numbers, and the order in which a line is stopped.
filled() { # filled FILE PLACE MODE
    local text stop
    text=$(<"$1") stop=$(<"$packaging/debian/stop.sh")
    text=${text//@STOP@/"$stop"}
    text=${text//@PACKAGE@/"$package"} text=${text//@VERSION@/"$version"} text=${text//@SCHEMA@/"$schema"}
    text=${text//@RELATIONS@/"$relations"} text=${text//@ABOUT@/"$about"}
    text=${text//@SIZE@/"$(find "$box" -type f ! -path "$box/DEBIAN/*" -printf '%s\n' | awk '{ kib += int(($1 + 1023) / 1024) } END { print kib + 0 }')"}
    text=${text//@PROCESSES@/"inspect-standby inspect shift web workshop opcua mqtt records"}
    printf '%s\n' "$text" >"$2"
    chmod "$3" "$2"
}

pack() { # pack SCRIPTS NAME
    local script
    filled "$1/control" "$box/DEBIAN/control" 644
    for script in preinst postinst prerm postrm; do
        if [[ -f $1/$script ]]; then filled "$1/$script" "$box/DEBIAN/$script" 755; fi
    done
    (cd "$box" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
    find "$box" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
    # shellcheck disable=SC2086  # several words
    dpkg-deb --root-owner-group -Z${DEB_COMPRESS:-xz} --build "$box" "$out/$2" >/dev/null
    echo "$out/$2: $(du -h --apparent-size "$out/$2" | cut -f1), installed $(du -sh --apparent-size "$box" | cut -f1)"
}

"$packaging/environment.sh" "$python" "$house" "$box$home" "$home"
read -r version schema < <("$box$home/bin/python3" -IB -c \
    'import okng; from okng.records.schema import VERSION; print(okng.__version__, VERSION)')
version=${VERSION:-$version}
# By content, never by time: a clock that is set cannot make a box compile; one job: the same bytes each time.
"$python" -m compileall -q -j 1 --invalidation-mode unchecked-hash -s "$box" -p / "$box$home"/lib/python3*/site-packages
system
pack "$packaging/debian" "${package}_${version}_amd64.deb"
kiosk
pack "$packaging/kiosk" "okng-kiosk_${version}_all.deb"
