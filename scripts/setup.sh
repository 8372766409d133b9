# Sourced by the other scripts: makes .venv from requirements.lock with forger in it, once, and activates it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

stamp=".venv/.installed-$(cat requirements.lock pyproject.toml | sha256sum | cut -c1-16)"
if [ ! -e "$stamp" ]; then
    uv=$(command -v uv || true)
    if ! [ -n "$uv" ] || ! "$uv" --version >/dev/null 2>&1; then
        uv=.cache/uv/bin/uv
        if [ ! -x "$uv" ]; then
            python3 -m pip install --quiet --disable-pip-version-check --target .cache/uv uv || {
                echo "setup: neither uv nor 'python3 -m pip' works here; install one of them first" >&2
                exit 1
            }
        fi
    fi
    echo "setup: installing the locked packages into .venv (several GB the first time)" >&2
    [ -x .venv/bin/python ] || "$uv" venv --quiet --clear --no-python-downloads --python '>=3.11' .venv
    export UV_LINK_MODE=${UV_LINK_MODE:-hardlink} VIRTUAL_ENV="$PWD/.venv"
    "$uv" pip sync --quiet --require-hashes requirements.lock
    "$uv" pip install --quiet --no-deps --no-build-isolation --editable .
    rm -f .venv/.installed-*
    touch "$stamp"
fi
export PATH="$PWD/.venv/bin:$PATH"
# Importing PyTorch without its bytecode costs ten seconds a process.
unset PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX="$PWD/.cache/bytecode"

# debian_packages NAME...: installs what is missing of them, as far as that can be done here.
debian_packages() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || dpkg -s "$@" >/dev/null 2>&1; then return; fi
    echo "setup: installing $*" >&2
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@"; } \
        >/dev/null 2>&1 || echo "setup: could not install $*" >&2
}
