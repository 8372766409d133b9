"""Was a run healthy? Decided from its final samples and from nothing that the watch looks at while training.

The yardstick is the data themselves with a share of their modes left out. A run is healthy if its samples are no
further from the data than data without a fifth of them, broken if they are as far as data without three tenths, or
if it diverged; what lies between is counted apart.

- pictures: the Fréchet distance of their own extractor on the test split, by forger's final score or, of a run without
  scores, of as many samples; the limits are the mean over random choices of 2 and of 3 of 10 classes.
- points: Jensen-Shannon divergence of 10,000 samples to the true modes, each with a quarter of its distance to
  the next as radius, everything outside counted as one more bin (on the line: the score ``jsd``); the limits in
  closed form.
"""

import itertools
import json
import math
import random
from functools import cache
from pathlib import Path

import torch

from forger.data.dataset import Data
from forger.data.downloads import fashion_mnist
from forger.data.images import digits
from forger.data.mixture import Mixture
from forger.data.pixels.ranges import to_uint8
from forger.games.abilities import Samples
from forger.lifecycle.restore import Restored, restored
from forger.metrics.features.extractors import build
from forger.metrics.features.reference import Reference
from forger.metrics.scores.collection import Scores
from forger.randomness import generator

#: Samples of a run without scores.
N = 2_000


def judged(path: Path, status: str) -> tuple[str, float | None]:
    """``healthy``, ``broken`` or ``between``, and the distance that says so (None for a run that diverged)."""
    if status == "diverged":
        return "broken", None
    final = json.loads((path / "record.json").read_text())["scores"]["final"]
    name = next((name for name in final if name.startswith("fd_")), None)
    if name is not None:
        extractor, n = name.removeprefix("fd_"), final[name]["passport"]["n_fake"]
        distance, good, bad = final[name]["value"], pictures_limit(extractor, 2, n), pictures_limit(extractor, 3, n)
    elif (run := restored(path)).data.kind == "points":
        distance = final["jsd"]["value"] if "jsd" in final else _modes_distance(run)
        good, bad = distance_of_shares(0.2), distance_of_shares(0.3)
    else:
        extractor = "digits" if run.data.name.startswith("digits") else "fashion"
        distance = _pictures_distance(run, extractor)
        good, bad = pictures_limit(extractor, 2, N), pictures_limit(extractor, 3, N)
    if distance is None or not math.isfinite(distance) or distance >= bad:
        return "broken", distance
    return ("healthy" if distance <= good else "between"), distance


def distance_of_shares(missing: float) -> float:
    """Jensen-Shannon divergence, in nats, of a distribution and itself with a share of its mass left out."""
    kept = 1 - missing
    middle = (1 + 1 / kept) / 2  # on what is kept; half of p on what is missing
    of_p = kept * math.log(1 / middle) + missing * math.log(2)
    return (of_p + math.log(1 / kept / middle)) / 2


@cache
def _pictures(extractor: str) -> tuple[Data, Scores]:
    """The data whose own extractor this is, and the Fréchet distance to their test split."""
    data = digits() if extractor == "digits" else fashion_mnist("data")
    features = build(extractor)
    return data, Scores(features, Reference.build(features, data.test.arrays["image"], split="test"), ["fd"])


def _distance(extractor: str, images: torch.Tensor) -> float:
    scores = _pictures(extractor)[1]
    scores.reset()
    scores.update(images)
    return scores.compute()[f"fd_{extractor}"]


@cache
def pictures_limit(extractor: str, classes: int, n: int, choices: int = 40) -> float:
    """Mean Fréchet distance of n training pictures without so many classes, against test."""
    train = _pictures(extractor)[0].train
    images, labels = train.arrays["image"], train.arrays["label"]
    subsets = list(itertools.combinations(range(10), classes))
    random.Random(0).shuffle(subsets)
    values = []
    for i, subset in enumerate(subsets[:choices]):
        rest = images[~torch.isin(labels, torch.tensor(subset))]
        order = torch.randperm(len(rest), generator=generator(0, "limit", i))
        values.append(_distance(extractor, rest[order[:n]]))
    return sum(values) / len(values)


def _pictures_distance(run: Restored, extractor: str) -> float:
    assert isinstance(run.game, Samples)
    labels = None
    if run.game.classes:
        test = run.data.test.arrays["label"]
        labels = test[torch.linspace(0, len(test) - 1, N).long()].to(run.game.device)
    samples = run.game.sample(N, labels, generator(0, "truth")).cpu()
    return _distance(extractor, to_uint8(samples)) if bool(samples.isfinite().all()) else math.inf


def _modes_distance(run: Restored, n: int = 10_000) -> float:
    density = run.data.density
    assert density is not None
    assert isinstance(run.game, Samples)
    samples = run.game.sample(n, None, generator(0, "truth")).cpu()
    return modes_distance(samples, density) if bool(samples.isfinite().all()) else math.inf


def modes_distance(samples: torch.Tensor, density: Mixture) -> float:
    """The divergence of samples (n, d) to the true histogram of modes, with one bin for what is near none."""
    means = density.means
    spacing = float(torch.cdist(means, means).fill_diagonal_(math.inf).min())
    distance, mode = torch.cdist(samples, means).min(1)
    mode[distance > spacing / 4] = len(means)
    p = torch.bincount(mode, minlength=len(means) + 1).double() / len(samples)
    q = torch.cat([density.weights.double(), torch.zeros(1, dtype=torch.float64)])
    middle = (p + q) / 2
    return float(sum((torch.xlogy(x, x) - torch.xlogy(x, middle)).sum() for x in (p, q)) / 2)
