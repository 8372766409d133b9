"""Calibrates the watch: trains healthy and broken recipes and replays their signals (docs/results/watch.md).

    python -m scripts.benchmarks.watch.calibration [--root runs/watch] [--seeds 0 1 2] [--workers 2] [--table-only]

About 20 minutes of one core for 186 runs; the same command goes on where it stopped. Thresholds are in
`forger.watch.alarms.PATTERNS`; they were chosen by looking at the fit half alone. Alarms are replayed from
``metrics.jsonl``, so that other thresholds need no new training (``--table-only``). What the watch costs is measured
by `speed/upkeep.py`.
"""

import argparse
import itertools
import logging
import multiprocessing
import re
import statistics
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from forger.files import read_rows
from forger.lifecycle.listing import list_runs
from forger.records import Record
from forger.run import train
from forger.run_folder import RunFolder
from forger.watch.alarms import PATTERNS, Alarms
from forger.watch.history import SignalHistory
from scripts.benchmarks import pages
from scripts.benchmarks.composing import composed
from scripts.benchmarks.watch import oscillation
from scripts.benchmarks.watch.recipes import RECIPES, Recipe
from scripts.benchmarks.watch.truth import distance_of_shares, judged

COMMON = ("logger=none", "trainer.threads=1", "samples.every_images=null", "checkpoint.every_images=null")
#: Checks in a row that make an alarm, as in conf/train.yaml.
PATIENCE = 3


@dataclass(frozen=True)
class Run:
    """A run, what became of it, and what the watch said.

    Args:
        recipe, half, meant, seed: which one.
        status: of its record.
        truth: ``healthy``, ``broken`` or ``between``, by its final samples.
        distance: what that rests on (`truth.py`).
        alarms: names and the images shown at which they rang.
        budget: in images.
    """

    recipe: str
    half: str
    meant: str
    seed: int
    status: str
    truth: str
    distance: float | None
    alarms: list[tuple[str, int]]
    budget: int


def run_name(recipe: Recipe) -> str:
    return re.sub(r"\W+", "-", recipe.name)


def train_one(task: tuple[Recipe, int, str]) -> None:
    recipe, seed, root = task
    logging.getLogger().setLevel(logging.ERROR)
    overrides = [*recipe.overrides, *COMMON, f"run.root={root}", f"run.name={run_name(recipe)}", f"seed={seed}"]
    print(f"{recipe.name}, seed {seed}: exit code {train(composed(*overrides))}", flush=True)


def replayed(path: Path, patience: int = PATIENCE) -> tuple[list[tuple[str, int]], list[dict[str, float]]]:
    """Alarms of a run with the images at which they rang, and the signals of its checks, from its rows."""
    history, alarms = SignalHistory(), Alarms(patience)
    score, higher_is_better = None, False
    best = re.search(r"^  best: (\w+)$", (path / "config.yaml").read_text(), re.MULTILINE)
    name = f"score/{best.group(1)}" if best else ""
    rung, checks = [], []
    for row in read_rows(path / "metrics.jsonl"):
        if name in row:
            score, higher_is_better = row[name], best is not None and best.group(1) == "modes"
        if any(key.startswith("train/") for key in row):
            history.observe({key: float("nan") if value is None else value for key, value in row.items()})
        if "watch/weight_growth" in row:
            signals = {key: value for key, value in row.items() if key.startswith("watch/") and value is not None}
            signals |= history.derived(signals, score, higher_is_better)
            checks.append({**signals, "images": row["images"]})
            rung += [(alarm.name, row["images"]) for alarm in alarms.check(signals)]
    return rung, checks


def finished(root: Path) -> Iterator[tuple[Recipe, RunFolder, Record]]:
    """Every run of a recipe that came to its end, with its record; runs of former budgets are passed over."""
    by_name = {run_name(recipe): recipe for recipe in RECIPES}
    for entry in list_runs(root):
        if entry.record is None or entry.status not in ("finished", "diverged"):
            continue
        recipe = by_name.get(entry.record.name)
        folder = RunFolder(entry.path)
        if recipe is None:
            continue
        budgets = [override for override in recipe.overrides if override.startswith("budget.images=")]
        if int(budgets[-1].removeprefix("budget.images=")) == budget(folder):
            yield recipe, folder, entry.record


def budget(folder: RunFolder) -> int:
    """Of a run, in images."""
    found = re.search(r"^budget:\n  images: (\d+)$", folder.config_file.read_text(), re.MULTILINE)
    assert found is not None
    return int(found.group(1))


def collected(root: Path) -> Iterator[tuple[Run, list[dict[str, float]]]]:
    """Every run there is, with the signals of its checks."""
    for recipe, folder, record in finished(root):
        alarms, checks = replayed(folder.path)
        if record.status == "diverged":
            alarms.append(("divergence", record.images))
        truth, distance = judged(folder.path, record.status)
        about = (recipe.name, recipe.half, recipe.meant, record.seed, record.status)
        yield Run(*about, truth, distance, alarms, budget(folder)), checks


def interval(hits: int, n: int) -> tuple[float, float]:
    """Wilson's 95% confidence interval of a share."""
    if n == 0:
        return 0.0, 1.0
    z, p = 1.96, hits / n
    middle, half = p + z * z / (2 * n), z * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    low, high = (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)
    return max(0.0, low), min(1.0, high)


def rate(runs: list[Run]) -> dict[str, Any]:
    """Share of runs with an alarm, with counts and a confidence interval."""
    alarmed = [run for run in runs if run.alarms]
    low, high = interval(len(alarmed), len(runs))
    return {"alarmed": len(alarmed), "runs": len(runs), "low": low, "high": high}


def family(recipe: str) -> str:
    """What a recipe is about: digits, Fashion-MNIST or points."""
    return {"digits": "digits", "fashion": "Fashion-MNIST"}.get(re.split(r"\W", recipe)[0], "points")


def rates(runs: list[Run]) -> list[dict[str, Any]]:
    """Detection, false alarms and delay for each family and half."""
    result = []
    for name, half in itertools.product(("digits", "points", "Fashion-MNIST"), ("fit", "held out")):
        own = [run for run in runs if run.half == half and family(run.recipe) == name]
        of = {truth: [r for r in own if r.truth == truth] for truth in ("healthy", "broken", "between")}
        delays = [(run.alarms[0][1], run.alarms[0][1] / run.budget) for run in of["broken"] if run.alarms]
        result.append(
            {
                "family": name,
                "half": half,
                **{truth: rate(group) for truth, group in of.items()},
                "recipes": {truth: len({run.recipe for run in group}) for truth, group in of.items()},
                "diverged": sum(run.status == "diverged" for run in of["broken"]),
                "delay_images": statistics.median(d[0] for d in delays) if delays else None,
                "delay_share": statistics.median(d[1] for d in delays) if delays else None,
            }
        )
    return result


def sustained(checks: list[dict[str, float]], signal: str, below: bool, skip: int) -> float | None:
    """The most extreme level that a signal kept for `PATIENCE` checks in a row, after the first ``skip``."""
    values = [check.get(f"watch/{signal}") for check in checks[skip:]]
    windows = [values[i : i + PATIENCE] for i in range(len(values) - PATIENCE + 1)]
    whole = [[value for value in window if value is not None] for window in windows]
    levels = [max(window) if below else min(window) for window in whole if len(window) == PATIENCE]
    return (min(levels) if below else max(levels)) if levels else None


#: Signals and the side on which trouble is expected.
SIGNALS = {
    "vendi_ratio": True, "distance_ratio": True, "class_entropy": True, "mode_entropy": True, "active_units": True,
    "sharpness_ratio": True, "held_out_accuracy": False, "held_out_gap": False, "held_out_auc": False,
    "held_out_separation": False, "memory_auc": False, "gradient_ratio": False, "gradient_growth": False,
    "gradient_left": True, "fooled": True, "weight_growth": False, "spectral_peak": False, "score_gap": False,
}  # fmt: skip


def information(found: list[tuple[Run, list[dict[str, float]]]], half: str = "fit") -> dict[str, Any]:
    """For each signal: how well its sustained extreme tells broken runs from healthy ones (AUC), and quantiles."""
    result = {}
    for signal, below in SIGNALS.items():
        values: dict[str, list[float]] = {"healthy": [], "broken": []}
        for run, checks in found:
            value = sustained(checks, signal, below, PATTERNS["mode_collapse"].warm_up)
            if run.half == half and run.truth in values and value is not None:
                values[run.truth].append(value)
        healthy, broken = sorted(values["healthy"]), sorted(values["broken"])
        if healthy and broken:
            worse = sum((b < h if below else b > h) + 0.5 * (b == h) for b in broken for h in healthy)
            result[signal] = {
                "side": "low" if below else "high",
                "auc": worse / len(healthy) / len(broken),
                "healthy": [healthy[0], statistics.median(healthy), healthy[-1]],
                "broken": [broken[0], statistics.median(broken), broken[-1]],
                "runs": [len(healthy), len(broken)],
            }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=pages.REPOSITORY / "runs" / "watch")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", default="", help="train recipes whose names begin like this, and write no page")
    parser.add_argument("--table-only", action="store_true")
    options = parser.parse_args()
    if not options.table_only:
        done = {(recipe.name, record.seed) for recipe, _, record in finished(options.root)}
        every = [
            (recipe, seed, str(options.root))
            for seed in options.seeds
            for recipe in RECIPES
            if recipe.name.startswith(options.only)
        ]
        tasks = [task for task in every if (task[0].name, task[1]) not in done]
        with multiprocessing.get_context("spawn").Pool(options.workers) as pool:
            for _ in pool.imap_unordered(train_one, tasks):
                pass
    if options.only:
        return
    found = list(collected(options.root))
    runs = [run for run, _ in found]
    result = {
        "rates": rates(runs),
        "information": information(found),
        "oscillation": oscillation.report(),
        "thresholds": {name: [[asdict(s) for s in group] for group in p.groups] for name, p in PATTERNS.items()},
        "limits": {"healthy": distance_of_shares(0.2), "broken": distance_of_shares(0.3)},
        "runs": [asdict(run) for run in sorted(runs, key=lambda run: (run.half, run.meant, run.recipe, run.seed))],
    }
    pages.publish("watch", result)


if __name__ == "__main__":
    main()
