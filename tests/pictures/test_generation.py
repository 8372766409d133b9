"""Pictures from latents, of a generator that shows its latents as grey levels."""

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from forger.data.dataset import Split
from forger.data.images import digits
from forger.data.pixels.ranges import to_float
from forger.data.points import gaussian_1d, grid25
from forger.games.adversarial import AdversarialGame
from forger.games.base import Player
from forger.losses.adversarial import non_saturating
from forger.networks import mlp
from forger.pictures import draw, drawable, generation
from forger.pictures.generation import latent_map, nearest_images, neighbours, walk
from forger.pictures.image_files import tiles
from forger.pictures.latents import samples
from forger.pictures.planes import spherical
from forger.pictures.request import Request

DIGITS = digits()
TILE, GAP = 48, 2


class Showing(nn.Module):
    """Each image is one grey level, tanh of the first latent; the label darkens the second half."""

    def forward(self, z, labels=None):
        level = torch.tanh(z[:, 0])[:, None, None, None].expand(-1, 1, 8, 8).clone()
        if labels is not None:
            level[:, :, 4:] = labels[:, None, None, None] / 5 - 1
        return level


def game(generator=None, latent=2, classes=0, **options):
    adam = partial(torch.optim.Adam, lr=1e-3)
    players = {"discriminator": Player(adam), "generator": Player(adam)}
    judge = mlp.Discriminator([1, 8, 8], 8, classes=classes)
    generator = generator or Showing()
    return AdversarialGame(generator, judge, non_saturating, players, latent=latent, classes=classes, **options)


def levels(picture, rows, columns, part=0.25):
    """Grey level of each tile at a part of its height."""
    grey = np.asarray(picture.convert("L"))
    top, left = grey.shape[0] - rows * (TILE + GAP) - GAP, grey.shape[1] - columns * (TILE + GAP) - GAP
    at = [top + GAP + i * (TILE + GAP) + int(part * TILE) for i in range(rows)]
    return grey[np.ix_(at, [left + GAP + i * (TILE + GAP) + TILE // 2 for i in range(columns)])].astype(int)


def grey(z):
    return np.round(127.5 * np.tanh(np.asarray(z)) + 127.5)


def test_games_draw_what_makes_sense_for_their_data():
    images, points = DIGITS, gaussian_1d(n=10)
    assert drawable(game(), images) == ("grid", "walk", "latent-map", "neighbours", "directions")
    assert drawable(game(classes=10), images)[:2] == ("classes", "grid")
    assert drawable(game(), points) == ("density",)
    with pytest.raises(ValueError, match="can't draw 'classes': it draws grid, walk"):
        draw(game(), images, Request(), "classes")


def test_a_grid_asks_for_classes_in_turn():
    (picture,) = draw(game(classes=10), DIGITS, Request(n=6, labels=(3, 8)), "grid")
    assert levels(picture, 2, 3, 0.75).flatten().tolist() == [76, 204, 76, 204, 76, 204]


def test_each_row_is_a_class_and_each_column_a_latent():
    (picture,) = draw(game(classes=10), DIGITS, Request(n=20))
    found = levels(picture, 10, 2)
    assert (found == found[0]).all()
    assert found[0, 0] != found[0, 1]
    assert levels(picture, 10, 2, 0.75)[:, 0].tolist() == [round(25.5 * label) for label in range(10)]
    (few,) = draw(game(classes=10), DIGITS, Request(n=6, labels=(9, 0)))
    assert levels(few, 2, 3, 0.75).tolist() == [[230] * 3, [0] * 3]


def test_samples_are_those_of_the_game_and_truncation_draws_them_to_the_middle():
    played, request = game(latent=3), Request(n=5000, seed=4)
    stream = request.stream()
    drawn = torch.randn(5000, 3, generator=stream)[:, 0]
    assert np.abs(samples(played, DIGITS, request)[:, 0, 0, 0].numpy() - grey(drawn)).max() <= 1
    half = samples(played, DIGITS, Request(n=5000, seed=4, truncation=0.5))[:, 0, 0, 0].numpy()
    assert np.abs(half - grey(drawn / 2)).max() <= 1
    assert set(samples(played, DIGITS, Request(n=9, truncation=0)).flatten().tolist()) == {128}


@pytest.mark.parametrize("classes", [0, 10])
def test_a_walk_goes_round_through_its_stations(classes):
    request = Request(n=36, seed=1)
    frames = walk(game(latent=8, classes=classes), DIGITS, request)
    columns = 10
    assert [frame.size for frame in frames] == [(columns * (TILE + GAP) + GAP, TILE + 2 * GAP)] * 36
    at = np.array([levels(frame, 1, columns)[0] for frame in frames])
    walks = 1 if classes else columns
    stations = torch.randn(3 * walks, 8, generator=request.stream())[:, 0].reshape(3, walks)
    assert np.abs(at[[0, 12, 24]] - grey(stations.expand(3, columns) if classes else stations)).max() <= 1
    steps = np.abs(np.diff(at, axis=0, append=at[:1]))
    assert 0 < steps.max() < 40  # no jump, the way home included
    if classes:
        assert (at == at[:, :1]).all()


def test_the_plane_of_two_latents_is_shown_by_quantiles():
    class Second(Showing):
        def forward(self, z, labels=None):
            return super().forward(z.flip(1))

    request = Request(n=25)
    quantiles = torch.special.ndtri(torch.linspace(0.02, 0.98, 5))
    (across,), (down,) = latent_map(game(), DIGITS, request), latent_map(game(Second()), DIGITS, request)
    assert np.abs(levels(across, 5, 5) - grey(quantiles)).max() <= 1
    assert np.abs(levels(down, 5, 5) - grey(quantiles.flip(0))[:, None]).max() <= 1
    (uniform,) = latent_map(game(prior="uniform"), DIGITS, request)
    assert np.abs(levels(uniform, 5, 5) - grey(torch.linspace(-0.96, 0.96, 5))).max() <= 1


def test_three_latents_span_a_plane_of_more_dimensions():
    request = Request(n=25, seed=3)
    (picture,) = latent_map(game(latent=5), DIGITS, request)
    found, corners = levels(picture, 5, 5), torch.randn(3, 5, generator=request.stream())[:, 0]
    assert np.abs([found[0, 0], found[0, 4], found[4, 0]] - grey(corners)).max() <= 1
    middle = (corners[0] + corners[1]) / math.sqrt(2)  # as long as a latent, not as their mean
    assert abs(found[0, 2] - grey(middle)) <= 1


def test_spherical_interpolation_keeps_the_length():
    a, b = torch.tensor([[3.0, 0.0], [1.0, 0.0]]), torch.tensor([[0.0, 3.0], [2.0, 0.0]])
    middle = spherical(a, b, 0.5)
    assert torch.allclose(middle[0], torch.tensor([3.0, 3.0]) / math.sqrt(2))
    assert torch.allclose(middle[1], torch.tensor([1.5, 0.0]))  # parallel: straight
    for share, end in ((0.0, a), (1.0, b)):
        assert torch.allclose(spherical(a, b, share), end, atol=1e-6)
    nearly = spherical(torch.tensor([[1.0, 0.01]]), torch.tensor([[-2.0, 0.0]]), 0.3)
    assert nearly.norm() == pytest.approx(1.3, abs=1e-3)
    opposite = spherical(torch.tensor([[1.0, 0.0]]), torch.tensor([[-1.0, 0.0]]), 0.25)
    assert torch.allclose(opposite, torch.tensor([[0.5, 0.0]]))


def test_nearest_images_by_hand():
    images = torch.tensor([0, 100, 255], dtype=torch.uint8)[:, None, None, None].expand(3, 1, 2, 2)
    distance, index = nearest_images(images + torch.tensor(0, dtype=torch.uint8), images[[2, 0]])
    assert distance.tolist() == [0, 100, 0]
    assert index.tolist() == [1, 1, 0]


def test_nearest_images_are_looked_for_a_part_at_a_time(monkeypatch):
    images, among = (torch.randint(256, (n, 3, 5, 5), dtype=torch.uint8) for n in (40, 300))
    whole = torch.cdist(images.flatten(1).double(), among.flatten(1).double()).min(1)
    for values in (1, 7 * 75, 2**22):  # an image, seven of them, all
        monkeypatch.setattr(generation, "_AT_ONCE", values)
        distance, index = nearest_images(images, among)
        assert torch.equal(index, whole.indices)
        torch.testing.assert_close(distance, (whole.values / 75**0.5).float(), rtol=1e-5, atol=1e-4)


def test_copies_stand_above_their_originals():
    class Copying(nn.Module):
        def forward(self, z, labels=None):
            return to_float(DIGITS.train.arrays["image"][: len(z)])

    (picture,) = neighbours(game(Copying()), DIGITS, Request(n=4))
    pairs = tiles(DIGITS.train.arrays["image"][[0, 1, 2, 3, 0, 1, 2, 3]], 4)
    found = np.asarray(picture)
    top = next(y for y in range(found.shape[0]) if (found[y : y + pairs.height] == np.asarray(pairs)).all())
    assert top > 0  # words above
    assert found.shape[0] > top + pairs.height  # and below


def test_unseen_images_are_drawn_from_the_whole_test_split(monkeypatch):
    copies = torch.zeros(500, 1, 8, 8, dtype=torch.uint8)  # a folder's split is sorted by class
    test = Split({"image": torch.cat([copies, copies + 200, copies + 200, copies + 200])})
    compared = []

    def listening(images, among, *values):
        compared.append(images)
        return nearest_images(images, among, *values)

    monkeypatch.setattr(generation, "nearest_images", listening)
    neighbours(game(), replace(DIGITS, test=test), Request(n=4))
    unseen = compared[1]
    assert len(unseen) == 500
    assert 0.65 < (unseen == 200).double().mean() < 0.85


def test_words_do_not_hide_the_samples_of_points():
    (line,) = draw(game_of_points(1), gaussian_1d(n=10), Request(n=100))
    (plane,) = draw(game_of_points(2), grid25(n=10), Request(n=100))
    assert line.size == (640, 400)
    for picture in (line, plane):
        assert (np.asarray(picture) == (44, 160, 44)).all(-1).sum() > 50  # the generator's green
    with pytest.raises(ValueError, match="can't draw 'density'"):
        draw(game(), DIGITS, Request(), "density")


def game_of_points(dimension):
    torch.manual_seed(0)
    played = game(mlp.Generator(2, [dimension], 8, output="identity"))
    played.discriminator = mlp.Discriminator([dimension], 8)
    return played
