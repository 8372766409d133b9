"""Mixed styles, and directions by closed-form factorisation."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from export.untrained import ROWS, THIN, built
from forger.data.images import digits
from forger.errors import ConfigError
from forger.games.adversarial import AdversarialGame
from forger.games.base import Player
from forger.losses.adversarial import non_saturating
from forger.networks import mlp
from forger.pictures import draw, drawable
from forger.pictures.factorization import directions_of
from forger.pictures.latents import samples
from forger.pictures.request import Request

DIGITS = digits()
TILE, GAP = 48, 2
STYLED = ("model=stylegan2", "data=digits", THIN, "model.discriminator.width=4", "model.latent=6")


class Showing(nn.Module):
    """Styles of two layers, (z, z): the upper half of an image shows the first one, the lower half the second."""

    style_shape = 2, 2

    def styles(self, z, labels=None, truncation=1.0):
        return truncation * (z[:, None].expand(-1, 2, -1) if z.ndim == 2 else z)

    def affine(self):
        return torch.tensor([[0.0, 2.0], [1.0, 0.0]])

    def forward(self, z, labels=None):
        styles = self.styles(z)
        upper, lower = (torch.tanh(styles[:, i, 0])[:, None, None, None].expand(-1, 1, 4, 8) for i in (0, 1))
        return torch.cat([upper, lower], 2)


def game():
    players = {name: Player(partial(torch.optim.Adam, lr=1e-3)) for name in ("discriminator", "generator")}
    return AdversarialGame(Showing(), mlp.Discriminator([1, 8, 8], 8), non_saturating, players, latent=2)


def levels(picture, rows, columns, part):
    """Grey level of each tile at a part of its height."""
    grey = np.asarray(picture.convert("L"))
    top, left = grey.shape[0] - rows * (TILE + GAP) - GAP, grey.shape[1] - columns * (TILE + GAP) - GAP
    at = [top + GAP + i * (TILE + GAP) + int(part * TILE) for i in range(rows)]
    return grey[np.ix_(at, [left + GAP + i * (TILE + GAP) + TILE // 2 for i in range(columns)])].astype(int)


def grey(z):
    return np.round(127.5 * np.tanh(np.asarray(z)) + 127.5)


def test_rows_give_the_coarse_style_and_columns_the_fine_one():
    request = Request(n=9, seed=2)
    (picture,) = draw(game(), DIGITS, request, "mixing")
    z = torch.randn(6, 2, generator=request.stream())[:, 0]
    coarse, fine = (levels(picture, 4, 4, part) for part in (0.25, 0.75))
    assert np.abs(coarse[1:, 1:] - grey(z[:3])[:, None]).max() <= 1
    assert np.abs(fine[1:, 1:] - grey(z[3:])).max() <= 1
    for found in (coarse, fine):
        assert np.abs(found[1:, 0] - grey(z[:3])).max() <= 1
        assert np.abs(found[0, 1:] - grey(z[3:])).max() <= 1
    assert coarse[0, 0] == 255


def test_steps_along_a_direction():
    """The first direction is the second coordinate, which is not shown; the second is the first."""
    request = Request(n=14, seed=2)
    (picture,) = draw(game(), DIGITS, request, "directions")
    found = levels(picture, 2, 7, 0.25)
    stream = request.stream()
    many, start = torch.randn(1000, 2, generator=stream)[:, 0], torch.randn(1, 2, generator=request.stream())[0, 0]
    assert np.abs(found[0] - grey(start)).max() <= 1
    assert np.abs(found[1] - grey(start + many.std() * torch.linspace(-3, 3, 7))).max() <= 1


def test_truncation_of_a_whole_game_is_in_w():
    played, _ = built(*STYLED)
    assert "mixing" in drawable(played, DIGITS)
    one = samples(played, DIGITS, Request(n=8, truncation=0))
    assert torch.equal(one, one[:1].expand_as(one))
    request = Request(n=8, truncation=0.5)
    z = played.latents(8, request.stream())
    halfway = played.decode(torch.lerp(played.styles(z, None, 0), played.styles(z), 0.5))
    assert torch.equal(samples(played, DIGITS, request), played.values.to_pixels(halfway))
    assert not torch.equal(samples(played, DIGITS, Request(n=8)), samples(played, DIGITS, request))


def matrix_of(network, latent):
    """The first layer's weights by name, as the plain matrix (outputs, latent)."""
    layer = next(m for m in network.modules() if isinstance(m, nn.Linear | nn.ConvTranspose2d))
    weight = layer.weight.detach()
    if isinstance(layer, nn.ConvTranspose2d):
        return weight[:latent].flatten(1).T
    return weight[:, :latent]


@pytest.mark.parametrize(
    "overrides",
    [
        ("model=gan", "data=digits"),
        ("model=cgan", "data=digits"),
        ("model=cgan", "data=digits", ROWS),
        ("model=cdcgan", "data=digits", THIN),
        ("model=sngan", "data=digits", THIN),
        ("model=r3gan", "data=digits", THIN),
        ("experiment=digits_vae",),
        STYLED,
    ],
    ids=str,
)
def test_directions_are_right_singular_vectors(overrides):
    played, _ = built(*overrides)
    part = next(part for part in played.parts().values() if part.takes[0] == "z")
    network = played.answering(part.network)
    if overrides == STYLED:
        styles = [module for name, module in network.named_modules() if name.endswith(".style")]
        matrix = torch.cat([layer.weight.detach() / 6**0.5 for layer in styles])
    else:
        matrix = matrix_of(getattr(network, "decoder", [network])[-1], played.latent)
    _, values, wanted = np.linalg.svd(matrix.double().numpy(), full_matrices=False)
    found = directions_of(played).numpy()
    assert np.diff(values).max() < -1e-9
    assert np.abs(np.abs((found * wanted).sum(1)) - 1).max() < 1e-6
    assert np.abs(found - np.sign((found * wanted).sum(1))[:, None] * wanted).max() < 1e-6


def test_what_is_not_affine_has_no_directions():
    class Squaring(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 64)

        def forward(self, z, labels=None):
            return self.layer(z.square()).reshape(-1, 1, 8, 8)

    played = game()
    played.generator = Squaring()
    with pytest.raises(ConfigError, match=r"model\.generator: its first layer, layer, is no affine function of z"):
        directions_of(played)
