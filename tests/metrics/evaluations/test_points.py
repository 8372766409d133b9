"""Points against their known density, with generators and discriminators whose scores are known too."""

import math
from contextlib import contextmanager, nullcontext

import pytest
import torch

from forger.data.images import digits
from forger.data.points import gaussian_1d, grid25, ring8
from forger.metrics.evaluations.known_density import (
    DensityMatch,
    ModeCoverage,
    densities,
    interval,
    optimal_discriminator,
)


class Game:
    """Samples of a density, and a discriminator that is any function of the points."""

    averaged, device, rank, world, shown, live_weights = False, torch.device("cpu"), 0, 1, 0, nullcontext

    def __init__(self, density, discriminator=lambda x: torch.full((len(x),), 0.5)):
        self.density, self.discriminate = density, discriminator

    def sample(self, n, labels=None, generator=None):
        return self.density.sample(n, generator)


def scores(game, data, evaluation=None, n=100_000):
    return (evaluation or DensityMatch()).evaluate(game, data, "test", n=n, seed=0)


def test_at_the_equilibrium_all_three_vanish():
    data = gaussian_1d(n=10)
    found = scores(Game(data.density), data)
    assert found["d_from_half"] == 0
    assert found["jsd"] < 0.0005  # 200 bins of 100,000 samples: about 200 / 8n
    assert found["d_from_optimum"] < 0.02  # the histogram's noise


def test_the_optimal_discriminator_of_a_wrong_generator_is_recognised():
    data, wrong = gaussian_1d([1.0], [0.5], n=10), gaussian_1d([0.0], [0.5], n=10).density
    p, q = data.density, wrong
    best = Game(wrong, lambda x: (p.pdf(x) / (p.pdf(x) + q.pdf(x))).float())
    half = Game(wrong)
    assert scores(best, data)["d_from_optimum"] < 0.02
    # E|1/2 − D*| over (p + q) / 2 is a quarter of ∫|p − q|, half the total variation erf(δ / 2√2 σ).
    assert scores(half, data)["d_from_optimum"] == pytest.approx(math.erf(2 / (2 * math.sqrt(2))) / 2, abs=0.02)
    # D* = 1 / (1 + exp(2 − 4x)): at the left edge, x = 0, 1 / (1 + e²); at the right one, x = 2, almost 1.
    assert scores(best, data)["d_from_half"] == pytest.approx(0.5 - 1 / (1 + math.exp(6)), abs=1e-3)
    assert scores(half, data)["jsd"] == pytest.approx(true_divergence(p, q), abs=0.002)


def true_divergence(p, q):
    x = torch.linspace(-5, 5, 20_001, dtype=torch.float64)[:, None]
    a, b = p.pdf(x), q.pdf(x)
    m = (a + b) / 2
    return float((torch.xlogy(a, a / m) + torch.xlogy(b, b / m)).sum() / 2 * 10 / 20_000)


def test_d_is_asked_where_the_data_have_mass():
    """Within 2 σ of a mode; what it says elsewhere doesn't count."""
    data = gaussian_1d([-3.0, 3.0], [0.5, 0.25], n=10)
    ramp = Game(data.density, lambda x: 0.5 + 0.1 * x.flatten())
    assert scores(ramp, data)["d_from_half"] == pytest.approx(0.4, abs=0.001)  # at −3 − 2 · 0.5
    between = Game(data.density, lambda x: torch.where(x.flatten().abs() < 1.5, 1.0, 0.5))
    assert scores(between, data)["d_from_half"] == 0


def test_densities_are_histograms_of_the_same_bins():
    density = gaussian_1d(n=10).density
    assert interval(density) == (-1.5, 3.5)
    centres, p, q = densities(density, torch.tensor([[-1.49], [1.0], [1.0], [9.0]]), 5)
    assert centres.flatten().tolist() == [-1.0, 0.0, 1.0, 2.0, 3.0]
    assert q.tolist() == [0.25, 0, 0.5, 0, 0]
    assert p[2] == pytest.approx(1 / (0.5 * math.sqrt(2 * math.pi)))


def test_the_optimum_is_a_half_where_nothing_is():
    p, q = torch.tensor([0.0, 1.0, 0.0, 3.0]), torch.tensor([0.0, 0.0, 2.0, 1.0])
    assert optimal_discriminator(p, q).tolist() == [0.5, 1.0, 0.0, 0.75]


def test_modes_of_a_perfect_sampler_and_of_a_collapsed_one():
    data = ring8(n=10)
    perfect = scores(Game(data.density), data, ModeCoverage(), n=20_000)
    assert perfect["modes"] == 8
    assert perfect["high_quality"] == pytest.approx(0.9889, abs=0.003)
    assert perfect["kl_modes"] < 0.001

    class Collapsed(Game):
        def sample(self, n, labels=None, generator=None):
            return data.density.means[:1].repeat(n, 1)

    collapsed = scores(Collapsed(data.density), data, ModeCoverage(), n=1000)
    assert (collapsed["modes"], collapsed["high_quality"]) == (1, 1)
    assert collapsed["kl_modes"] == pytest.approx(math.log(8))


def test_the_default_weights_have_the_name_and_the_live_ones_stand_beside_them():
    data = grid25(n=10)

    class Averaged(Game):
        """The average makes everything, the live weights one mode alone."""

        averaged = True

        @contextmanager
        def live_weights(self):
            self.sample = lambda n, *_: data.density.means[:1].repeat(n, 1)
            yield
            del self.sample

    found = scores(Averaged(data.density), data, ModeCoverage(), n=10_000)
    assert (found["modes"], found["modes_raw"]) == (25, 1)
    assert found["kl_modes"] < 0.01
    assert found["kl_modes_raw"] == pytest.approx(math.log(25))
    assert set(found) == {n + kind for n in ("modes", "high_quality", "kl_modes", "spread") for kind in ("", "_raw")}
    directions = {name: ModeCoverage().higher_is_better(name) for name in found}
    assert not directions["kl_modes"]
    assert not directions["kl_modes_raw"]
    assert directions["modes_raw"]


def test_unknown_densities_are_refused():
    with pytest.raises(ValueError, match="digits has no known density"):
        scores(Game(None), digits())
    with pytest.raises(ValueError, match="digits has no known density"):
        ModeCoverage().check(digits())
    data = grid25(n=10)
    with pytest.raises(ValueError, match="grid25 is 2-dimensional"):
        scores(Game(data.density), data)


def test_a_game_without_a_discriminator_has_the_divergence_alone():
    class Sampling(Game):
        discriminate = property()  # none: AttributeError

        def __init__(self, density):
            self.density = density

    data = gaussian_1d(n=10)
    assert set(scores(Sampling(data.density), data)) == {"jsd"}
