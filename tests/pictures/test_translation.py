"""Pictures of translations: what is on them, and in which order."""

from types import SimpleNamespace

import numpy as np
import pytest
from torch import nn

from forger.data.dataset import Data, Split
from forger.data.pairs import digits_inverted
from forger.games.cycle import CycleGame
from forger.losses.adversarial import least_squares
from forger.pictures import drawable
from forger.pictures.request import Request
from forger.pictures.translation import cycles, translations

TILE, GAP = 48, 2
STEP = TILE + GAP
GAME = SimpleNamespace(translate=lambda x, way="ab": -x, directions=("ab", "ba"))


def rows(picture, count, columns):
    """The lowest `count` rows of tiles, as arrays."""
    pixels = np.asarray(picture.convert("L"))[:, -columns * STEP :]
    bottom = len(pixels) - GAP
    return [pixels[bottom - (i + 1) * STEP + GAP : bottom - i * STEP, :-GAP] for i in range(count)][::-1]


def test_a_game_draws_translations_first():
    game = CycleGame(*[nn.Identity() for _ in range(4)], least_squares, {})
    assert drawable(game, digits_inverted()) == ("translations", "cycles")


def test_each_image_stands_above_its_translation():
    (picture,) = translations(GAME, digits_inverted(), Request(n=6))
    b, back = rows(picture, 2, 6)
    inside = np.s_[: TILE // 2, : TILE // 2]
    assert (b[inside] == 255 - back[inside]).all()
    assert picture.height > 5 * STEP
    assert picture.width > 6 * STEP


def test_data_without_truth_have_a_row_less():
    known = digits_inverted()
    unknown = Split({"image": known.test.arrays["image"]}, known.test.independent)
    data = Data("unpaired", known.train, known.validation, unknown)
    (with_truth,), (without,) = (translations(GAME, each, Request(n=3)) for each in (known, data))
    assert STEP - 1 <= with_truth.height - without.height <= 2 * STEP


def test_cycles_come_back():
    (picture,) = cycles(GAME, digits_inverted(), Request(n=4))
    first, there, again = rows(picture, 3, 4)
    assert (first == again).all()
    assert (first != there).any()


def test_only_the_labels_asked_for():
    seen = []
    game = SimpleNamespace(translate=lambda x, way="ab": seen.append((x, way)) or x, directions=("ab", "ba"))
    data = digits_inverted()
    translations(game, data, Request(n=5, labels=(3,)))
    images = data.test.arrays["image"][data.test.arrays["label"] == 3].float() / 127.5 - 1
    (shown, way), *_ = seen
    assert way == "ab"
    assert all((images - each).abs().amax((1, 2, 3)).min() < 1e-6 for each in shown)
    with pytest.raises(ValueError, match="no test image has the labels"):
        translations(GAME, data, Request(n=5, labels=(12,)))


def test_the_same_seed_shows_the_same_images():
    one, two, other = (translations(GAME, digits_inverted(), Request(n=5, seed=seed))[0] for seed in (0, 0, 1))
    assert one.tobytes() == two.tobytes() != other.tobytes()
