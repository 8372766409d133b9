"""Trains 6 losses × 4 penalties × 3 norms over seeds and writes docs/stability.md: who is stable, who is good.

    python scripts/benchmarks/stability.py [--root runs/stability] [--seeds 0 1 2] [--workers 2] [--table-only]

Digits first, with fully connected networks; then, for the better half, `grid25`. About an hour on two cores. Each
loss is one Hydra multirun; the same command is the same run, so that this can be stopped and started again.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from forger.runs.listing import list_runs

REPOSITORY = Path(__file__).resolve().parents[2]
LOSSES = ("minimax", "non_saturating", "least_squares", "hinge", "wasserstein", "relativistic")
PENALTIES = ("none", "r1", "r1_r2", "wgan_gp")
NORMS = ("none", "batch", "spectral")
Recipe = tuple[str, str, str]

#: fd_digits of a test set with one class left out (docs/scores.md): worse than that has lost what matters.
ONE_CLASS_LEFT_OUT = 23.2
#: A healthy run ends within this factor of its own best, and 1 for chance.
GAP = 1.5
COMMON = ("logger=none", "trainer.threads=1", "samples.every_images=null", "checkpoint.every_images=null")
ON_DIGITS = ("model=gan", "data=digits", "metrics=digits", "budget.images=96_000", "metrics.every_images=12_000")
#: With a mixture of as many components as there are modes as latents: without one nobody finds them in so few rounds.
ON_GRID = ("model=gan_1d", "data=grid25", "metrics=modes", "model.ema=0.99", "model.latent=32", "watch.action=none")
ON_GRID += ("model.generator.width=128", "+model.generator.components=25", "model.discriminator.width=128")
ON_GRID += ("model.players.generator.optimizer.lr=1e-3", "model.players.discriminator.optimizer.lr=2e-3")
ON_GRID += ("budget.images=512_000", "metrics.every_images=128_000")


def train(loss: str, combinations: list[Recipe], seeds: list[int], root: Path, base: tuple[str, ...]) -> None:
    """All recipes of one loss: one multirun for each penalty."""
    for penalties in PENALTIES:
        norms = [norm for of, penalty, norm in combinations if (of, penalty) == (loss, penalties)]
        if not norms:
            continue
        overrides = [*base, *COMMON, f"run.root={root}", f"run.name={loss}-{penalties}"]
        overrides += [f"model/loss={loss}", f"+model/penalties={penalties}"]
        overrides += [f"++model.discriminator.norm={','.join(norms)}", f"seed={','.join(map(str, seeds))}"]
        command = [sys.executable, "-m", "forger", "train", "-m", *overrides]
        done = subprocess.run(command, capture_output=True, text=True)
        print(f"{root.name}: {loss}, {penalties}: exit code {done.returncode}", flush=True)
        if done.returncode not in (0, 3):  # a recipe that diverges is a result
            print(done.stderr[-2000:], file=sys.stderr)


def runs(root: Path, score: str) -> dict[Recipe, list[dict[str, Any]]]:
    """By recipe, for each seed: status, best and final score (None: none), share of it that is left, alarms."""
    found: dict[Recipe, dict[int, dict[str, Any]]] = defaultdict(dict)
    for entry in list_runs(root):
        if entry.status not in ("finished", "diverged") or entry.record is None:
            continue
        config = yaml.safe_load((entry.path / "config.yaml").read_text())
        recipe = (*config["run"]["name"].split("-"), config["model"]["discriminator"].get("norm", "none"))
        scores = entry.record["scores"]
        found[recipe][entry.record["seed"]] = {
            "status": entry.status,
            "final": scores["final"].get(score, {}).get("value"),
            "best": scores["best"].get(score, {}).get("value"),
            "spread": scores["final"].get("spread", {}).get("value"),
            "high_quality": scores["final"].get("high_quality", {}).get("value"),
            "seconds": entry.record["seconds"],
        }
    return {recipe: [by_seed[seed] for seed in sorted(by_seed)] for recipe, by_seed in found.items()}


def healthy(run: dict[str, Any]) -> bool:
    """Ended, no worse than a set without one of its classes, and near its own best."""
    if run["status"] != "finished" or run["final"] is None or run["best"] is None:
        return False
    return run["final"] <= min(ONE_CLASS_LEFT_OUT, GAP * run["best"] + 1.0)


def on_digits(found: dict[Recipe, list[dict[str, Any]]]) -> list[tuple[Recipe, dict[str, float]]]:
    """Ranked: most healthy seeds first, then the lower median final score."""
    rows = []
    for recipe, seeds in found.items():
        finals = [math.inf if run["final"] is None else run["final"] for run in seeds]
        gaps = [run["final"] / run["best"] for run in seeds if run["final"] is not None and run["best"]]
        values = {
            "healthy": sum(map(healthy, seeds)) / len(seeds),
            "seeds": len(seeds),
            "final": statistics.median(finals),
            "lowest": min(finals),
            "highest": max(finals),
            "gap": statistics.median(gaps) if gaps else math.nan,
            "seconds": statistics.median(run["seconds"] for run in seeds),
        }
        rows.append((recipe, values))
    return sorted(rows, key=lambda row: (-row[1]["healthy"], row[1]["final"]))


def on_grid(found: dict[Recipe, list[dict[str, Any]]]) -> dict[Recipe, dict[str, float]]:
    rows = {}
    for recipe, seeds in found.items():
        modes = [run["final"] or 0.0 for run in seeds]
        rows[recipe] = {
            "modes": statistics.median(modes),
            "fewest": min(modes),
            "high_quality": statistics.median(run["high_quality"] or 0.0 for run in seeds),
        }
    return rows


def table(ranking: list[tuple[Recipe, dict[str, float]]], grid: dict[Recipe, dict[str, float]]) -> list[str]:
    lines = [
        "| | loss | penalties | norm of D | seeds healthy | final fd_digits (lowest to highest) | final ÷ best |"
        " grid25: modes (fewest) | high quality | s |",
        "|" + "---|" * 10,
    ]
    for place, ((loss, penalties, norm), v) in enumerate(ranking, 1):
        g = grid.get((loss, penalties, norm))
        modes = f"{g['modes']:.0f} ({g['fewest']:.0f}) | {g['high_quality']:.0%}" if g else " | "
        lines.append(
            f"| {place} | {loss} | {penalties} | {norm} | {v['healthy'] * v['seeds']:.0f} of {v['seeds']:.0f} | "
            f"{v['final']:.1f} ({v['lowest']:.1f} to {v['highest']:.1f}) | {v['gap']:.2f} | {modes} | "
            f"{v['seconds']:.0f} |"
        )
    return lines


def margins(found: dict[Recipe, list[dict[str, Any]]]) -> list[str]:
    """Share of healthy runs by each choice alone."""
    lines = ["| choice | healthy runs | median final fd_digits |", "|---|---|---|"]
    for place, options in enumerate((LOSSES, PENALTIES, NORMS)):
        kind = ("loss", "penalties", "norm")[place]
        for option in options:
            seeds = [run for recipe, runs_ in found.items() if recipe[place] == option for run in runs_]
            if seeds:
                final = statistics.median(math.inf if run["final"] is None else run["final"] for run in seeds)
                lines.append(f"| {kind} {option} | {sum(map(healthy, seeds))} of {len(seeds)} | {final:.1f} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=REPOSITORY / "runs" / "stability")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--losses", nargs="+", default=LOSSES)
    parser.add_argument("--table-only", action="store_true", help="write the table of what is there, train nothing")
    options = parser.parse_args()

    def all_of(combinations: list[Recipe], root: Path, base: tuple[str, ...]) -> None:
        with ThreadPoolExecutor(options.workers) as pool:
            jobs = [pool.submit(train, loss, combinations, options.seeds, root, base) for loss in options.losses]
        for job in jobs:
            job.result()

    digits, grid = options.root / "digits", options.root / "grid25"
    if not options.table_only:
        all_of(list(product(LOSSES, PENALTIES, NORMS)), digits, ON_DIGITS)
    found = runs(digits, "fd_digits")
    ranking = on_digits(found)
    if not options.table_only:
        all_of([recipe for recipe, _ in ranking[: len(ranking) // 2]], grid, ON_GRID)
    rows = table(ranking, on_grid(runs(grid, "modes")))
    template = (REPOSITORY / "docs" / "stability.in.md").read_text()
    for name, lines in {"TABLE": rows, "MARGINS": margins(found)}.items():
        template = template.replace(f"@{name}@", "\n".join(lines))
    (REPOSITORY / "docs" / "stability.md").write_text(template)
    summary = {"-".join(recipe): seeds for recipe, seeds in sorted(found.items())}
    summary |= {f"grid25: {'-'.join(recipe)}": seeds for recipe, seeds in sorted(runs(grid, "modes").items())}
    (REPOSITORY / "docs" / "stability.json").write_text(json.dumps(summary, indent=1) + "\n")


if __name__ == "__main__":
    main()
