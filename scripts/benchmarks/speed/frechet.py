"""The Fréchet distance's time against SciPy's, of 2,048 features as Inception gives them.

    python -m scripts.benchmarks.speed.frechet [--repeats 2] [--publish]

SciPy gets the covariances; forger the features where there are no more images than those (it then needs no covariance),
else the same covariances. Making these is nobody's time. One thread, in turn; a minute and a half.
"""

import warnings

import numpy as np
import scipy.linalg
import torch
from torch import Tensor

from forger.metrics.functional.frechet import frechet_distance, frechet_distance_from_features, moments
from forger.randomness import generator
from scripts.benchmarks.speed.measuring import Cost, Row, interleaved, options, publish, ratios, timed

WIDTH = 2048


def features(n: int, seed: int) -> Tensor:
    """Correlated and skewed, with a spectrum that decays, as Inception's are."""
    rng = generator(seed, "features")
    scale = torch.arange(1, WIDTH + 1) ** -0.5
    mixing = torch.randn(WIDTH, WIDTH, generator=generator(0, "mixing")) / WIDTH**0.5
    return (torch.randn(n, WIDTH, generator=rng) * scale @ mixing + 0.01 * seed).clamp(min=-0.01)


def scipy_distance(mean1: np.ndarray, cov1: np.ndarray, mean2: np.ndarray, cov2: np.ndarray) -> float:
    """As pytorch-fid has it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a singular product, which SciPy mentions
        root = scipy.linalg.sqrtm(cov1 @ cov2)
    return float(((mean1 - mean2) ** 2).sum() + np.trace(cov1) + np.trace(cov2) - 2 * np.trace(root).real)


def main() -> None:
    given = options(__doc__, repeats=2).parse_args()
    torch.set_num_threads(1)
    rows = []
    for n, goal in ((1000, "≥ 40"), (5000, "≥ 9")):
        one, other = features(n, 0).double(), features(n, 1).double()
        both = (*moments(one), *moments(other))
        arrays = [moment.numpy() for moment in both]
        values: dict[str, float] = {}

        def peer(arrays: list[np.ndarray] = arrays, values: dict[str, float] = values) -> Cost:
            return timed(lambda: values.update(peer=scipy_distance(*arrays)))

        def ours(one: Tensor = one, other: Tensor = other, both: tuple[Tensor, ...] = both,
                 values: dict[str, float] = values) -> Cost:  # fmt: skip
            if len(one) <= WIDTH:
                return timed(lambda: values.update(ours=frechet_distance_from_features(one, other)))
            return timed(lambda: values.update(ours=frechet_distance(*both)))

        costs = interleaved({"SciPy": peer, "forger": ours}, given.repeats, warm_up=False)
        rows.append(
            Row(
                f"Fréchet distance, 2,048 features, {n:,} images a side",
                "SciPy `sqrtm`",
                goal,
                ratios(costs["SciPy"], costs["forger"]),
                costs,
                scale=1.0,
                unit="s",
                note=f"relative difference {abs(values['ours'] / values['peer'] - 1):.1e}",
            )
        )
    publish("frechet", rows, given)


if __name__ == "__main__":
    main()
