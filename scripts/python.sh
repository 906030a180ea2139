#!/usr/bin/env bash
# Print the path of a Python that can make the virtual environment: 3.11 with venv and ensurepip, installing Debian's
# python3-venv where only that is missing. OKNG_PYTHON overrides the search.
set -euo pipefail

here=$(dirname "$0")
# The locks in requirements/ are resolved for 3.11; genicam has no wheels beyond 3.13.
is_311='import sys; sys.exit(sys.version_info[:2] != (3, 11) or sys.prefix != sys.base_prefix)'

works() { "$1" -c 'import ensurepip, ssl, sqlite3, venv' 2>/dev/null; }

if [[ -n ${OKNG_PYTHON:-} ]]; then
    works "$OKNG_PYTHON" || { echo "python.sh: OKNG_PYTHON=$OKNG_PYTHON has no venv or ensurepip" >&2; exit 1; }
    echo "$OKNG_PYTHON"
    exit 0
fi
for try in search install; do
    for name in python3.11 python3 /usr/bin/python3.11 /usr/bin/python3; do
        path=$(command -v "$name" 2>/dev/null) || continue
        "$path" -c "$is_311" 2>/dev/null || continue
        if works "$path"; then
            echo "$path"
            exit 0
        fi
    done
    [[ $try == search ]] && "$here/apt.sh" python3 python3-venv >&2
done
echo "python.sh: found no Python 3.11 with venv; Debian 12: apt-get install python3-venv. Or set OKNG_PYTHON" >&2
exit 1
