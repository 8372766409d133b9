"""Runs of recipes over seeds, what the results keep of them, and the command line of the scripts that train them."""

import argparse
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from forger.lifecycle.listing import list_runs
from forger.records import Record
from scripts.benchmarks.pages import REPOSITORY
from scripts.benchmarks.systems.recipes import System

PICTURES = REPOSITORY / "docs" / "pictures"


def options(doc: str | None, root: str) -> argparse.ArgumentParser:
    """The command line, with ``runs/ROOT`` as the default folder of runs."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=REPOSITORY / "runs" / root)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs="+", help="some of them")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--table-only", action="store_true", help="publish what is there, train nothing")
    return parser


def forger_train(title: str, *arguments: str) -> None:
    """One `forger train` in a process of its own; a run that diverges (exit code 3) is a result."""
    done = subprocess.run([sys.executable, "-m", "forger", "train", *arguments], capture_output=True, text=True)
    print(f"{title}: exit code {done.returncode}", flush=True)
    if done.returncode not in (0, 3):
        print(done.stderr[-2000:], file=sys.stderr)


def all_of(workers: int, calls: Iterable[Callable[[], None]]) -> None:
    """Make all calls, some at a time."""
    with ThreadPoolExecutor(workers) as pool:
        jobs = [pool.submit(call) for call in calls]
    for job in jobs:
        job.result()


def train(systems: list[System], given: argparse.Namespace) -> None:
    """Every system with every seed, one thread a run."""

    def one(system: System, seed: int) -> None:
        overrides = [*system.overrides, f"seed={seed}", "trainer.threads=1", "logger=none", f"run.root={given.root}"]
        forger_train(f"{system.name} seed {seed}", *overrides)

    chosen = [system for system in systems if not given.only or system.name in given.only]
    all_of(given.workers, [lambda s=s, seed=seed: one(s, seed) for seed in given.seeds for s in chosen])


def newest_runs(folder: Path) -> list[tuple[Path, Record]]:
    """The newest finished run of each seed."""
    found = [entry for entry in list_runs(folder) if entry.status == "finished"]
    found.sort(key=lambda entry: (entry.path / "record.json").stat().st_mtime)
    newest = {entry.record.seed: (entry.path, entry.record) for entry in found if entry.record}
    return [newest[seed] for seed in sorted(newest)]


def summary(system: System, root: Path, pictures: str) -> dict[str, Any]:
    """Median minutes, the last picture of the first seed (copied to docs/pictures), final scores by seed."""
    runs = newest_runs(root / system.name)
    scores = {
        str(record.seed): {name: score["value"] for name, score in record.scores["final"].items()} for _, record in runs
    }
    minutes = statistics.median(record.seconds / 60 for _, record in runs) if runs else None
    drawn = sorted((runs[0][0] / "samples").glob("[0-9]*")) if runs else []  # by images shown
    if runs and system.sample:
        drawn = [runs[0][0] / "samples" / "picture.png"]
        asked = [str(runs[0][0]), *system.sample.split(), "--out", str(drawn[0])]
        subprocess.run([sys.executable, "-m", "forger", "sample", *asked], check=True, capture_output=True)
    picture = None
    if drawn:
        picture = f"{pictures}/{system.name}{drawn[-1].suffix}"
        (PICTURES / pictures).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(drawn[-1], PICTURES / picture)
    return {"minutes": minutes, "picture": picture, "scores": scores}
