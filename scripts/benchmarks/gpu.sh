#!/usr/bin/env bash
# What forger does on this machine's GPU, in at most 8 minutes, without network, with the Python that is active:
#   scripts/benchmarks/gpu.sh                      writes runs/gpu/gpu.md and gpu.json
#   scripts/benchmarks/gpu.sh FOLDER               the same elsewhere
#   scripts/benchmarks/gpu.sh FOLDER --device cpu --smallest     that it runs, without a GPU
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# The packages may be there without forger among them.
export PYTHONPATH="$PWD/src:$PWD${PYTHONPATH:+:$PYTHONPATH}"
python=$(command -v python || command -v python3)
echo "$("$python" --version) at $python" >&2
exec "$python" -m scripts.benchmarks.speed.gpu "$@"
