#!/bin/sh
# Makes the Python environment in the folder $1 from the hash-locked list, or brings it up to date.
set -eu
venv=$1

loudness=--quiet

supported() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

if ! supported "$venv/bin/python"; then
    python=
    for candidate in ${PYTHON:-} python3.12 python3.11 python3.13 python3; do
        if supported "$candidate"; then python=$candidate; break; fi
    done
    if [ -z "$python" ]; then
        echo "No Python 3.11, 3.12 or 3.13 was found. Next: install one, or name it: make PYTHON=/path/to/python3.12" >&2
        exit 2
    fi
    echo "Making the environment $venv with $("$python" --version)"
    rm -rf "$venv"
    loudness=
    "$python" -m venv "$venv" || {
        echo "Next: install the venv module of $python (Debian, Ubuntu: apt-get install python3-venv)." >&2
        exit 2
    }
fi

install() {
    "$venv/bin/python" -m pip install --disable-pip-version-check --no-deps --no-compile "$@"
}

echo "Installing the locked packages that are missing: about 800 MB to download the first time, cached by pip"
install --quiet --require-hashes --only-binary :all: -r infra/requirements-build.txt
install $loudness --require-hashes --only-binary :all: --no-binary pyspark --no-build-isolation -r requirements.lock
install --quiet --no-build-isolation -e .
