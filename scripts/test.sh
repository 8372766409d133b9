#!/usr/bin/env bash
# Installs into .venv, checks the style, runs the whole test suite. Arguments go to pytest.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
ruff check --quiet .
ruff format --quiet --check .
pyright --warnings | tail -n 5
# Many small computations: a second thread costs more than it gives.
OMP_NUM_THREADS=1 pytest "$@"
