#!/usr/bin/env bash
# Measures all of docs/results/performance.md and publishes it; about half an hour on one core. Names choose scripts:
#   scripts/benchmarks/all.sh                 scripts/benchmarks/all.sh fit feeding
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export OMP_NUM_THREADS=1
scripts=("$@")
[ $# -gt 0 ] || scripts=(fit peers precision feeding averaging lazy_penalty upkeep short_runs frechet startup compiled many_seeds large_data large_archive scaling)
for name in "${scripts[@]}"; do
    echo "== $name" >&2
    python -m "scripts.benchmarks.speed.$name" --publish
done
