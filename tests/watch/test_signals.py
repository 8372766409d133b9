"""Signals by hand-computed values, properties and closed forms."""

import math

import numpy as np
import pytest
import torch

from forger.metrics.functional.vendi import vendi_score
from forger.watch.signals import (
    above,
    active_units,
    bandwidth,
    entropy_ratio,
    mean_distance,
    relative_gap,
    separation,
    sharpness,
    spectral_peak,
    vendi,
    vendi_of_points,
)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_the_mean_distance_is_that_of_all_pairs():
    assert mean_distance(torch.tensor([[0.0, 0.0], [3.0, 4.0]])) == 5
    assert mean_distance(torch.tensor([[0.0], [1.0], [3.0]])) == pytest.approx((1 + 3 + 2) / 3)
    assert mean_distance(normal(1, 8).expand(64, 8)) == 0


@pytest.mark.parametrize(("n", "d"), [(60, 16), (16, 60)])
def test_the_vendi_score_is_that_of_the_metrics_whichever_side_is_smaller(n, d):
    features = normal(n, d)
    assert vendi(features) == pytest.approx(vendi_score(features))
    assert vendi(torch.eye(8).repeat(4, 1)) == pytest.approx(8)


def test_points_are_counted_by_the_places_they_lie_at():
    angle = torch.arange(8) * (2 * math.pi / 8)
    modes = torch.stack([angle.cos(), angle.sin()], 1)
    width = bandwidth(modes.repeat(16, 1))
    assert vendi_of_points(modes.repeat(16, 1), width) == pytest.approx(8, abs=1e-3)
    assert vendi_of_points(modes.repeat(16, 1) + 0.01 * normal(128, 2), width) == pytest.approx(8, rel=0.1)
    assert vendi_of_points(modes[:4].repeat(32, 1), width) == pytest.approx(4, abs=1e-3)
    assert vendi_of_points(modes[:1].repeat(128, 1), width) == pytest.approx(1)
    # Squared distances on a circle of radius 1 have the mean 2 over all ordered pairs.
    assert bandwidth(modes) == pytest.approx(0.1 * math.sqrt(2 * 8 / 7))


def test_entropy_is_relative_to_the_truth():
    even = torch.ones(10)
    assert entropy_ratio(torch.full((10,), 7), even) == pytest.approx(1)
    assert entropy_ratio(torch.tensor([5, 5] + [0] * 8), even) == pytest.approx(math.log(2) / math.log(10))
    assert entropy_ratio(torch.tensor([9, 0]), torch.tensor([1, 1])) == 0


def test_ranks_tell_two_samples_apart_whatever_their_scale():
    low, high = torch.tensor([0.0, 1.0]), torch.tensor([1.0, 2.0])
    assert above(high, low) == pytest.approx((0.5 + 1 + 1 + 1) / 4)
    assert above(high, low) + above(low, high) == pytest.approx(1)
    a, b = normal(200, seed=1) + 1, normal(300, seed=2)
    assert above(a, b) == pytest.approx(above(100 * a - 3, 100 * b - 3))
    assert above(a, b) == pytest.approx(0.5 * (1 + math.erf(1 / 2)), abs=0.04)  # P(N(1, 2) > 0)


def test_a_lead_has_no_unit():
    reals, fakes = torch.tensor([3.0, 5.0]), torch.tensor([0.0, 2.0])
    assert separation(reals, fakes) == pytest.approx((4 - 1) / math.sqrt(2))  # both variances are 2
    assert separation(1e4 * reals + 7, 1e4 * fakes + 7) == pytest.approx(separation(reals, fakes))
    assert separation(fakes, reals) == -separation(reals, fakes)
    assert separation(torch.ones(4), torch.zeros(4)) == 1000
    assert separation(torch.zeros(4), torch.zeros(4)) == 0


def test_sharpness_is_the_mean_of_the_laplacian():
    step, point = torch.zeros(1, 1, 4, 6), torch.zeros(1, 1, 5, 5)
    step[..., 3:] = 1
    point[..., 2, 2] = 1
    assert sharpness(step) == pytest.approx(2 * 2 / 8)  # 1 on both sides of the step, 2 rows of 4 inner pixels
    assert sharpness(point) == pytest.approx((4 + 4) / 9)
    assert sharpness(torch.linspace(-1, 1, 8).expand(2, 3, 8, 8)) == pytest.approx(0, abs=1e-6)
    noise = normal(4, 3, 16, 16)
    assert sharpness(torch.nn.functional.avg_pool2d(noise, 3, 1, 1)) < sharpness(noise) / 3


def test_a_unit_is_active_if_its_posterior_leaves_the_prior():
    mean = torch.stack([normal(500), torch.zeros(500), torch.full((500,), 0.4), normal(500)], 1)
    log_variance = torch.tensor([[-3.0, 0.0, 0.0, 0.0]]).expand(500, 4)
    # KL: large; 0; 0.4² / 2 = 0.08; E z² / 2 = 0.5.
    assert active_units(mean, log_variance) == 0.75
    assert active_units(torch.zeros(9, 3), torch.zeros(9, 3)) == 0


def test_a_sine_is_one_peak_and_noise_is_none():
    time = np.arange(64)
    assert spectral_peak(list(1 + 0.1 * np.sin(2 * np.pi * time / 9))) > 0.95
    assert spectral_peak(list(np.random.default_rng(0).normal(size=64))) < 0.4
    assert spectral_peak([0.7] * 64) == 0


def test_a_trend_is_no_oscillation():
    time = np.arange(64)
    noise = 0.02 * np.random.default_rng(0).normal(size=64)
    assert spectral_peak(list(5 - 0.05 * time)) < 0.05
    assert spectral_peak(list(np.exp(-time / 20) + noise)) < 0.4
    assert spectral_peak(list(np.cos(np.pi * time / 64) + noise)) < 0.4


def test_what_dies_away_by_itself_counts_little():
    time = np.arange(64)
    swing = np.sin(2 * np.pi * time / 9)
    assert spectral_peak(list(swing * np.exp(-time / 15))) < 0.4 < 0.9 < spectral_peak(list(swing * np.exp(time / 15)))


def test_too_short_or_broken_series_say_nothing():
    assert spectral_peak([0.0, 1.0] * 5) == 0
    assert spectral_peak([math.nan] * 64) == 0


def test_the_gap_knows_the_direction_of_a_score():
    assert relative_gap(12, 8, higher_is_better=False) == pytest.approx(0.5)
    assert relative_gap(6, 8, higher_is_better=True) == pytest.approx(0.25)
    assert relative_gap(8, 8, higher_is_better=True) == 0
