"""Pictures of one shape made to fit another: heights and widths that differ, and as many channels as there are."""

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from data.pictures import write
from forger.data.files import files, seen
from forger.data.folders import image_folder
from forger.data.pixels.decoding import decode
from forger.data.pixels.layout import Layout, Pixels, centred
from forger.data.pixels.planes import Planes

#: How a TIFF is written whose pixels lie together.
MANY = {"photometric": "minisblack", "planarconfig": "contig"}


def picture(width, height, channels=3):
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, channels), np.uint8)
    return Image.fromarray(pixels) if channels == 3 else Planes(pixels)


def of(picture):
    return np.asarray(picture.pixels if isinstance(picture, Planes) else picture)


@pytest.mark.parametrize("channels", [3, 7])
@pytest.mark.parametrize(("width", "height"), [(30, 12), (20, 40), (7, 5), (200, 120)])
def test_crop_is_the_middle_of_the_wanted_proportions(width, height, channels):
    fitted = of(Layout.of(channels, [12, 20]).fitted(picture(width, height, channels)))
    assert fitted.shape == (12, 20, channels)
    box = {(30, 12): (5, 0, 25, 12), (20, 40): (0, 14, 20, 26), (7, 5): (0, 0, 7, 4), (200, 120): (0, 0, 200, 120)}
    assert centred(width, height, 20, 12) == box[width, height]
    if box[width, height][2] - box[width, height][0] == 20:
        left, top, right, bottom = box[width, height]
        assert np.array_equal(fitted, of(picture(width, height, channels))[top:bottom, left:right])


def test_pad_keeps_the_whole_picture_on_the_colour_of_its_border():
    pixels = np.full((10, 10, 3), (10, 20, 30), np.uint8)
    pixels[3:7, 3:7] = 200
    pixels[0, :3] = 255  # a few others at the edge do not count
    fitted = of(Layout.of(3, [10, 20], "pad").fitted(Image.fromarray(pixels)))
    assert np.array_equal(fitted[:, 5:15], pixels)
    assert (fitted[:, :5] == (10, 20, 30)).all()
    assert (fitted[:, 15:] == (10, 20, 30)).all()
    grey = of(Layout.of(1, [4, 8], "pad").fitted(Image.new("L", (16, 16), 7)))
    assert grey.shape == (4, 8)
    assert (grey == 7).all()
    planes = of(Layout.of(7, [10, 12], "pad").fitted(picture(10, 10, 7)))
    assert np.array_equal(planes[:, 1:11], of(picture(10, 10, 7)))


def test_stretch_gives_up_the_proportions():
    columns = np.repeat(np.array([0, 255], np.uint8), 20)[None].repeat(12, 0)
    fitted = of(Layout.of(1, [12, 20], "stretch").fitted(Image.fromarray(columns)))
    assert fitted.shape == (12, 20)
    assert (fitted[:, :9] == 0).all()
    assert (fitted[:, 11:] == 255).all()


def test_none_refuses_another_size_in_one_line(tmp_path):
    write(tmp_path / "a.png", size=(20, 12))
    assert decode(tmp_path / "a.png", Layout.of(3, [12, 20], "none"))[0].shape == (3, 12, 20)
    line = r"a\.png: 20x12, but data\.size asks for 12x20 \(width x height\) and data\.fit=none resizes nothing$"
    with pytest.raises(ValueError, match=line):
        decode(tmp_path / "a.png", Layout.of(3, [20, 12], "none"))


def test_pictures_of_other_channels_are_refused_in_one_line(tmp_path):
    write(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"a\.png: 3 channels, but data\.channels=7$"):
        decode(tmp_path / "a.png", Pixels(7))
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 8, 7), np.uint8), **MANY)
    with pytest.raises(ValueError, match=r"a\.tif: 7 channels, but data\.channels=3$"):
        decode(tmp_path / "a.tif", Pixels(3))


@pytest.mark.parametrize("planarconfig", ["contig", "separate"])
@pytest.mark.parametrize("channels", [2, 5, 7, 16])
def test_tiffs_of_many_channels(tmp_path, channels, planarconfig):
    pixels = np.random.default_rng(channels).integers(0, 256, (12, 20, channels), np.uint8)
    stored = pixels if planarconfig == "contig" else pixels.transpose(2, 0, 1)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="minisblack", planarconfig=planarconfig)
    found, notes = decode(tmp_path / "a.tif", Layout.of(channels, [12, 20]))
    assert np.array_equal(found.permute(1, 2, 0), pixels)
    assert notes == []


def test_grey_pages_of_a_tiff_are_its_channels(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 12, 20), np.uint8)
    (tmp_path / "a").mkdir()
    tifffile.imwrite(tmp_path / "a" / "a.tif", pixels)
    assert seen(str(tmp_path / "a"))["channels"] == 5
    assert np.array_equal(decode(tmp_path / "a" / "a.tif", Pixels(5))[0], pixels)
    assert np.array_equal(decode(tmp_path / "a" / "a.tif", Pixels(1))[0], pixels[:1])


def test_a_fourth_channel_that_is_no_transparency_is_kept(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 4), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["unspecified"])
    assert np.array_equal(decode(tmp_path / "a.tif", Pixels(4))[0].permute(1, 2, 0), pixels)
    assert np.array_equal(decode(tmp_path / "a.tif", Pixels(3))[0].permute(1, 2, 0), pixels[..., :3])


def test_a_damaged_tiff_of_many_channels_is_named(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros((12, 20, 7), np.uint8), photometric="minisblack", planarconfig="contig"
    )
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"a\.tif: can't be read \(.+\): replace or remove it$"):
        decode(tmp_path / "a.tif", Pixels(7))


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 7, 16])
def test_arrays_of_any_channels_come_back_as_they_are(tmp_path, channels, first):
    pixels = np.random.default_rng(0).integers(0, 256, (30, 16, 24, channels), np.uint8)
    np.save(tmp_path / "a.npy", pixels.transpose(0, 3, 1, 2) if first else pixels)
    told = 3 if channels == 4 else channels  # RGBA: transparency is laid on white unless it is asked for
    assert seen(str(tmp_path / "a.npy")) == {"size": [16, 24], "channels": told, "depth": "uint8", "classes": 0}
    data = files(str(tmp_path / "a.npy"), [16, 24], channels, fit="none")
    found = np.concatenate([split.arrays["image"].permute(0, 2, 3, 1) for split in data.splits.values()])
    assert sorted(map(bytes, found)) == sorted(map(bytes, pixels))


def test_what_a_config_need_not_say(tmp_path):
    sizes = {"a": [(20, 12)], "b": [(178, 218)], "c": [(20, 12), (12, 20)], "d": [(30, 30)], "e": [(300, 100)]}
    for name, some in sizes.items():
        for index in range(4):
            write(tmp_path / name / f"{index}.png", size=some[index % len(some)])
    found = {name: seen(str(tmp_path / name))["size"] for name in sizes}
    assert found == {"a": [12, 20], "b": 128, "c": 8, "d": 30, "e": 64}


def test_a_fit_of_its_own_is_decoded_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("FORGER_CACHE", str(tmp_path / "cache"))
    for index in range(12):
        write(tmp_path / "a" / f"{index}.png", size=(20, 12), seed=index)
    found = {fit: image_folder(str(tmp_path / "a"), 12, fit=fit) for fit in ("crop", "pad", "stretch")}
    assert len({data.fingerprint for data in found.values()}) == 3
    again = image_folder(str(tmp_path / "a"), [12, 12])
    assert again.fingerprint == found["crop"].fingerprint
    assert torch.equal(again.train.arrays["image"], found["crop"].train.arrays["image"])
