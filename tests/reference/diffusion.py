"""Flow matching and EDM as plain PyTorch: training loops, EDM's algorithm 1, and exact answers of Gaussian mixtures."""

import torch
from torch import nn

from forger.data.pixels.ranges import to_float
from forger.randomness import derived_seed, generator


def _drawn(seed, step, x):
    """Uniform numbers for the labels; the stream of the rest."""
    told = torch.rand(len(x), generator=generator(seed, "label_dropout", step)) >= 0.1
    return told, generator(seed, "diffusion", step)


def train_flow(net, optimizer, batches, *, seed=0):
    """Lipman et al. 2023: regress x₁ − x₀ at t x₁ + (1 − t) x₀, t uniform."""
    opt = optimizer(net.parameters())
    for step, batch in enumerate(batches):
        torch.manual_seed(derived_seed(seed, "layers", step, 0))
        data = to_float(batch["image"])
        told, stream = _drawn(seed, step, data)
        time = torch.rand(len(data), generator=stream)
        noise = torch.randn(data.shape, generator=stream)
        t = time[:, None, None, None]
        found = net(t * data + (1 - t) * noise, time, batch["label"], told)
        loss = (found - (data - noise)).square().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()


def train_edm(net, optimizer, batches, *, seed=0, data_std=0.5, p_mean=-1.2, p_std=1.2):
    """Karras et al. 2022, table 1 and eq. 8: the network's own target, with weight 1 (appendix B.6)."""
    opt = optimizer(net.parameters())
    for step, batch in enumerate(batches):
        torch.manual_seed(derived_seed(seed, "layers", step, 0))
        data = to_float(batch["image"])
        told, stream = _drawn(seed, step, data)
        s = torch.exp(p_mean + p_std * torch.randn(len(data), generator=stream))
        sigma = s[:, None, None, None]
        noisy = data + sigma * torch.randn(data.shape, generator=stream)
        norm = torch.sqrt(sigma**2 + data_std**2)
        target = (data - data_std**2 / norm**2 * noisy) / (sigma * data_std / norm)
        found = net(noisy / norm, torch.log(s) / 4, batch["label"], told)
        loss = (found - target).square().mean()
        opt.zero_grad()
        loss.backward()
        opt.step()


def algorithm_1(denoiser, noise, steps, sigma_min, sigma_max, rho):
    """Karras et al. 2022: deterministic sampling with σ(t) = t and s(t) = 1, times by eq. 5."""
    t = [
        (sigma_max ** (1 / rho) + i / (steps - 1) * (sigma_min ** (1 / rho) - sigma_max ** (1 / rho))) ** rho
        for i in range(steps)
    ]
    t.append(0.0)
    x = t[0] * noise
    for i in range(steps):
        d = (x - denoiser(x, t[i])) / t[i]
        x_next = x + (t[i + 1] - t[i]) * d
        if t[i + 1] != 0:
            d_next = (x_next - denoiser(x_next, t[i + 1])) / t[i + 1]
            x_next = x + (t[i + 1] - t[i]) * (d + d_next) / 2
        x = x_next
    return x


class GaussianMixture:
    """On a line: a x + b ε for x of a mixture and ε of N(0, 1), in closed form, float64."""

    weights = torch.tensor([0.3, 0.7], dtype=torch.float64)
    means = torch.tensor([-0.8, 0.5], dtype=torch.float64)
    deviations = torch.tensor([0.3, 0.2], dtype=torch.float64)

    def expected(self, y, a, b):
        """E[x | a x + b ε = y] of y (n, 1); a and b numbers or (n, 1)."""
        variance = a**2 * self.deviations**2 + b**2
        odds = self.weights.log() - variance.log() / 2 - (y - a * self.means) ** 2 / (2 * variance)
        means = self.means + a * self.deviations**2 / variance * (y - a * self.means)
        return (odds.softmax(1) * means).sum(1, keepdim=True)

    def cumulative(self, y, a, b):
        """P(a x + b ε ≤ y)."""
        deviation = (a**2 * self.deviations**2 + b**2) ** 0.5
        return (self.weights * torch.special.ndtr((y - a * self.means) / deviation)).sum(1, keepdim=True)


class ExactDenoiser(nn.Module):
    """The network F for which EDM's preconditioned denoiser is that of the mixture."""

    shape = (1,)

    def __init__(self, data_std):
        super().__init__()
        self.data_std = data_std

    def forward(self, x, noise, labels=None, told=None):
        sigma = torch.exp(4 * noise)[:, None]
        norm = (sigma**2 + self.data_std**2) ** 0.5
        y = norm * x
        return (
            (GaussianMixture().expected(y, 1, sigma) - (self.data_std / norm) ** 2 * y) * norm / sigma / self.data_std
        )


class ExactVelocity(nn.Module):
    """The velocity E[x₁ − x₀ | x_t] of straight paths to the mixture."""

    shape = (1,)

    def forward(self, x, noise, labels=None, told=None):
        t = noise[:, None]
        return (GaussianMixture().expected(x, t, 1 - t) - x) / (1 - t)
