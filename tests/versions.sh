#!/usr/bin/env bash
# Install into a fresh environment of each Python that is found, and run the quick tests there.
# usage: bash tests/versions.sh [VERSION]...     (default: 3.10 3.11 3.12 3.13)
set -euo pipefail
cd "$(dirname "$0")/.."
. examples/setup.sh
[ $# -gt 0 ] || set -- 3.10 3.11 3.12 3.13
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

find_python() {
    local python
    for python in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do
        "$python" -c 'import ensurepip, venv' 2> /dev/null && echo "$python" && return
    done
    return 1
}

# Kernels are built into the source folder, so each version gets a copy.
test_on() {
    mkdir "$work/speid"
    tar -c --exclude './.*' --exclude ./build --exclude ./quickstart --exclude '*.so' . | tar -x -C "$work/speid" &&
        cd "$work/speid" && PYTHON=$1 setup_speid test,jaspar,explain && python -m pytest -q -n 2 -m 'not slow'
}

ran=0 failed=0
for version in "$@"; do
    if ! python=$(find_python "$version"); then
        echo "Python $version: not found"
        continue
    fi
    ran=1
    if (test_on "$python") > "$work/log" 2>&1; then
        echo "Python $version: $(tail -n 1 "$work/log")"
    else
        failed=1
        tail -n 60 "$work/log" >&2
        echo "Python $version: FAILED: $(tail -n 1 "$work/log")"
    fi
    rm -rf "$work/speid"
done
[ "$ran" = 1 ] && [ "$failed" = 0 ]
