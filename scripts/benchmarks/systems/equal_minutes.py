"""GAN, VAE, VQ-VAE, flow and diffusion at equal minutes (docs/results/equal_minutes.md).

    python -m scripts.benchmarks.systems.equal_minutes rates [NAME …]       processor minutes of training, by arm
    python -m scripts.benchmarks.systems.equal_minutes publish [--root runs]

Of every sweep in `SWEEPS` (or those that are named). `rates` measures how many images each arm is shown in a processor
minute of one thread, from which the budgets in the sweeps are chosen. `publish` reads the runs of
`forger sweep run compare_generative`, and measures how long a sample takes.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

import forger
from forger.lifecycle.restore import restored
from forger.randomness import generator
from forger.sweeps.definition import load
from scripts.benchmarks import pages
from scripts.benchmarks.systems.equal_minutes_page import SAMPLES
from scripts.benchmarks.systems.training import PICTURES, newest_runs

#: By sweep: the extractor of its scores.
SWEEPS = {"compare_generative": "digits", "compare_generative_fashion": "fashion"}
#: Training that makes nothing but the game.
ALONE = (
    *("metrics=none", "logger=none", "watch.action=none", "trainer.threads=1", "samples.closing=[]"),
    *("samples.every_images=1_000_000_000", "checkpoint.every_images=1_000_000_000"),
)
#: Processor seconds that a measurement of training lasts at least.
LEAST = 4.0
#: How often something is timed: training by the median, samples by the fastest.
TIMES = 3


def images_a_minute(overrides: list[str]) -> float:
    """Images shown in a processor minute of training: the second half of a run against its first, less the start."""

    def seconds(images: int) -> float:
        with tempfile.TemporaryDirectory() as root:
            began = time.process_time()
            forger.train(*overrides, *ALONE, f"budget.images={images}", f"run.root={root}")
            return time.process_time() - began

    images, start = 2048, seconds(128)
    while (took := seconds(images) - start) < LEAST:
        images *= 2 if took > LEAST / 3 else 4
    return 60 * images / took


def seconds_a_sample(run: Path) -> float:
    """Processor seconds of one thread behind a sample, drawn with others at once."""
    torch.set_num_threads(1)
    game: Any = restored(run).game
    found = []
    for seed in range(TIMES):
        began = time.process_time()
        game.sample(SAMPLES, None, generator(seed, "timing"))
        found.append((time.process_time() - began) / SAMPLES)
    return min(found)


def rates(names: list[str]) -> dict[str, dict[str, float]]:
    """Images a processor minute, by sweep and arm."""
    found: dict[str, dict[str, float]] = {}
    for name in names:
        arms = load(name, []).sweep.arms
        found[name] = {}
        for arm, overrides in arms.items():
            kept = [text for text in overrides if not text.startswith("budget.")]
            found[name][arm] = statistics.median(images_a_minute(kept) for _ in range(TIMES))
            print(f"RATE {name} {arm}: {found[name][arm]:,.0f} images a minute", flush=True)
    return found


def summary(name: str, arm: str, root: Path) -> dict[str, Any]:
    """What an arm's trials came to: images, scores by seed, seconds a sample, and the pictures of the first seed."""
    definition = load(name, [f"arm={arm}"])
    trials = [path for trial in sorted((root / name).glob("[0-9]*")) for path in newest_runs(trial)]
    overrides = definition.sweep.arms[arm]
    experiment = overrides[0]
    chosen = sorted(((r.seed, path, r) for path, r in trials if experiment in r.overrides), key=lambda row: row[0])
    if not chosen:
        return {}
    first = chosen[0][1]
    picture = f"systems/{name}_{arm}.png"
    drawn = sorted((first / "samples").glob("[0-9]*.png"))
    shutil.copyfile(drawn[-1], PICTURES / picture)
    return {
        "experiment": " ".join(text for text in overrides if not text.startswith("budget.")).partition("=")[2],
        "images": chosen[0][2].images,
        "seconds_a_sample": seconds_a_sample(first),
        "picture": picture,
        "scores": {
            str(seed): {score: value["value"] for score, value in record.scores["final"].items()}
            for seed, _, record in chosen
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("rates", "publish"))
    parser.add_argument("names", nargs="*", default=list(SWEEPS), help="of the sweeps")
    parser.add_argument("--root", type=Path, default=pages.REPOSITORY / "runs")
    given = parser.parse_args()
    results = pages.known("equal_minutes") if (pages.RESULTS / "equal_minutes.json").exists() else {}
    for name in given.names:
        own = results.setdefault(name, {"extractor": SWEEPS[name], "rates": {}, "arms": {}})
        if given.action == "rates":
            own["rates"] = rates([name])[name]
        else:
            own["arms"] = {arm: found for arm in load(name, []).sweep.arms if (found := summary(name, arm, given.root))}
    pages.publish("equal_minutes", results)


if __name__ == "__main__":
    main()
