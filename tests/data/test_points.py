import math

import numpy as np
import pytest
import torch
from scipy import stats

from forger.data.mixture import Mixture
from forger.data.points import gaussian_1d, grid25, ring8


def test_the_density_of_a_mixture_is_scipys():
    density = Mixture(torch.tensor([[0.0, 1.0], [2.0, -1.0]]), torch.tensor([0.5, 1.5]), torch.tensor([0.25, 0.75]))
    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(0)) * 2
    expected = 0.25 * stats.multivariate_normal([0, 1], 0.25).pdf(x.double().numpy())
    expected += 0.75 * stats.multivariate_normal([2, -1], 2.25).pdf(x.double().numpy())
    np.testing.assert_allclose(density.pdf(x), expected, rtol=1e-6)
    np.testing.assert_allclose(density.log_pdf(x), np.log(expected), rtol=1e-6)
    far = torch.tensor([[1e3, 1e3]])
    assert density.log_pdf(far).isfinite().all()
    assert density.pdf(far) == 0


def test_a_density_on_the_line_integrates_to_one_and_fits_its_samples():
    data = gaussian_1d(means=[-2.0, 1.0], stds=[0.3, 0.5], weights=[1.0, 3.0])
    assert data.density is not None
    line = torch.linspace(-6, 6, 4001)[:, None]
    assert torch.trapezoid(data.density.pdf(line), line[:, 0].double()).item() == pytest.approx(1, abs=1e-6)
    points = data.train.arrays["image"]
    assert points.shape == (100_000, 1)
    assert points.dtype == torch.float32
    assert (points < -0.7).float().mean().item() == pytest.approx(0.25, abs=0.005)
    assert points.mean().item() == pytest.approx(0.25, abs=0.02)
    assert data.classes == 0
    assert set(data.train.arrays) == {"image"}


def test_one_gaussian_is_the_default():
    data = gaussian_1d(n=20_000)
    assert data.shape == (1,)
    assert data.kind == "points"
    assert stats.kstest(data.train.arrays["image"][:, 0].numpy(), stats.norm(1.0, 0.5).cdf).pvalue > 0.001


@pytest.mark.parametrize(("source", "modes", "std"), [(ring8, 8, 0.02), (grid25, 25, 0.05)])
def test_modes_are_equal_and_where_the_papers_have_them(source, modes, std):
    data = source()
    points, label = data.train.arrays["image"], data.train.arrays["label"]
    assert points.shape == (100_000, 2)
    assert data.classes == modes == len(data.density.means)
    share = label.bincount(minlength=modes) / len(points)
    assert ((share * modes - 1).abs() < 0.1).all()
    offset = (points - data.density.means[label]) / std
    assert offset.std(0).numpy() == pytest.approx([1, 1], abs=0.01)
    # A perfect sampler has 1 - exp(-9/2) = 98.89 % of its points within 3 σ.
    assert (offset.norm(dim=1) < 3).float().mean().item() == pytest.approx(1 - math.exp(-4.5), abs=0.001)
    assert torch.equal(torch.cdist(points, data.density.means).argmin(1), label)


def test_the_shapes_of_ring_and_grid():
    ring, grid = ring8(n=1).density, grid25(n=1).density
    assert ring is not None
    assert grid is not None
    assert ring.means.norm(dim=1).numpy() == pytest.approx(np.full(8, 2.0))
    assert len(torch.unique((ring.means * 1e4).round(), dim=0)) == 8
    assert sorted(map(tuple, grid.means.tolist())) == [(x, y) for x in range(-4, 5, 2) for y in range(-4, 5, 2)]


def test_splits_differ_and_repeat():
    data = ring8(n=10_000)
    assert not torch.equal(data.train.arrays["image"], data.test.arrays["image"])
    assert not torch.equal(data.validation.arrays["image"], data.test.arrays["image"])
    assert data.fingerprint == ring8(n=10_000).fingerprint


def test_lists_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="got 2 means, 1 stds"):
        gaussian_1d(means=[0.0, 1.0], stds=[1.0])
    with pytest.raises(ValueError, match="got 1 means, 1 stds, 2 weights"):
        gaussian_1d(means=[0.0], stds=[1.0], weights=[0.5, 0.5])
