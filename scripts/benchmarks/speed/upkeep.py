"""What checkpoints, scores and the watch take of a whole run at their default intervals.

    python -m scripts.benchmarks.speed.upkeep [EXPERIMENT...] [--repeats 3] [--publish]

A run (the default one, `digits_cgan`, unless others are named) with a stop watch on the calls that save, score and
watch, each without what happens in the others: their time as a share of all of the training's, that of the last save
and the published scores included. Of processor time; of the clock on the wall for saving, which waits for the disk. One
thread; half a minute a turn for the default run.
"""

import itertools
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch

from forger.callbacks.checkpoints import Checkpoints
from forger.callbacks.scoring import Scoring
from forger.callbacks.watching import HistoryUpdate, Watching
from forger.run import train
from scripts.benchmarks.composing import composed
from scripts.benchmarks.speed.measuring import Cost, Row, options, publish

#: The calls of each, and what their share is to stay under.
CALLS: dict[str, tuple[str, list[tuple[type, str]]]] = {
    "checkpoints": ("≤ 2%", [(Checkpoints, "save_last"), (Checkpoints, "save")]),
    "scores": ("≤ 5%", [(Scoring, "on_train_batch_end"), (Scoring, "published")]),
    "watch": ("≤ 2%", [(Watching, "on_train_batch_end"), (HistoryUpdate, "on_train_batch_end")]),
}


class Ledger:
    """Books what calls cost under their names, an inner call's under its own alone."""

    def __init__(self) -> None:
        self.costs: dict[str, Cost] = {}
        self.calls = Counter[str]()
        self._inner: list[Cost] = []

    def clear(self) -> None:
        self.costs = dict.fromkeys([*CALLS, "training"], Cost(0.0, 0.0))
        self.calls.clear()

    def book(self, name: str, kind: type, method: str) -> None:
        """Have every call of a method booked."""
        original: Callable[..., Any] = getattr(kind, method)

        def call(*arguments: Any, **options: Any) -> Any:
            self._inner.append(Cost(0.0, 0.0))
            cpu, wall = time.process_time(), time.perf_counter()
            try:
                return original(*arguments, **options)
            finally:
                whole = Cost(time.process_time() - cpu, time.perf_counter() - wall)
                inner = self._inner.pop()
                if self._inner:
                    self._inner[-1] = _sum(self._inner[-1], whole)
                self.costs[name] = _sum(self.costs[name], Cost(whole.cpu - inner.cpu, whole.wall - inner.wall))
                self.calls[name] += 1

        setattr(kind, method, call)


def _sum(a: Cost, b: Cost) -> Cost:
    return Cost(a.cpu + b.cpu, a.wall + b.wall)


def trained(experiment: str, seed: int, *more: str) -> None:
    """The whole run, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as root:
        common = [f"experiment={experiment}", f"run.root={root}", f"seed={seed}", "logger=none", "trainer.threads=1"]
        code = train(composed(*common, *more))
        assert code == 0, code


def measured(ledger: Ledger, experiment: str, repeats: int) -> list[Row]:
    """A row each for checkpoints, scores and watch."""
    rows = {
        name: Row(f"{name}, `{experiment}`", "training time of the run", goal, [], {name: []}, percent=True)
        for name, (goal, _) in CALLS.items()
    }
    for seed in range(repeats):
        ledger.clear()
        trained(experiment, seed)
        whole = Cost(0.0, 0.0)
        for cost in ledger.costs.values():
            whole = _sum(whole, cost)
        for name, row in rows.items():
            cost = ledger.costs[name]
            row.value.append(cost.wall / whole.wall if name == "checkpoints" else cost.cpu / whole.cpu)
            row.sides[name].append(cost)
            row.unit, row.note = "ms a run", f"of {whole.cpu:.1f} s ({whole.wall:.1f})"
            if name == "checkpoints":
                row.note += f", {ledger.calls[name]} saves; the share is of wall time"
    return list(rows.values())


def main() -> None:
    parser = options(__doc__, repeats=3)
    parser.add_argument("experiments", nargs="*", default=["digits_cgan"], metavar="EXPERIMENT")
    given = parser.parse_args()
    torch.set_num_threads(1)
    ledger = Ledger()
    for name, (_, calls) in CALLS.items():
        for kind, method in calls:
            ledger.book(name, kind, method)
    ledger.book("training", pl.Trainer, "fit")
    ledger.clear()
    trained("digits_cgan", 0, "budget.images=1_000", "checkpoint.every_images=500")  # pays what only a first run does
    rows = [measured(ledger, experiment, given.repeats) for experiment in given.experiments]
    publish("upkeep", list(itertools.chain(*rows)), given)


if __name__ == "__main__":
    main()
