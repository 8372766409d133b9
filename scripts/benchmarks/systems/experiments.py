"""Trains every system of the notes over three seeds: figures, spread, minutes, pictures (docs/results/systems.md).

    python -m scripts.benchmarks.systems.experiments [--root runs/systems] [--seeds 0 1 2] [--only digits_ae …]
                                                     [--workers 2] [--table-only]

One thread a run. The same command is the same run, so that this can be stopped and started again. What is not among
`--only` keeps its published figures.
"""

import statistics
from pathlib import Path

from forger.files import read_rows
from scripts.benchmarks import pages
from scripts.benchmarks.systems.recipes import SATURATION, SYSTEMS
from scripts.benchmarks.systems.training import newest_runs, options, summary, train


def gradients(folder: Path) -> list[float]:
    """Norm of the gradient that reaches the generator, mean over rounds 51 to 100, of each seed."""
    means = []
    for path, _ in newest_runs(folder):
        rows = [row for row in read_rows(path / "metrics.jsonl") if 50 < row["iterations"] <= 100]
        name = "watch/generator_gradient"
        means.append(statistics.mean(row[name] for row in rows if name in row))
    return means


def main() -> None:
    given = options(__doc__, "systems").parse_args()
    if not given.table_only:
        train(SYSTEMS, given)
    chosen = given.only or [system.name for system in SYSTEMS]
    former = pages.known("systems")
    found = {
        system.name: summary(system, given.root, "systems") if system.name in chosen else former["systems"][system.name]
        for system in SYSTEMS
        if system.name in {*chosen, *former["systems"]}
    }
    means = {
        loss: gradients(given.root / name) if name in chosen else former["gradients"][loss]
        for loss, name in SATURATION.items()
    }
    pages.publish("systems", {"systems": found, "gradients": means})


if __name__ == "__main__":
    main()
