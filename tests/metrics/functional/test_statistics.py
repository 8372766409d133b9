"""The error of a score against its true spread over draws."""

import math

import numpy as np
import pytest
import torch

from forger.metrics.functional.frechet import frechet_distance, moments
from forger.metrics.functional.standard_errors import halves, spread


def draw(n: int, seed: int, shift: float) -> torch.Tensor:
    return torch.randn(n, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + shift


def half_sample_error(score, rows, **options):
    return spread([{"score": score(rows[half])} for half in halves(len(rows), **options)])["score"]


def test_the_mean_has_its_textbook_error():
    rows = draw(400, 0, 0)[:, 0]
    error = half_sample_error(lambda part: float(part.mean()), rows, seed=0, repeats=400)
    assert error == pytest.approx(float(rows.std()) / 400**0.5, rel=0.1)


@pytest.mark.parametrize(("shift", "low", "high"), [(0.5, 0.8, 1.25), (0.0, 1.0, 2.2)])
def test_frechet_distance_far_from_and_near_its_floor(shift, low, high):
    real = torch.zeros(8), torch.eye(8)
    true = np.std([frechet_distance(*moments(draw(300, i, shift)), *real) for i in range(150)], ddof=1)
    errors = [
        half_sample_error(lambda rows: frechet_distance(*moments(rows), *real), draw(300, i, shift), seed=i)
        for i in range(15)
    ]
    assert low < np.mean(errors) / true < high


def test_halves_are_halves_without_repetition():
    drawn = halves(41, seed=0, repeats=6)
    assert [len(set(half.tolist())) for half in drawn] == [20] * 6
    assert len({tuple(half.tolist()) for half in drawn}) == 6


def test_spread_by_hand():
    draws = [{"a": 1.0, "b": math.inf}, {"a": 2.0, "b": 1.0}, {"a": 3.0, "b": 1.0}]
    assert spread(draws)["a"] == 1
    assert math.isnan(spread(draws)["b"])


def test_seeded_and_refuses_too_few():
    rows = draw(40, 0, 0)
    first = half_sample_error(lambda part: float(part.mean()), rows, seed=1)
    assert half_sample_error(lambda part: float(part.mean()), rows, seed=1) == first
    assert half_sample_error(lambda part: float(part.mean()), rows, seed=2) != first
    with pytest.raises(ValueError, match="at least 4 images, got 3"):
        half_sample_error(lambda part: 0.0, rows[:3], seed=0)
