"""Bounds of variational autoencoders against closed forms and torch's own distributions."""

import math

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, MultivariateNormal, Normal, kl_divergence
from torch.quasirandom import SobolEngine

from forger.losses.discrepancy import SCALES, mmd
from forger.losses.variational import (
    Draw,
    decomposition,
    elbo,
    importance_bound,
    importance_weighted,
    takes_whole_batches,
    total_correlation,
)


def drawn(k=3, n=5, d=2, rate=7.0):
    stream = torch.Generator().manual_seed(0)
    error, z, mean, v = (torch.randn(shape, generator=stream) for shape in ((k, n), (k, n, d), (n, d), (n, d)))
    return Draw(error.abs(), rate, z, mean, v)


def posterior(draw):
    return Independent(Normal(draw.mean, (draw.log_variance / 2).exp()), 1)


def prior(draw):
    return Independent(Normal(torch.zeros_like(draw.mean), 1.0), 1)


def test_the_evidence_bound():
    draw = drawn()
    kl = kl_divergence(posterior(draw), prior(draw)).mean()
    torch.testing.assert_close(elbo(draw, beta=4.0), {"reconstruction": 7 * draw.error.mean(), "kl": 4 * kl})


def test_importance_weights():
    draw = drawn()
    weights = prior(draw).log_prob(draw.z).exp() / posterior(draw).log_prob(draw.z).exp() * (-7 * draw.error).exp()
    torch.testing.assert_close(draw.log_weights(), weights.log())
    torch.testing.assert_close(importance_weighted(draw), {"bound": -weights.mean(0).log().mean()})
    assert importance_weighted(drawn(k=1))["bound"] == pytest.approx(-float(drawn(k=1).log_weights().mean()))


def test_total_correlation_is_that_of_a_mixture_of_the_posteriors():
    draw = drawn(k=1, n=6)
    z, same = draw.z[0], Categorical(torch.ones(6))
    joint = MixtureSameFamily(same, posterior(draw)).log_prob(z)
    marginals = sum(
        MixtureSameFamily(same, Normal(draw.mean[:, j], (draw.log_variance[:, j] / 2).exp())).log_prob(z[:, j])
        for j in range(2)
    )
    wanted = {
        "reconstruction": 7 * draw.error.mean(),
        "mutual_information": 2 * (posterior(draw).log_prob(z) - joint).mean(),
        "total_correlation": 5 * (joint - marginals).mean(),
        "dimension_kl": 3 * (marginals - prior(draw).log_prob(z)).mean(),
    }
    torch.testing.assert_close(total_correlation(draw, beta=5.0, alpha=2.0, gamma=3.0), wanted)
    together = sum(decomposition(z, draw.mean, draw.log_variance))
    torch.testing.assert_close(together, -draw.log_ratios().mean())
    assert takes_whole_batches(total_correlation)
    assert not takes_whole_batches(elbo)


def test_the_decomposition_is_the_closed_form_on_gaussians():
    """Means from N(0, C) and posteriors of variance s² make q(z) = N(0, C + s² 1), of which every part is known."""
    n, s = 2048, 0.6
    points = SobolEngine(4, scramble=True, seed=0).draw(n, dtype=torch.float64)
    normal = torch.special.ndtri(points.clamp(1e-9, 1 - 1e-9))
    c = torch.tensor([[1.0, 0.5], [0.5, 0.8]], dtype=torch.float64)
    mean = normal[:, :2] @ torch.linalg.cholesky(c).T
    parts = decomposition(mean + s * normal[:, 2:], mean, torch.full_like(mean, 2 * math.log(s)))
    whole = c + s**2 * torch.eye(2)
    variances = whole.diagonal()
    known = [
        0.5 * torch.logdet(whole / s**2),
        0.5 * (variances.log().sum() - torch.logdet(whole)),
        0.5 * (variances - 1 - variances.log()).sum(),
    ]
    torch.testing.assert_close(torch.stack([*parts]), torch.stack(known), atol=0.01, rtol=0)


def linear_gaussian():
    """z ~ N(0, 1), x = W z + 0.5 noise: images, the true posterior's mean and deviations, and exact log p(x)."""
    stream = torch.Generator().manual_seed(1)
    w = torch.tensor([[1.0, 0.2], [-0.4, 0.9], [0.3, 0.5]])
    x = torch.randn(400, 2, generator=stream) @ w.T + 0.5 * torch.randn(400, 3, generator=stream)
    exact = MultivariateNormal(torch.zeros(3), w @ w.T + 0.25 * torch.eye(3)).log_prob(x)
    precision = torch.eye(2) + w.T @ w / 0.25
    return w, x, x @ w @ torch.linalg.inv(precision) / 0.25, precision.diagonal().rsqrt(), exact


def test_the_bound_rises_with_the_number_of_codes_to_the_likelihood_of_a_linear_gaussian_model():
    """From a posterior without the true one's correlation, and a little too wide."""
    w, x, mean, deviation, exact = linear_gaussian()
    v = (2 * (1.3 * deviation).log()).expand(400, 2)
    stream = torch.Generator().manual_seed(2)
    z = mean + (v / 2).exp() * torch.randn(512, 400, 2, generator=stream)
    error = (x - z @ w.T).square().sum(2)  # ½ error / 0.25 nats
    weights = Draw(error, 2.0, z, mean, v).log_weights() - 1.5 * math.log(2 * math.pi * 0.25)
    bounds = {k: float(importance_bound(weights.view(-1, k, 400).transpose(0, 1).flatten(1)).mean())
              for k in (1, 4, 16, 64, 512)}  # fmt: skip
    assert sorted(bounds.values()) == [*bounds.values()]
    assert bounds[1] < float(exact.mean()) - 0.1
    assert bounds[64] == pytest.approx(float(exact.mean()), abs=0.05)
    assert bounds[512] == pytest.approx(float(exact.mean()), abs=0.02)


# What makes codes follow a prior ------------------------------------------------------------------------------


def test_the_discrepancy_is_a_plain_loops():
    stream = torch.Generator().manual_seed(0)
    x, y = torch.randn(4, 3, generator=stream), torch.randn(4, 3, generator=stream)

    def kernel(a, b):
        return sum(6 * s / (6 * s + float((a - b).square().sum())) for s in SCALES)

    within = sum(kernel(a[i], a[j]) for a in (x, y) for i in range(4) for j in range(4) if i != j) / 12
    across = sum(kernel(a, b) for a in x for b in y) / 16
    assert float(mmd(x, y)) == pytest.approx(within - 2 * across, rel=1e-4)


def test_the_discrepancy_of_gaussians_is_the_closed_form():
    """C / (C + r²) is the mean of exp(−t r² / C) over t ~ Exp(1), whose mean over Gaussians is known."""
    d, shift, t = 2, torch.tensor([1.0, 0.0]), (torch.arange(20_000) + 0.5) / 1000

    def expected(between):
        total = 0.0
        for c in (2 * d * scale for scale in SCALES):
            spread = 1 + 4 * t / c  # the difference of two draws has variance 2
            total += float(((-t - t / c * between / spread).exp() * spread ** (-d / 2)).sum() / 1000)
        return total

    stream = torch.Generator().manual_seed(0)
    found = [
        float(mmd(shift + torch.randn(200, d, generator=stream), torch.randn(200, d, generator=stream)))
        for _ in range(50)
    ]
    assert sum(found) / 50 == pytest.approx(2 * expected(0.0) - 2 * expected(1.0), rel=0.05)
    same = [float(mmd(*torch.randn(2, 100, d, generator=stream))) for _ in range(100)]
    assert abs(sum(same) / 100) < 0.01
    assert min(same) < 0
