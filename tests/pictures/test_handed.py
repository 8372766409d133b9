"""Pictures that are handed over: each becomes one of its own, under its own name."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from data.pictures import write
from forger.data.pixels.layout import Layout
from forger.data.pixels.ranges import to_float, to_uint8
from forger.pictures.handed import handed, made


def test_every_picture_keeps_its_name(tmp_path):
    for name in ("a.jpg", "more/b.png", "more/b.bmp", "c.d.png"):
        write(tmp_path / name)
    assert handed(tmp_path) == {
        tmp_path / "a.jpg": Path("a.png"),
        tmp_path / "c.d.png": Path("c.d.png"),
        tmp_path / "more/b.bmp": Path("more/b.bmp.png"),
        tmp_path / "more/b.png": Path("more/b.png.png"),
    }
    assert handed(tmp_path / "a.jpg") == {tmp_path / "a.jpg": Path("a.png")}


def test_enlarged_in_its_own_size(tmp_path):
    game = SimpleNamespace(scale=2, enlarge=lambda x: x.repeat_interleave(2, 2).repeat_interleave(2, 3))
    pixels = write(tmp_path / "a.png", size=(30, 20))
    picture = made(game, "enlargements", tmp_path / "a.png", Layout(3, 8, 8))
    assert np.array_equal(picture.permute(1, 2, 0), pixels.repeat(2, 0).repeat(2, 1))


@pytest.mark.parametrize(("name", "ways"), [("translations", ["ab"]), ("cycles", ["ab", "ba"])])
def test_translated_as_a_square_of_the_datas_size(tmp_path, name, ways):
    Image.new("RGB", (20, 12), (10, 10, 10)).save(tmp_path / "a.png")
    seen = []
    game = SimpleNamespace(translate=lambda x, way="ab": seen.append((x.shape, way)) or -x)
    picture = made(game, name, tmp_path / "a.png", Layout(1, 8, 8))
    assert seen == [((1, 1, 8, 8), way) for way in ways]
    assert picture.shape == (1, 8, 8)
    assert picture.unique().tolist() == ([245] if len(ways) == 1 else [10])


def test_reconstructed(tmp_path):
    pixels = write(tmp_path / "a.png", size=(8, 8), mode="L")
    game = SimpleNamespace(reconstruct=lambda x: x * 0.5)
    picture = made(game, "reconstructions", tmp_path / "a.png", Layout(1, 8, 8))
    expected = to_uint8(to_float(torch.from_numpy(pixels)[None, None]) * 0.5)[0, 0]
    assert torch.equal(picture[0], expected)
