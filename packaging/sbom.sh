#!/usr/bin/env bash
# sbom.sh PYTHON STAGED OUT: the CycloneDX 1.6 SBOM of an environment that environment.sh has put together.
# PYTHON: an environment with requirements/sbom.txt. The same wheels give the same bytes.
set -euo pipefail

python=$(realpath -s "$1") staged=$(realpath "$2") out=$(realpath -m "$3")
packaging=$(cd "$(dirname "$0")" && pwd)
found=$(mktemp)
trap 'rm -f "$found"' EXIT
mkdir -p "$(dirname "$out")"
"$python" -m cyclonedx_py environment --spec-version 1.6 --of JSON --output-reproducible -o "$found" "$staged/bin/python3" \
    2>/dev/null
"$python" "$packaging/sbom.py" "$found" "$packaging/.." "$out" >&2
