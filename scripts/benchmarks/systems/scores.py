"""What each score sees of known damage (docs/results/scores.md).

    python -m scripts.benchmarks.systems.scores [--runs RUN...] [--resamples 10]

Mean ± standard deviation over resamples, each with other real digits in every place, of every class as many as there
are (and, for RUNs of data=digits, other latents). What scores cost is measured by `speed/frechet.py`, for the Fréchet
distance, and `speed/upkeep.py`, for a run.
"""

import argparse

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from forger.data.images import digits
from forger.data.pixels.ranges import to_uint8
from forger.games.abilities import Samples
from forger.lifecycle.restore import restored
from forger.metrics.features.extractors import DigitsExtractor
from forger.metrics.features.reference import Reference
from forger.metrics.scores.collection import Scores
from forger.randomness import generator
from scripts.benchmarks import pages

NAMES = ("fd", "kd", "precision", "recall", "density", "coverage", "memorisation")
#: Digits that a copying generator was "trained on", and fakes of every row.
KNOWN, COUNT = 300, 380


def damaged(images: Tensor, labels: Tensor, seed: int) -> dict[str, Tensor]:
    """One resample: rows of the table to `COUNT` fakes each, and "known" to the training images."""
    shuffled = torch.randperm(len(images), generator=generator(seed, "resample"))
    # By their turn within their class, so that the classes have their shares in every stretch: otherwise chance
    # would move these more than what the scores are to see.
    turn = torch.empty(len(images))
    for label in labels.unique():
        members = shuffled[labels[shuffled] == label]
        turn[members] = torch.linspace(0, 1, len(members))
    order = shuffled[turn[shuffled].argsort(stable=True)]
    images, labels = images[order], labels[order]
    known, pool, classes = images[:KNOWN], images[KNOWN:], labels[KNOWN:]
    new = pool[:COUNT]
    grain = torch.randn(new.shape, generator=generator(seed, "grain")) * 25
    rows = {
        "real": new,
        "a little noise (σ 10% of white)": (new + grain).round().clamp(0, 255).byte(),
        "one of ten classes dropped": pool[classes != seed % 10],
        "five of ten classes dropped": pool[(classes - seed) % 10 < 5],
        "blur (3×3 mean)": avg_pool2d(new.float(), 3, 1, 1, count_include_pad=False).round().byte(),
        "noise only": torch.randint(0, 256, new.shape, generator=generator(seed, "noise")).byte(),
        "40 images, each repeated": new[:40].repeat(10, 1, 1, 1),
        "copies of training images": known.repeat(2, 1, 1, 1),
    }
    assert min(map(len, rows.values())) >= COUNT
    return {"known": known, **{name: row[:COUNT] for name, row in rows.items()}}


def measure(runs: list[str], resamples: int) -> dict[str, list[list[float]]]:
    """For each row of the table, mean and standard deviation of each score."""
    data, extractor = digits(), DigitsExtractor()
    reference = Reference.build(extractor, data.test.arrays["image"], split="digits/test")
    found: dict[str, list[list[float]]] = {}
    games = [(read.config.run.name, read.game) for read in map(restored, runs)]

    def score(name: str, fakes: Tensor, train: Tensor) -> None:
        trained = Reference.build(extractor, train, split="digits/train")
        scores = Scores(extractor, reference, NAMES, train=trained)
        scores.update(fakes)
        values = scores.compute()
        found.setdefault(name, []).append([values[f"{each}_digits"] for each in NAMES])

    for seed in range(resamples):
        rows = damaged(data.train.arrays["image"], data.train.arrays["label"], seed)
        known = rows.pop("known")
        score("real", rows.pop("real"), known)
        for name, game in games:
            assert isinstance(game, Samples)
            fakes = to_uint8(game.sample(COUNT, generator=generator(seed, "scores"))).cpu()
            score(f"`{name}`", fakes, data.train.arrays["image"])
        for name, fakes in rows.items():
            score(name, fakes, known)
    tables = {name: torch.tensor(values, dtype=torch.float64) for name, values in found.items()}
    return {name: torch.stack([of.mean(0), of.std(0)], 1).tolist() for name, of in tables.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", nargs="*", default=[], help="run folders of data=digits, a row each")
    parser.add_argument("--resamples", type=int, default=10)
    options = parser.parse_args()
    rows = measure(options.runs, options.resamples)
    results = {"images": COUNT, "resamples": options.resamples, "scores": NAMES, "rows": rows}
    pages.publish("scores", results)


if __name__ == "__main__":
    main()
