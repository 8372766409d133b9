"""Path length regularisation of a generator whose derivative is known."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import nn

from forger.losses.objective import Setting
from forger.losses.path_length import PathLength, path_lengths
from forger.networks import mlp
from forger.randomness import Noise


class Scaling(nn.Module):
    """Styles (N, 2, 3) to images (N, 1, 1, 2) with one pixel: weight · (the first's first + 2 · the second's first)."""

    layers = 2

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(3.0))

    def training_styles(self, z, labels=None):
        return z[:, None].expand(-1, 2, -1)

    def forward(self, styles, labels=None):
        pixel = self.weight * (styles[:, 0, :1] + 2 * styles[:, 1, :1])
        return nn.functional.pad(pixel[:, :, None, None], (0, 1, 0, 1))


def turn(generator, n):
    noise = Noise(torch.Generator().manual_seed(0))
    return cast(Any, SimpleNamespace(z=torch.ones(n, 3), fake_labels=None, generator=generator,
                                     noise=noise, shown=0))  # fmt: skip


def test_lengths_by_hand():
    """Jᵀy of both styles is (w·y/2, 0, 0) and (2w·y/2, 0, 0), their mean square w²·y²·(1 + 4) / 8."""
    network, z = Scaling(), torch.ones(4, 3)
    y = torch.arange(1.0, 5.0)[:, None, None, None].expand(4, 1, 2, 2)
    lengths = path_lengths(network, network.training_styles(z), lambda shape: y)
    torch.testing.assert_close(lengths, 3 * torch.arange(1.0, 5.0) * (5 / 8) ** 0.5)


def test_the_term_and_its_average_by_hand():
    network, objective = Scaling(), PathLength(weight=2, every=4, decay=0.75)
    y = torch.randn(4, 1, 2, 2, generator=torch.Generator().manual_seed(0))[:, 0, 0, 0].abs()
    objective.average.fill_(1.0)
    lengths = 3 * y * (5 / 8) ** 0.5
    value = objective(turn(network, 7))  # of which the first four are looked at
    assert value.item() == pytest.approx(2 * 4 * (lengths - 1).square().mean().item())
    assert objective.average.item() == pytest.approx(0.75 + 0.25 * lengths.mean().item())
    value.backward()
    slope = 2 * 4 * (2 * (lengths - 1) * lengths / 3).mean().item()
    assert network.weight.grad is not None
    assert network.weight.grad.item() == pytest.approx(slope, rel=1e-5)


def test_a_generator_without_styles_is_refused():
    setting = Setting(("discriminator", "generator"), mlp.Generator(2, [1, 8, 8]), nn.Identity(), 0, 0, 2)
    with pytest.raises(ValueError, match="regularises styles; Generator has none, take model=stylegan2"):
        PathLength().prepare(setting)
