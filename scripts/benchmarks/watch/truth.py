"""Was a run healthy? Decided from its final samples and from nothing that the watch looks at while training.

The yardstick is the data themselves with a share of their modes left out. A run is healthy if its samples are no
further from the data than data without a fifth of them, broken if they are as far as data without three tenths, or
if it diverged; what lies between is counted apart.

- digits: ``fd_digits`` on the test split; the limits are the mean over random choices of 2 and of 3 of 10 classes.
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

from forger.data.images import digits
from forger.data.mixture import Mixture
from forger.games.abilities import Samples
from forger.metrics.features.extractors import build
from forger.metrics.features.reference import Reference
from forger.metrics.scores.collection import Scores
from forger.randomness import generator
from forger.runs.restore import restored


def judged(path: Path, status: str) -> tuple[str, float | None]:
    """``healthy``, ``broken`` or ``between``, and the distance that says so (None for a run that diverged)."""
    if status == "diverged":
        return "broken", None
    final = json.loads((path / "record.json").read_text())["scores"]["final"]
    if "fd_digits" in final:
        distance, (good, bad) = final["fd_digits"]["value"], (digits_limit(2), digits_limit(3))
    else:
        distance = final["jsd"]["value"] if "jsd" in final else _modes_distance(path)
        good, bad = distance_of_shares(0.2), distance_of_shares(0.3)
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
def digits_limit(classes: int, choices: int = 40, n: int = 497) -> float:
    """Mean ``fd_digits`` of n training digits without so many classes, against test."""
    data, extractor = digits(), build("digits")
    scores = Scores(extractor, Reference.build(extractor, data.test.arrays["image"], split="digits/test"), ["fd"])
    images, labels = data.train.arrays["image"], data.train.arrays["label"]
    subsets = list(itertools.combinations(range(10), classes))
    random.Random(0).shuffle(subsets)
    values = []
    for i, subset in enumerate(subsets[:choices]):
        rest = images[~torch.isin(labels, torch.tensor(subset))]
        scores.reset()
        scores.update(rest[torch.randperm(len(rest), generator=generator(0, "limit", i))[:n]])
        values.append(scores.compute()["fd_digits"])
    return sum(values) / len(values)


def _modes_distance(path: Path, n: int = 10_000) -> float:
    run = restored(path)
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
