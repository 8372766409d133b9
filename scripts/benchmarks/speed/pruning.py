"""What pruning saves: one sweep with and without ASHA, the same candidates, over seeds of the sampler.

    python -m scripts.benchmarks.speed.pruning [--sweep stability] [--root runs/pruning] [--seeds 0 1 2] [--workers 1]
                                         [--asha OVERRIDE …] [--overrides OVERRIDE …]

Candidates are random, so that both sweeps see the same ones. Writes docs/results/pruning.md; the same command
continues. Spread is the standard deviation of the best candidate's score over three seeds of its run.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from forger.files import read_rows
from scripts.benchmarks import pages


def swept(name: str, workers: int, typed: list[str]) -> tuple[dict[str, Any], int]:
    """The best trial of a sweep, and the images shown in all of it."""
    forger = [sys.executable, "-m", "forger", "sweep"]
    subprocess.run([*forger, "run", *typed, f"sweep.name={name}", "-w", str(workers)], check=True)
    status = [*forger, "status", *typed, f"sweep.name={name}", "--json"]
    study = json.loads(subprocess.run(status, check=True, capture_output=True, text=True).stdout)
    rows = [read_rows(path) for path in Path(study["folder"]).glob("*/*/metrics.jsonl")]
    return study["best"][0], sum(of[-1]["images"] for of in rows if of)


def spread(name: str, score: str, best: dict[str, Any], typed: list[str]) -> float:
    """Standard deviation of a candidate's score over three seeds of its run."""
    fixed = [f"{key}={value}" for key, value in best["parameters"].items()]
    over = ["seed=range(0,3)", "sweep.sampler=grid", "sweep.trials=3", "sweep.pruner=none"]
    swept(name, 1, [*typed, *fixed, *over])
    (root,) = [text.removeprefix("run.root=") for text in typed if text.startswith("run.root=")]
    rows = [read_rows(path) for path in Path(root, name).glob("*/*/metrics.jsonl")]
    return statistics.stdev([row[f"score/{score}"] for row in of if f"score/{score}" in row][-1] for of in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweep", default="stability")
    parser.add_argument("--root", type=Path, default=Path("runs/pruning"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--asha", nargs="+", default=[], metavar="OVERRIDE", help="of the pruned sweep alone")
    parser.add_argument("--overrides", nargs="+", default=[], metavar="OVERRIDE", help="of both sweeps")
    given = parser.parse_args()
    rows, score = [], ""
    for seed in given.seeds:
        typed = [given.sweep, f"run.root={given.root}", *given.overrides]
        candidates = ["sweep.sampler=random", f"sweep.seed={seed}"]
        name = f"{given.sweep}-{seed}"
        best, all_images = swept(f"{name}-none", given.workers, [*typed, *candidates, "sweep.pruner=none"])
        other, images = swept(f"{name}-asha", given.workers, [*typed, *candidates, "sweep.pruner=asha", *given.asha])
        ((score, value),) = best["values"].items()
        between = spread(f"{name}-spread", score, best, typed)
        rows.append(
            {
                "seed": seed,
                "unpruned": value,
                "asha": other["values"][score],
                "images": images / all_images,
                "spread": between,
            }
        )
        print(rows[-1], flush=True)
    pages.publish("pruning", {"sweep": given.sweep, "score": score, "rows": rows})


if __name__ == "__main__":
    main()
