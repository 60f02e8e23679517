#!/usr/bin/env bash
# Set up and run all tests: style, types, the suite (slow tests too), and a built wheel and sdist.
# usage: bash tests/run.sh [PYTEST OPTION]...     (in two processes; -n N for more)
set -euo pipefail
cd "$(dirname "$0")/.."
. examples/setup.sh
setup_speid test,docs,jaspar,explain,workflow
ruff check .
ruff format --check .
mypy
# pyGenomeTracks, which draws an exported track, needs older libraries than speid: it gets its own environment.
[ -x .venv/tracks/bin/pyGenomeTracks ] ||
    { python -m venv .venv/tracks && .venv/tracks/bin/pip install --quiet pyGenomeTracks; } ||
    say "pyGenomeTracks cannot be installed for this Python: its test is skipped"
PATH=$PATH:$PWD/.venv/tracks/bin python -m pytest -n 2 "$@"
