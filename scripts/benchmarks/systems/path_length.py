"""Path length regularisation, and the perceptual path length that it is for (docs/results/path_length.md).

    python -m scripts.benchmarks.systems.path_length [--root runs/path_length] [--seeds 0 1 2] [--table-only]

digits_stylegan2 with and without, one run after the other in one process: some 25 minutes of a processor.
"""

import copy
from typing import Any

import torch
from torch import Tensor

import forger
from forger.lifecycle.restore import restored
from forger.metrics.features.extractors import DigitsExtractor
from forger.randomness import generator
from scripts.benchmarks import pages
from scripts.benchmarks.systems.training import newest_runs, options

RECIPE = ("experiment=digits_stylegan2", "trainer.threads=1", "logger=none")
#: Overrides by the name of the runs.
WAYS = {"without": (), "with": ("model/objectives=path_length",)}
#: Pairs of latents, and the step between the two images of each.
PAIRS, STEP = 5_000, 1e-4


@torch.no_grad()
def perceptual_path_length(game: Any, seed: int = 0) -> float:
    """Karras et al. 2019 (StyleGAN), section 4.1, in W, by features (n, 64) of the digits extractor, over all classes.

    ‖f(G(w)) - f(G(w'))‖² / ε² for w and w' on the line between two draws, ε of its length apart; the mean without the
    lowest and the highest percent, as in the authors' code. In float64.
    """
    network = copy.deepcopy(game.answering("generator")).double().eval()
    features = DigitsExtractor().network.double()
    stream = generator(seed, "path length")
    labels = torch.arange(PAIRS).remainder(game.classes).repeat(2)
    here, there = network.styles(game.latents(2 * PAIRS, stream).double(), labels).chunk(2)
    place = torch.rand(PAIRS, 1, 1, generator=stream, dtype=torch.float64)

    def seen(share: Tensor) -> Tensor:
        return features((network(torch.lerp(here, there, share)) + 1) / 2)[0]

    squares = (seen(place) - seen(place + STEP)).square().sum(1) / STEP**2
    low, high = torch.quantile(squares, torch.tensor([0.01, 0.99], dtype=torch.float64))
    return float(squares[(low <= squares) & (squares <= high)].mean())


def main() -> None:
    given = options(__doc__, "path_length").parse_args()
    if not given.table_only:
        for seed in given.seeds:
            for name, more in WAYS.items():
                forger.train(*RECIPE, *more, f"run.root={given.root}", f"run.name={name}", seed=seed)
    found: dict[str, Any] = {}
    for name in WAYS:
        runs = newest_runs(given.root / name)
        found[name] = {
            "path_length": [perceptual_path_length(restored(path).game) for path, _ in runs],
            "fd_digits": [record.scores["final"]["fd_digits"]["value"] for _, record in runs],
        }
    pages.publish("path_length", found)


if __name__ == "__main__":
    main()
