#!/usr/bin/env bash
# Installs into .venv, checks the style, runs the whole test suite. Arguments go to pytest.
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
# The report's tests open the page in a browser; without one they are skipped, and fail in CI.
if ! command -v chromium >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "test: installing chromium" >&2
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium; } \
        >/dev/null 2>&1 || echo "test: chromium could not be installed" >&2
fi
ruff check --quiet .
ruff format --quiet --check .
pyright --warnings | tail -n 5
# Many small computations: a second thread costs more than it gives.
OMP_NUM_THREADS=1 pytest -n "$(nproc)" --dist loadfile "$@"
