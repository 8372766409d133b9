"""Latents of pictures, by optimisation: of what games make themselves, and of test digits (docs/results/inversion.md).

    python -m scripts.benchmarks.systems.inversion [--root runs/systems] [--table-only]

It inverts the runs that `python -m scripts.benchmarks.systems.experiments` has trained: some 15 s of a processor each.
"""

import statistics
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import forger
from forger.games.abilities import Samples
from forger.inversion import Inversion
from forger.lifecycle.restore import restored
from forger.metrics.evaluations.linear import principal_components
from forger.metrics.functional.image_quality import decibels
from scripts.benchmarks import pages
from scripts.benchmarks.systems.training import newest_runs, options

SYSTEMS = ("digits_cgan", "digits_ae")
#: Pictures of the game's own, test digits, steps of the search.
OWN, TEST, STEPS = 64, 100, 300


def inverted(path: Path) -> dict[str, Any]:
    """Median PSNR in dB of pictures that a run makes of latents found for them, and of PCA of the latent's width."""
    read, run = restored(path), forger.load(path)
    game: Any = read.game
    test = read.data.test.arrays["image"]
    # an autoencoder's own are what it makes of other digits
    own = run.sample(OWN) if isinstance(read.game, Samples) else run.reconstruct(test[TEST : TEST + OWN].numpy())
    search = Inversion(game, steps=STEPS, seed=read.config.seed)

    def found(pixels: Tensor) -> float:
        return _median(search.found(game.values.to_float(pixels), None, lambda step, error: None).errors)

    given = game.values.to_float(test[:TEST])
    linear = principal_components(read.data, game.latent).reconstruct(given)
    return {
        "own": found(torch.from_numpy(own)),
        "test": found(test[:TEST]),
        "pca": _median((linear - given).square().flatten(1).mean(1)),
    }


def _median(errors: Tensor) -> float:
    return statistics.median(decibels(error, 2) for error in errors.tolist())


def main() -> None:
    given = options(__doc__, "systems").parse_args()
    found = pages.known("inversion") if (pages.RESULTS / "inversion.json").exists() else {"systems": {}}
    for name in SYSTEMS if not given.table_only else ():
        if not given.only or name in given.only:
            runs = [path for path, record in newest_runs(given.root / name) if record.seed in given.seeds]
            found["systems"][name] = [inverted(path) for path in runs]
    pages.publish("inversion", found | {"own": OWN, "test": TEST, "steps": STEPS})


if __name__ == "__main__":
    main()
