"""The Fréchet distance's time against SciPy's, what each score sees of known damage, what scoring adds to a run.

    python scripts/benchmarks/scores.py [--runs RUN...] [--repeats 2] [--resamples 10] [--only frechet order cost]

The figures of docs/scores.md, tables as Markdown. `frechet`: CPU seconds, one thread, in turn, medians; SciPy gets the
covariances, forger the features (up to 2,048 images; it then needs no covariance) or the same covariances. `order`:
mean ± standard deviation over resamples, each with other real digits in every place, of every class as many as there
are (and, for RUNs of data=digits, other latents). `cost`: CPU seconds of the default experiment with its scores and
without any, in turn, without the watch, which has its own benchmark.
"""

import argparse
import itertools
import statistics
import tempfile
import time
import warnings

import numpy as np
import scipy.linalg
import torch
from hydra import compose, initialize_config_dir
from torch import Tensor
from torch.nn.functional import avg_pool2d

from forger.cli import conf_folder
from forger.data.images import digits
from forger.data.ranges import to_uint8
from forger.metrics.extractors import DigitsExtractor
from forger.metrics.frechet import frechet_distance, frechet_distance_from_features, moments
from forger.metrics.reference import Reference
from forger.metrics.scores import Scores
from forger.randomness import generator
from forger.restore import restored
from forger.run import train

WIDTH = 2048
NAMES = ("fd", "kd", "precision", "recall", "density", "coverage", "memorisation")
#: Digits that a copying generator was "trained on", and fakes of every row.
KNOWN, COUNT = 300, 380


def features(n: int, seed: int) -> Tensor:
    """Correlated and skewed, with a spectrum that decays, as Inception's are."""
    rng = generator(seed, "features")
    scale = torch.arange(1, WIDTH + 1) ** -0.5
    mixing = torch.randn(WIDTH, WIDTH, generator=generator(0, "mixing")) / WIDTH**0.5
    return (torch.randn(n, WIDTH, generator=rng) * scale @ mixing + 0.01 * seed).clamp(min=-0.01)


def scipy_distance(mean1: np.ndarray, cov1: np.ndarray, mean2: np.ndarray, cov2: np.ndarray) -> float:
    """As pytorch-fid has it."""
    root = scipy.linalg.sqrtm(cov1 @ cov2)
    return float(((mean1 - mean2) ** 2).sum() + np.trace(cov1) + np.trace(cov2) - 2 * np.trace(root).real)


def frechet(repeats: int) -> None:
    torch.set_num_threads(1)
    print("| images a side | covariances, s | SciPy `sqrtm`, s | forger, s | times as fast | relative difference |")
    print("|---|---|---|---|---|---|")
    for n in (1000, 5000):
        one, other = features(n, 0).double(), features(n, 1).double()
        expected = value = 0.0
        clock: list[list[float]] = []
        for _ in range(repeats):
            times = [time.process_time()]
            both = (*moments(one), *moments(other))
            times.append(time.process_time())
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a singular product, which SciPy mentions
                expected = scipy_distance(*(moment.numpy() for moment in both))
            times.append(time.process_time())
            # With fewer images than dimensions no covariance is needed, and none is made.
            value = frechet_distance_from_features(one, other) if n <= WIDTH else frechet_distance(*both)
            times.append(time.process_time())
            clock.append([later - earlier for earlier, later in itertools.pairwise(times)])
        covariances, slow, fast = (statistics.median(column) for column in zip(*clock, strict=True))
        difference = abs(value / expected - 1)
        print(
            f"| {n:,} | {covariances:.2f} | {slow:.2f} | {fast:.2f} | {slow / fast:.2g} | {difference:.1e} |",
            flush=True,
        )


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


def order(runs: list[str], resamples: int) -> None:
    data, extractor = digits(), DigitsExtractor()
    reference = Reference.build(extractor, data.test.arrays["image"], split="digits/test")
    found: dict[str, list[list[float]]] = {}
    games = [(read.settings["run"]["name"], read.game) for read in map(restored, runs)]

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
            fakes = to_uint8(game.sample(COUNT, generator=generator(seed, "scores"))).cpu()
            score(f"`{name}`", fakes, data.train.arrays["image"])
        for name, fakes in rows.items():
            score(name, fakes, known)
    print(f"| {COUNT} images | {' | '.join(NAMES)} |\n|{'---|' * (len(NAMES) + 1)}")
    for name, values in found.items():
        table = torch.tensor(values, dtype=torch.float64)
        cells = [f"{m:.3g} ± {s:.2g}" for m, s in zip(table.mean(0).tolist(), table.std(0).tolist(), strict=True)]
        print(f"| {name} | {' | '.join(cells)} |")


def cost(repeats: int) -> None:
    torch.set_num_threads(1)
    spent = {"conditional": [], "none": []}
    with tempfile.TemporaryDirectory() as folder, initialize_config_dir(str(conf_folder()), version_base="1.3"):
        common = ["logger=none", "trainer.threads=1", "watch.action=none", f"run.root={folder}"]
        assert train(compose("train", ["budget.images=1_000", *common])) == 0  # what only the first run pays
        for seed in range(repeats):
            for metrics, seconds in spent.items():
                config = compose("train", [f"metrics={metrics}", f"seed={seed}", *common])
                begun = time.process_time()
                assert train(config) == 0
                seconds.append(time.process_time() - begun)
    scored, plain = (statistics.median(seconds) for seconds in spent.values())
    shares = ", ".join(f"{a / b - 1:.1%}" for a, b in zip(*spent.values(), strict=True))
    print(
        f"default experiment: {scored:.1f} CPU s with scores, {plain:.1f} without: {scored / plain - 1:.1%} ({shares})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", nargs="*", default=[], help="run folders of data=digits, a row each")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--resamples", type=int, default=10)
    parser.add_argument("--only", choices=("frechet", "order", "cost"), nargs="+", default=("frechet", "order", "cost"))
    options = parser.parse_args()
    if "order" in options.only:
        order(options.runs, options.resamples)
    if "frechet" in options.only:
        frechet(options.repeats)
    if "cost" in options.only:
        cost(options.repeats)


if __name__ == "__main__":
    main()
