#!/usr/bin/env bash
# Installs into .venv, checks the style, runs the whole test suite. Arguments go to pytest.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
# A browser for the report's tests, and real data; without them those tests are skipped, and fail in CI.
command -v chromium >/dev/null || debian_packages chromium
debian_packages dataset-fashion-mnist fonts-noto-color-emoji unicode-data
ruff check --quiet .
ruff format --quiet --check .
pyright --warnings | tail -n 5
# Many small computations: a second thread costs more than it gives. One worker more than cores, since tests wait, too.
OMP_NUM_THREADS=1 pytest -n "$(($(nproc) + 1))" --dist loadfile "$@"
