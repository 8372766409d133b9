"""The Fréchet distance by its routes, against closed forms and SciPy's matrix square root."""

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from forger.metrics.functional import frechet
from forger.metrics.functional.frechet import (
    extrapolated_frechet_distance,
    frechet_distance,
    frechet_distance_from_features,
    frechet_distance_to_moments,
    moments,
)


def by_square_root(mean1, cov1, mean2, cov2) -> float:
    root = scipy.linalg.sqrtm(cov1.numpy() @ cov2.numpy())
    return float((mean1 - mean2).square().sum() + (cov1 + cov2).trace() - 2 * np.trace(np.real(root)))


def gaussian(n: int, d: int, seed: int, scale: float = 1.0, shift: float = 0.0) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    mixing = torch.randn(d, d, generator=rng, dtype=torch.float64) / d**0.5
    return torch.randn(n, d, generator=rng, dtype=torch.float64) @ mixing * scale + shift


@pytest.mark.parametrize("n", [9, 40, 400])
def test_agrees_with_scipy(n):
    a, b = gaussian(n, 8, 0), gaussian(2 * n, 8, 1, 1.5, 0.3)
    expected = by_square_root(*moments(a), *moments(b))
    assert frechet_distance_from_features(a, b) == pytest.approx(expected, rel=1e-7)
    assert frechet_distance(*moments(a), *moments(b)) == pytest.approx(expected, rel=1e-7)
    assert frechet_distance_to_moments(a, *moments(b)) == pytest.approx(expected, rel=1e-7)


def test_only_the_triangle_that_counts_is_computed_block_by_block(monkeypatch):
    """Full rank, wider than a block, against the root itself."""
    monkeypatch.setattr(frechet, "BLOCK", 16)
    a, b = gaussian(300, 50, 0), gaussian(300, 50, 1, 1.5, 0.3)
    expected = by_square_root(*moments(a), *moments(b))
    assert frechet_distance(*moments(a), *moments(b)) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(*moments(b), *moments(a)) == pytest.approx(expected, rel=1e-9)


def test_diagonal_gaussians_have_a_closed_form():
    v1, v2 = torch.tensor([1.0, 4.0, 9.0]), torch.tensor([4.0, 1.0, 0.25])
    mean = torch.tensor([3.0, 0.0, 4.0])
    # 25 + (1 − 2)² + (2 − 1)² + (3 − ½)²
    assert frechet_distance(mean, v1.diag(), torch.zeros(3), v2.diag()) == pytest.approx(33.25, abs=1e-12)


def test_rank_deficient_routes_agree():
    """Fewer images than dimensions: singular values of the features, and eigenvalues of covariances."""
    a, b = gaussian(20, 64, 0), gaussian(30, 64, 1, 1.3, 0.2)
    exact = frechet_distance_from_features(a, b)
    assert frechet_distance(*moments(a), *moments(b)) == pytest.approx(exact, rel=1e-6)
    # One set of full rank, in either order, is a third route.
    full = gaussian(500, 64, 2)
    one = frechet_distance(*moments(a), *moments(full))
    assert frechet_distance(*moments(full), *moments(a)) == pytest.approx(one, rel=1e-9)
    assert frechet_distance_from_features(a, full) == pytest.approx(one, rel=1e-9)
    assert frechet_distance_to_moments(a, *moments(full)) == pytest.approx(one, rel=1e-9)
    assert frechet_distance_to_moments(a, *moments(b)) == pytest.approx(exact, rel=1e-6)


def test_two_images_in_many_dimensions_by_hand():
    a = torch.zeros(2, 1000, dtype=torch.float64)
    a[0, 0], a[1, 0] = 1, -1  # mean 0, variance 2 along the first axis
    b = torch.zeros(2, 1000, dtype=torch.float64)
    b[0, 1], b[1, 1] = 2, -2  # variance 8 along the second: nothing in common
    assert frechet_distance_from_features(a, b) == pytest.approx(10, abs=1e-12)
    assert frechet_distance_from_features(a, 2 * a) == pytest.approx(2 * (2 - 1) ** 2, abs=1e-12)
    assert frechet_distance(*moments(a), *moments(b)) == pytest.approx(10, abs=1e-9)
    assert frechet_distance_to_moments(a, *moments(b)) == pytest.approx(10, abs=1e-9)


def test_a_constant_set_has_no_covariance():
    same = torch.ones(5, 3)
    assert frechet_distance_from_features(same, same) == 0
    assert frechet_distance(torch.ones(3), torch.zeros(3, 3), torch.zeros(3), torch.eye(3)) == 6


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 60), st.integers(1, 20), st.integers(0, 10_000), st.floats(1e-6, 1e6))
def test_never_negative_and_symmetric_and_zero_for_itself(n, d, seed, scale):
    a, b = gaussian(n, d, seed) * scale, gaussian(n + 3, d, seed + 1) * scale
    there, back = frechet_distance_from_features(a, b), frechet_distance_from_features(b, a)
    assert there >= 0
    assert there == pytest.approx(back, rel=1e-6, abs=1e-9 * scale**2)
    few = n <= d  # more images go by their covariances, whose roots round like those below
    assert frechet_distance_from_features(a, a) <= (1e-8 if few else 1e-6) * scale**2 * d
    assert frechet_distance(*moments(a), *moments(a)) <= 1e-6 * scale**2 * d


def test_float32_and_half_inputs_are_computed_in_float64():
    a, b = gaussian(100, 8, 0).float(), gaussian(100, 8, 1).float()
    doubled = frechet_distance_from_features(a.double(), b.double())
    assert frechet_distance_from_features(a, b) == doubled
    assert frechet_distance_from_features(a.half(), b.half()) == pytest.approx(doubled, rel=1e-2)


def test_extrapolation_removes_the_bias_of_a_small_sample():
    real = moments(gaussian(50_000, 16, 3))
    rng = torch.Generator().manual_seed(5)
    mixing = torch.linalg.cholesky(real[1]).T
    fakes = [torch.randn(1000, 16, generator=rng, dtype=torch.float64) @ mixing + real[0] for _ in range(8)]
    plain = np.mean([frechet_distance(*moments(fake), *real) for fake in fakes])
    extended = np.mean([extrapolated_frechet_distance(fake, *real, seed=0) for fake in fakes])
    assert plain > 0.02  # the truth is 0
    assert abs(extended) < 0.2 * plain


def test_extrapolation_is_seeded_and_needs_a_line():
    fake, real = gaussian(400, 8, 0), moments(gaussian(400, 8, 1))
    value = extrapolated_frechet_distance(fake, *real, seed=1)
    assert extrapolated_frechet_distance(fake, *real, seed=1) == value
    assert extrapolated_frechet_distance(fake, *real, seed=2) != value
    with pytest.raises(ValueError, match="more than 40 images for features of 8 dimensions, got 30"):
        extrapolated_frechet_distance(fake[:30], *real, seed=1)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_is_refused(bad):
    a = gaussian(10, 4, 0)
    spoilt = a.clone()
    spoilt[3, 2] = bad
    with pytest.raises(ValueError, match="NaN or infinity"):
        frechet_distance_from_features(a, spoilt)
    mean, cov = moments(a)
    with pytest.raises(ValueError, match="NaN or infinity"):
        frechet_distance(mean, cov * bad, mean, cov)


def test_too_few_images_and_different_widths_are_refused():
    with pytest.raises(ValueError, match="at least 2 images, got 1"):
        frechet_distance_from_features(torch.ones(1, 4), torch.ones(5, 4))
    with pytest.raises(ValueError, match="4 and 3 dimensions"):
        frechet_distance_from_features(torch.ones(5, 4), torch.ones(5, 3))
