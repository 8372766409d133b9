#!/usr/bin/env bash
# Measures everything in docs/performance.md and writes it; about half an hour on one core. Names choose scripts:
#   scripts/benchmarks/all.sh                 scripts/benchmarks/all.sh fit feeding
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export OMP_NUM_THREADS=1
scripts=("$@")
[ $# -gt 0 ] || scripts=(fit peers precision feeding averaging lazy_penalty upkeep short_runs frechet startup compiled many_seeds large_data scaling)
for name in "${scripts[@]}"; do
    echo "== $name" >&2
    python "scripts/benchmarks/speed/$name.py" --json docs/performance.json
done
python scripts/benchmarks/speed/page.py docs/performance.json docs/performance.md
