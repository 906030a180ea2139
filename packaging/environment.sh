#!/usr/bin/env bash
# environment.sh PYTHON WHEELHOUSE STAGED HOME: what is installed on a box as the virtual environment HOME, put together in
# STAGED from the wheels alone. PYTHON: the environment of `make setup`.
set -euo pipefail

python=$(realpath -s "$1") house=$(realpath "$2") staged=$(realpath -m "$3") home=$4
packaging=$(cd "$(dirname "$0")" && pwd)

mkdir -p "$staged"
"$python" -m pip --disable-pip-version-check --no-input -qq install --no-index --find-links "$house/wheels" \
    --require-hashes -r "$house/requirements.txt" --prefix "$staged" --ignore-installed --no-compile \
    --no-warn-script-location
site=$(echo "$staged"/lib/python3*/site-packages)
"$python" "$packaging/relocate.py" "$staged" "$home" "/usr/bin/$(basename "$(dirname "$site")")"
camera=$site/okng/simline/okngsim.cti
(cd "$site" && "$python" -m okng.simline.build "$camera" >/dev/null)
# Without debug words and build id, which hold the path of this folder.
strip --strip-unneeded --remove-section=.note.gnu.build-id "$camera"
find "$staged" -name __pycache__ -type d -prune -exec rm -rf {} +
