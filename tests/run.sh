#!/usr/bin/env bash
# Set up and run all tests: style, types, the suite (slow tests too), and a built wheel and sdist.
# usage: bash tests/run.sh [PYTEST OPTION]...     (in two processes; -n N for more)
set -euo pipefail
cd "$(dirname "$0")/.."
. examples/setup.sh
setup_speid test,jaspar,explain,workflow
ruff check .
ruff format --check .
mypy
python -m pytest -n 2 "$@"
