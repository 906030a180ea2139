#!/bin/sh
# bundle.sh IMAGE VERSION CERTIFICATE KEY OUT: a signed RAUC bundle of a root file system's image (ext4), with the hook that
# lies beside this script. COMPATIBLE may be set. KEY may be a PKCS#11 URI: a signing key belongs on a token, not on a disk.
set -eu
image=$1 version=$2 certificate=$3 key=$4 out=$5
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ln "$image" "$work/rootfs.ext4" 2>/dev/null || cp "$image" "$work/rootfs.ext4"
cp "$here/hook" "$work/hook"
chmod 755 "$work/hook"
cat >"$work/manifest.raucm" <<MANIFEST
[update]
compatible=${COMPATIBLE:-okng-box}
version=$version

[bundle]
format=verity

[hooks]
filename=hook
hooks=install-check

[image.rootfs]
filename=rootfs.ext4
hooks=post-install
MANIFEST
rm -f "$out"
rauc bundle --cert="$certificate" --key="$key" "$work" "$out"
