"""Pictures of super-resolution: details beside bicubic, and any picture enlarged without seams."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import pytest
import torch

from forger.data.dataset import Split
from forger.data.pairs import photos
from forger.data.pixels.ranges import to_float, to_uint8
from forger.data.pixels.resizing import bicubic
from forger.games.base import Player
from forger.games.super_resolution import SuperResolutionGame
from forger.losses.adversarial import non_saturating
from forger.networks.super_resolution import Discriminator, Generator
from forger.pictures import draw
from forger.pictures.enlargement import enlarged, reach
from forger.pictures.request import Request


def game(scale=2, norm="none", blocks=2, channels=3):
    """A game with a generator that is far from bicubic."""
    torch.manual_seed(0)
    G = Generator(channels, 8, blocks, scale, norm)
    torch.nn.init.normal_(G.output.weight, 0, 0.05)
    players = {name: Player(partial(torch.optim.Adam, lr=1e-3)) for name in ("discriminator", "generator")}
    D = Discriminator(channels, 4, 1)
    return SuperResolutionGame(G, D, torch.nn.Identity(), non_saturating, players, budget=8)


def picture(height=150, width=290, channels=3):
    return torch.randint(256, (channels, height, width), generator=torch.Generator().manual_seed(1)).to(torch.uint8)


@pytest.mark.parametrize(("scale", "norm"), [(2, "none"), (4, "none"), (2, "batch")])
def test_tiles_have_no_seams(scale, norm):
    """Tile by tile it is what the whole picture gives at once, but for the last bit of a float."""
    played, pixels = game(scale, norm), picture()
    whole = to_uint8(played.enlarge(to_float(pixels[None])))[0]
    tiled = enlarged(played, pixels)
    difference = (tiled.int() - whole.int()).abs()
    assert tiled.shape == (3, 150 * scale, 290 * scale)
    assert difference.max() <= 1
    assert (difference > 0).double().mean() < 1e-3


def test_with_too_small_a_margin_there_would_be_seams(monkeypatch):
    played, pixels = game(), picture()
    monkeypatch.setattr("forger.pictures.enlargement.reach", lambda *_: 2)
    whole = to_uint8(played.enlarge(to_float(pixels[None])))[0]
    assert (enlarged(played, pixels).int() - whole.int()).abs().max() > 1


@pytest.mark.parametrize(("size", "channels"), [((1, 1), 3), ((128, 129), 3), ((5, 300), 1)])
def test_any_size_of_picture(size, channels):
    played = game(channels=channels)
    assert enlarged(played, picture(*size, channels)).shape == (channels, 2 * size[0], 2 * size[1])


@pytest.mark.parametrize("blocks", [1, 3])
def test_reach_is_the_sum_of_the_kernels_halves(blocks):
    """×2: 4 for the first 9×9, 1 for each 3×3 (2 a block, 2 more), 2 for the last 9×9 on pixels half as large.

    A library may look one tile of its own farther.
    """
    exact = 4 + 2 * blocks + 2 + 2
    assert exact <= reach(game(blocks=blocks), 3) <= exact + 8


def test_bicubic_reaches_two_pixels():
    assert reach(SimpleNamespace(scale=2, enlarge=lambda x: bicubic(x, 2)), 3) == 2


def test_the_natural_picture_shows_details_in_five_versions():
    data = photos(patch=48, stride=48, turns=1)
    (page,) = draw(game(), data, Request(n=3))
    assert page.width >= 5 * 160
    assert page.height >= 3 * 160
    assert page.tobytes() == draw(game(), data, Request(n=3))[0].tobytes()
    assert page.tobytes() != draw(game(), data, Request(n=3, seed=1))[0].tobytes()


def test_small_pictures_are_drawn_as_wide_as_the_names_above_them():
    """28×28: five columns of 140 pixels; "second stage" is about 100 wide."""
    data = photos(patch=48, stride=48, turns=1)
    small = {"image": data.test.arrays["image"][..., :28, :28]}
    data = replace(data, test=Split(small), extra={})
    (page,) = draw(game(), data, Request(n=2))
    assert page.width >= 5 * 140
    (all_of_them,) = draw(game(), data, Request())
    assert all_of_them.height <= 13 * 150
