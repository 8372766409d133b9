"""Mode coverage on samples made by hand."""

import math

import pytest
import torch

from forger.data.images import stacked_digits
from forger.data.points import gaussian_1d, grid25, ring8
from forger.metrics.evaluations.classes import stacked_classes
from forger.metrics.features.extractors import DigitsExtractor
from forger.metrics.functional.modes import class_modes, jensen_shannon, kl_divergence, point_modes


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class TestPoints:
    @pytest.mark.parametrize("source", [ring8, grid25])
    def test_a_perfect_sampler(self, source):
        density = source(n=10).density
        scores = point_modes(density.sample(100_000, rng()), density.means, density.std, density.weights)
        assert scores["modes"] == len(density.means)
        assert scores["high_quality"] == pytest.approx(0.9889, abs=0.001)
        assert scores["kl"] == pytest.approx(0, abs=1e-3)
        assert scores["spread"] == pytest.approx(1, abs=0.01)

    @pytest.mark.parametrize("width", [0.5, 0.8, 1.2])
    def test_spread_measures_the_width(self, width):
        density = grid25(n=10).density
        mode = torch.randint(25, (50_000,), generator=rng(1))
        points = density.means[mode] + width * 0.05 * torch.randn(50_000, 2, generator=rng(2))
        spread = point_modes(points, density.means, 0.05)["spread"]
        # Above 1 the cut at 3σ takes some of it away.
        assert spread == pytest.approx(width, abs=0.03 if width < 1 else 0.08)

    def test_by_hand(self):
        means = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])
        # 100 points: 70 at one mode, 23 at another, 6 (less than a quarter of 25) at the third, 1 astray.
        counts = torch.tensor([70, 23, 6])
        points = torch.cat([means[:3].repeat_interleave(counts, 0), torch.tensor([[10.0, 6.9]])])
        scores = point_modes(points, means, 1.0)
        assert scores["modes"] == 2
        assert scores["high_quality"] == pytest.approx(0.99)
        share = [0.70, 0.23, 0.06, 0.01]
        assert scores["kl"] == pytest.approx(sum(p * math.log(p / 0.25) for p in share))
        assert scores["spread"] == 0  # points, not clouds

    def test_exactly_a_quarter_of_its_share_and_exactly_three_sigma_count(self):
        means = torch.tensor([[0.0], [100.0]])
        points = torch.cat([torch.full((7, 1), 3.0), torch.full((1, 1), 97.0)])
        scores = point_modes(points, means, 1.0)
        assert (scores["modes"], scores["high_quality"]) == (2, 1)

    def test_unequal_weights_and_widths(self):
        means, std, weights = (
            torch.tensor([[0.0], [50.0]]),
            torch.tensor([1.0, 5.0]),
            torch.tensor([0.9, 0.1]),
        )
        mode = (torch.rand(50_000, generator=rng(3)) < 0.1).long()
        points = means[mode] + std[mode, None] * torch.randn(50_000, 1, generator=rng(4))
        scores = point_modes(points, means, std, weights)
        assert scores["modes"] == 2
        assert scores["kl"] < 1e-3
        assert scores["spread"] == pytest.approx(1, abs=0.02)
        assert scores["high_quality"] == pytest.approx(0.9973, abs=0.001)

    def test_collapse_and_noise(self):
        density = grid25(n=10).density
        collapsed = point_modes(density.means[:1].repeat(1000, 1), density.means, 0.05)
        assert (collapsed["modes"], collapsed["high_quality"]) == (1, 1)
        assert collapsed["kl"] == pytest.approx(math.log(25))
        noise = point_modes(10 * torch.rand(10_000, 2, generator=rng()) - 5, density.means, 0.05)
        assert noise["modes"] == 0
        assert math.isnan(noise["spread"])

    def test_nan_and_other_dimensions_are_refused(self):
        with pytest.raises(ValueError, match="NaN"):
            point_modes(torch.full((4, 2), float("nan")), torch.zeros(3, 2), 1.0)
        with pytest.raises(ValueError, match=r"shape \(n, 2\), got \(4, 3\)"):
            point_modes(torch.zeros(4, 3), torch.zeros(3, 2), 1.0)
        with pytest.raises(ValueError, match="shape"):
            point_modes(torch.zeros(0, 2), torch.zeros(3, 2), 1.0)


class TestStackedDigits:
    def test_reads_the_real_ones(self):
        test = stacked_digits(n=10).test
        images, labels = test.arrays["image"][:3000], test.arrays["label"][:3000]
        classes = stacked_classes(DigitsExtractor(), images)
        assert (classes == labels).double().mean() > 0.97
        scores = class_modes(classes)
        assert scores["modes"] > 900
        assert scores["kl"] == pytest.approx(999 / 6000, abs=0.06)

    def test_by_hand(self):
        scores = class_modes(torch.tensor([0, 0, 7, 999]))
        assert scores["modes"] == 3
        assert scores["kl"] == pytest.approx(0.5 * math.log(500) + 2 * 0.25 * math.log(250))
        assert class_modes(torch.tensor([0, 0, 0, 1]), torch.tensor([75, 25])) == {"modes": 2, "kl": 0}

    def test_what_the_truth_excludes(self):
        assert kl_divergence(torch.tensor([1, 1]), torch.tensor([1, 0])) == math.inf
        with pytest.raises(ValueError, match="class 5 among the images, but the truth has 3 modes"):
            class_modes(torch.tensor([0, 5]), 3)


class TestJensenShannon:
    def test_perfect_samples_and_their_bias(self):
        density = gaussian_1d(means=[-1.0, 2.0], stds=[0.5, 1.0], n=10).density
        values = [jensen_shannon(density.sample(20_000, rng(i)), density.pdf, -4, 6) for i in range(5)]
        assert max(values) < 200 / (8 * 20_000) * 1.3
        assert min(values) > 0

    def test_disjoint_is_log_two(self):
        density = gaussian_1d(n=10).density
        assert jensen_shannon(torch.full((50,), 9.0), density.pdf, -3, 10) == pytest.approx(math.log(2))
        # Outside the range of the bins as well.
        assert jensen_shannon(torch.full((50,), 90.0), density.pdf, -3, 10) == pytest.approx(math.log(2))

    def test_by_hand(self):
        def uniform(x):
            return torch.full((len(x),), 0.5)

        # Truth (½, ½) on two bins, samples (1, 0): ½ log(1 / ¾) + ½ (½ log(½ / ¾) + ½ log(½ / ¼))
        expected = 0.5 * math.log(4 / 3) + 0.25 * (math.log(2 / 3) + math.log(2))
        assert jensen_shannon(torch.full((8,), 0.3), uniform, 0, 2, bins=2) == pytest.approx(expected)

    def test_a_shift_is_seen(self):
        density = gaussian_1d(means=[0.0], stds=[1.0], n=10).density
        samples = torch.randn(50_000, generator=rng()) + 1
        # By quadrature: JS(N(0, 1), N(1, 1)) = 0.1114
        assert jensen_shannon(samples, density.pdf, -5, 6) == pytest.approx(0.1114, abs=0.004)

    def test_nan_is_refused(self):
        with pytest.raises(ValueError, match="NaN"):
            jensen_shannon(torch.tensor([float("nan")]), lambda x: x, 0, 1)
