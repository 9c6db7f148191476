#!/bin/sh
# Makes the virtual environment named by $1 with the first fit Python, or says what is missing.
set -eu

fits() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

found=""
for python in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.14 python; do
    if fits "$python"; then
        found=$python
        break
    fi
done
if [ -z "$found" ]; then
    echo "Python 3.11 or newer is needed and none was found (tried python3, python3.11 to python3.14)." >&2
    echo "Install one, or name it: make PYTHON=/path/to/python3 …" >&2
    exit 1
fi
if ! "$found" -c 'import venv, ensurepip' >/dev/null 2>&1; then
    echo "$("$found" --version) lacks its venv module. On Debian and Ubuntu: apt install python3-venv" >&2
    exit 1
fi
echo "making $1 with $("$found" --version) …"
"$found" -m venv "$1"
