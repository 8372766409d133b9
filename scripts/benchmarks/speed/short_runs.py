"""Eight short runs of a sweep on one machine: started warm, as a sweep's are, or each as a fresh process.

    python -m scripts.benchmarks.speed.short_runs [--repeats 2] [--publish]

Each run plays `digits_gan` for 640 images with two scores. Counted is the processor time of every process: of the
server that is forked, its imports included, of the runs, and of the worker that asks for them. One thread, runs one
after another, both sides in turn; two minutes.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from forger.sweeps.definition import load
from forger.sweeps.processes import Starter
from forger.sweeps.worker import starter_of
from scripts.benchmarks.speed.children import spent
from scripts.benchmarks.speed.measuring import Cost, Row, interleaved, options, publish, ratios

RUNS = 8
OVERRIDES = (
    "experiment=digits_gan", "budget.images=640", "metrics.every_images=320", "samples.every_images=null",
    "logger=none",
)  # fmt: skip


def warm() -> Starter:
    """As a sweep of these runs starts them."""
    return starter_of(load("seeds", OVERRIDES))


def fresh() -> Starter:
    return Starter({"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})


def eight(kind: Callable[[], Starter]) -> None:
    """The runs, one after another."""
    starter = kind()
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "output.txt"
        for seed in range(RUNS):
            process = starter.start([*OVERRIDES, "trainer.threads=1", f"run.root={folder}", f"seed={seed}"], {}, output)
            if process.wait() != 0:
                sys.exit(output.read_text())
        starter.close()


def cost(kind: Callable[[], Starter]) -> Cost:
    """Of all processes, this one included."""
    own = time.process_time()
    theirs = spent(lambda: eight(kind))
    return Cost(theirs.cpu + time.process_time() - own, theirs.wall)


def main() -> None:
    given = options(__doc__, repeats=2).parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # bytecode is warm after the first turn
    costs = interleaved({"warm": lambda: cost(warm), "fresh": lambda: cost(fresh)}, given.repeats)
    value = ratios(costs["warm"], costs["fresh"])
    row = Row(f"{RUNS} short runs of a sweep, started warm", "a fresh process each", "≤ 0.25", value, costs, 1.0, "s")
    publish("short_runs", [row], given)


if __name__ == "__main__":
    main()
