"""Pictures of autoencoders: what is on them, and for whom."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from forger.data.dataset import Data, Split
from forger.data.images import digits
from forger.games.autoencoder import AutoencoderGame
from forger.games.base import Player
from forger.games.variational import VariationalGame
from forger.networks.autoencoders import MLP
from forger.pictures import draw
from forger.pictures.autoencoding import codes, reconstructions
from forger.pictures.request import Request

TILE, GAP = 48, 2


def game(latent=2, kind=AutoencoderGame, variational=False, **options):
    torch.manual_seed(0)
    net = MLP([1, 8, 8], latent, [16], variational)
    return kind(net, {"autoencoder": Player(partial(torch.optim.Adam, lr=1e-3))}, **options)


def size(picture, rows, columns):
    """The picture without its words is `rows` × `columns` tiles."""
    return picture.width > columns * (TILE + GAP) and rows * (TILE + GAP) < picture.height < (rows + 1) * (TILE + GAP)


@pytest.mark.parametrize(
    ("options", "rows"),
    [({}, 3), ({"noise": 0.25}, 4), ({"latent": 80}, 2)],
    ids=["beside PCA", "beside Wiener", "too wide for PCA"],
)
def test_each_image_stands_above_what_is_left_of_it(options, rows):
    (picture,) = reconstructions(game(**options), digits(), Request(n=6))
    assert size(picture, rows, 6)


def test_a_perfect_reconstruction_repeats_its_row():
    played = game()
    played.encode = played.decode = lambda x: x
    (picture,) = reconstructions(played, digits(), Request(n=5))
    tiles = np.asarray(picture)[-3 * (TILE + GAP) :, -5 * (TILE + GAP) :]
    assert (tiles[: TILE + GAP] == tiles[TILE + GAP : 2 * (TILE + GAP)]).all()
    assert (tiles[: TILE + GAP] != tiles[2 * (TILE + GAP) :]).any()


def test_many_images_take_several_blocks():
    (picture,) = reconstructions(game(), digits(), Request(n=45))
    assert 9 * (TILE + GAP) < picture.height < 10 * (TILE + GAP)


def test_the_same_seed_draws_the_same_images_and_labels_choose_among_them():
    pictures = [reconstructions(game(), digits(), Request(n=5, seed=seed))[0] for seed in (0, 0, 1)]
    assert pictures[0].tobytes() == pictures[1].tobytes() != pictures[2].tobytes()
    data = digits()
    three = data.test.arrays["label"] == 3
    only = Data("threes", data.train, data.validation, Split({k: v[three] for k, v in data.test.arrays.items()}))
    (asked,) = reconstructions(game(), data, Request(n=5, labels=(3,)))
    (known,) = reconstructions(game(), only, Request(n=5))
    assert asked.tobytes() == known.tobytes()
    with pytest.raises(ValueError, match="no test image of digits has the labels"):
        reconstructions(game(), data, Request(labels=(11,)))


@pytest.mark.parametrize("latent", [1, 2, 5])
def test_the_map_of_codes(latent):
    (picture,) = codes(game(latent), digits(), Request())
    assert picture.size == (960, 840)
    colours = {tuple(pixel) for pixel in np.asarray(picture).reshape(-1, 3)}
    assert (31, 119, 180) in colours  # label 0, "tab:blue"


def test_the_map_of_codes_shows_every_class_of_a_large_sorted_split():
    data = digits()
    order = data.test.arrays["label"].argsort(stable=True).repeat_interleave(5)
    large = replace(data, test=Split({name: array[order] for name, array in data.test.arrays.items()}))
    (picture,) = codes(game(2), large, Request())
    assert (23, 190, 207) in {tuple(pixel) for pixel in np.asarray(picture).reshape(-1, 3)}  # label 9, "tab:cyan"


def test_the_map_of_codes_without_labels():
    data = digits()
    parts = [Split({"image": split.arrays["image"]}) for split in (data.train, data.validation, data.test)]
    (picture,) = codes(game(), Data("unlabelled", *parts), Request())
    assert picture.size == (960, 840)


@pytest.mark.parametrize("name", ["reconstructions", "codes", "latent-map", "walk"])
@pytest.mark.parametrize("kind", [AutoencoderGame, VariationalGame])
def test_both_games_draw_what_they_say(kind, name):
    played = game(kind=kind, variational=kind is VariationalGame)
    frames = draw(played, digits(), Request(n=4), name)
    assert len(frames) == (4 if name == "walk" else 1)
