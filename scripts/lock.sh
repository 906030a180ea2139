#!/usr/bin/env bash
# Resolve setup.cfg into requirements/NAME.txt, one per extra, exact versions with hashes. Argument: the virtual
# environment. One resolution bounds all: the widest is made first, so a library has the same version in every file.
# base.txt holds what every box needs; the others begin with `-r base.txt` and add their own.
set -euo pipefail

venv=$1
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check 'uv>=0.13,<0.14'
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

resolve() { # resolve OUT ARGUMENTS...
    local out=$1
    shift
    # This machine's own registry settings stay out: what is locked is the public index's own files.
    "$venv/bin/uv" pip compile "$@" --no-config --python-version 3.11 --python-platform x86_64-unknown-linux-gnu \
        --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate --quiet \
        --output-file "$out" >/dev/null
}
# Print the packages of lock $2 (each its line and its hashes) that lock $1 does not hold.
beyond() {
    awk '/^[A-Za-z0-9]/ { name = $1; show = (FILENAME != ARGV[1]) && !(name in held) }
         FILENAME == ARGV[1] { held[name]; next }
         show' "$1" "$2"
}
title() { echo "# Made by \`make lock\` from setup.cfg: $1. Do not edit."; }

extras=(cpu sim fleet cloud tls sign opcua mqtt gpio report export track search fuzz test)
resolve "$work/wide" setup.cfg "${extras[@]/#/--extra=}"
grep -oE '^[A-Za-z0-9._-]+==[^ ]+' "$work/wide" >"$work/bounds"
# The newest torch the trainer was tried with, and the torchvision made for it.
printf 'torch==2.14.1\ntorchvision==0.29.1\n' >>"$work/bounds"

printf 'setuptools>=77\nwheel\n' >"$work/build.in"
resolve "$work/build" "$work/build.in"
{ title "what builds the package"; cat "$work/build"; } >requirements/build.txt
printf 'cyclonedx-bom==7.5.0\n' >"$work/sbom.in"
resolve "$work/sbom" "$work/sbom.in"
{ title "what makes and checks the SBOM, in an environment of its own"; cat "$work/sbom"; } >requirements/sbom.txt
# A program beside the product: its libraries are its own, bound by nothing of ours.
printf '%s\n' 'mlflow>=3.17.2,<4' 'boto3>=1.44,<2' 'psycopg[binary]>=3.3,<4' 'label-studio-converter==0.0.59' \
    'pycocotools==2.0.11' >"$work/mlflow.in"
resolve "$work/mlflow" "$work/mlflow.in"
{ title "MLflow's server and the peers of data sets, in an environment of their own"; cat "$work/mlflow"; } >requirements/mlflow.txt
resolve "$work/base" setup.cfg --constraints "$work/bounds"
{ title "what every box needs"; cat "$work/base"; } >requirements/base.txt
for extra in cpu gpu sim fleet cloud tls sign opcua mqtt gpio report export fuzz test train track search ray; do
    resolve "$work/$extra" setup.cfg --extra "$extra" --constraints "$work/bounds"
    { title "extra [$extra]"; echo "-r base.txt"; beyond "$work/base" "$work/$extra"; } >"requirements/$extra.txt"
done
