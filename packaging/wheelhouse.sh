#!/usr/bin/env bash
# wheelhouse.sh PYTHON RUNTIME OUT: every wheel a box needs, okng's own among them, for a machine without a network:
#
#   pip install --no-index --find-links OUT/wheels --require-hashes -r OUT/requirements.txt
#
# PYTHON: the environment of `make setup`. RUNTIME: cpu or gpu. What is fetched is checked against requirements/*.txt, and
# OUT/requirements.txt names exactly these files. Safe to repeat: a wheel that is there is not fetched again.
set -euo pipefail

python=$(realpath -s "$1") runtime=$2 out=$(realpath -m "$3")
root=$(cd "$(dirname "$0")/.." && pwd)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pip() { "$python" -m pip --disable-pip-version-check --no-input -qq "$@"; }

locks=()
for extra in base "$runtime" sim fleet tls sign opcua mqtt gpio report export; do
    locks+=(-r "$root/requirements/$extra.txt")
done
mkdir -p "$out/wheels" "$work/wheels" "$work/source"
pip download --only-binary=:all: --require-hashes --find-links "$out/wheels" --dest "$work/wheels" "${locks[@]}"

# okng's own, from what git knows (changes not committed included) and the compiled words.
(cd "$root" && git ls-files -z --cached --others --exclude-standard -- . ':!tests' ':!docs' ':!bench' &&
    find webui/translations -name '*.mo' -print0) |
    (cd "$root" && while IFS= read -r -d '' file; do [[ ! -f $file ]] || printf '%s\0' "$file"; done) |
    tar -C "$root" --null -T - -cf - | tar -C "$work/source" -xf -
find "$work/source" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
pip wheel --no-deps --no-build-isolation --no-index --wheel-dir "$work/wheels" "$work/source"

rm -rf "$out/wheels"
mv "$work/wheels" "$out/wheels"
"$python" - "$out" "$runtime" <<'LIST'
import hashlib, pathlib, sys

out, runtime = pathlib.Path(sys.argv[1]), sys.argv[2]
lines, sums = [f"# The wheels beside this file, runtime {runtime}: nothing else is needed."], []
for wheel in sorted((out / "wheels").iterdir()):
    name, version = wheel.name.split("-")[:2]
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    lines.append(f"{name.replace('_', '-').lower()}=={version} --hash=sha256:{digest}")
    sums.append(f"{digest}  wheels/{wheel.name}")
(out / "requirements.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
(out / "SHA256SUMS").write_text("\n".join(sums) + "\n", encoding="utf-8")
LIST
