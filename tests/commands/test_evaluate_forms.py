"""`forger evaluate` of bare pictures in the form that they have: as deep, wide and many-channelled as they are."""

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from commands.evaluating import npz, refused, scores
from data import deep
from forger import cli
from forger.metrics.features.untrained import UntrainedNetwork
from forger.metrics.functional.frechet import frechet_distance, moments
from metrics.doubles import random_inception

BY_FD = ("--extractor", "random", "--scores", "fd")


def pictures(shape, seed, dtype=np.uint16, low=0, high=60_000):
    """Spots of many levels (n, h, w) or (n, h, w, c)."""
    n, height, width, *channels = shape
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    places = rng.uniform(1, [height - 1, width - 1], (n, *(channels or [1]), 2))
    distance = (y - places[..., 0, None, None]) ** 2 + (x - places[..., 1, None, None]) ** 2
    spots = (low + (high - low) * np.exp(-distance / 9)).transpose(0, 2, 3, 1)
    return (spots if channels else spots[..., 0]).astype(dtype)


def arrays(root, given):
    """Each picture as a .npy of its own, as `forger sample` writes what no picture file holds."""
    return deep.folder(root / "arrays", given, np.save, ".npy")


def bands(root, given):
    """Each channel as a page of a TIFF."""
    return deep.folder(root / "bands", given, lambda path, pixels: tifffile.imwrite(
        path, pixels.transpose(2, 0, 1), photometric="minisblack"), ".tif")  # fmt: skip


def distance(fakes, reals, low, high):
    """The Fréchet distance of arrays (n, h, w, c), by the extractor's network itself."""
    seen = (torch.from_numpy((part.astype(np.float64) - low) / (high - low) * 2 - 1) for part in (fakes, reals))
    network = UntrainedNetwork()
    return frechet_distance(*(
        moment for part in seen for moment in moments(network(part.float().clamp(-1, 1).permute(0, 3, 1, 2)))
    ))  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "forms"),
    [
        ((24, 12, 20), (deep.npy, arrays, deep.png, deep.tiff, deep.npz)),
        ((24, 8, 8, 3), (deep.npy, arrays, deep.png, deep.tiff)),
        ((24, 16, 12, 7), (deep.npy, arrays, bands)),
    ],
    ids=["12x20", "colour", "7 channels"],
)
def test_16_bits_in_any_form_are_scored_alike(shape, forms, tmp_path, capsys):
    fakes, reals = pictures(shape, 1), pictures(shape, 2)
    expected = distance(*(part.reshape(*shape[:3], -1) for part in (fakes, reals)), 0, 65535)
    references = [form(folder(tmp_path, f"reals{index}"), reals) for index, form in enumerate(forms)]
    for index, form in enumerate(forms):
        place = form(folder(tmp_path, f"fakes{index}"), fakes)
        found = scores(capsys, place, "--reference", references[index - 1], *BY_FD)["fd_random"]
        assert found["value"] == pytest.approx(expected, rel=1e-4), form
        assert found["passport"]["preprocessing"].startswith("uint16 from 0 to 65535 as 0 to 255, not rounded")
    # Half a level of 8 bits is seen.
    fakes += np.uint16(128)
    place = deep.npy(folder(tmp_path, "brighter"), fakes)
    shifted = scores(capsys, place, "--reference", references[0], *BY_FD)["fd_random"]["value"]
    brighter = distance(*(part.reshape(*shape[:3], -1) for part in (fakes, reals)), 0, 65535)
    assert shifted == pytest.approx(brighter, rel=1e-4)
    assert shifted != pytest.approx(expected, rel=1e-3)


def folder(root, name):
    (root / name).mkdir()
    return root / name


def test_floats_have_the_references_range(tmp_path, capsys):
    fakes, reals = (pictures((24, 12, 20), seed, np.float64, -900 - seed, 2000 + seed).round() for seed in (1, 2))
    low, high = reals.min(), reals.max()
    expected = distance(fakes[..., None], reals[..., None], low, high)
    tomograms = deep.tomograms(folder(tmp_path, "reals"), reals)
    plain = deep.npy(folder(tmp_path, "plain"), reals.astype(np.float32))
    fake = deep.npy(tmp_path, fakes.astype(np.int16))
    for reference in (tomograms, plain):
        found = scores(capsys, fake, "--reference", reference, *BY_FD)["fd_random"]
        assert found["value"] == pytest.approx(expected, rel=1e-4)
        assert found["passport"]["preprocessing"].startswith(f"float32 from {low:g} to {high:g} as")
    # A range that one side states is that of both, whichever it is.
    stated = npz(tmp_path, fakes[..., None].astype(np.float32), range=np.array([-2000.0, 3000.0]))
    within = distance(fakes[..., None], reals[..., None], -2000, 3000)
    assert scores(capsys, stated, "--reference", plain, *BY_FD)["fd_random"]["value"] == pytest.approx(within, rel=1e-4)
    of = npz(tmp_path, reals[..., None].astype(np.float32), "of.npz", range=np.array([-2000.0, 3000.0]))
    assert scores(capsys, fake, "--reference", of, *BY_FD)["fd_random"]["value"] == pytest.approx(within, rel=1e-4)
    other = npz(tmp_path, reals[..., None].astype(np.float32), "other.npz", range=np.array([-1000.0, 3000.0]))
    line = refused(capsys, stated, "--reference", other, *BY_FD)
    assert "images.npz has pixels of float32 from -2000 to 3000, the reference other.npz of float32 from -1000" in line


def test_transparency_is_a_channel_where_the_reference_has_it(tmp_path, capsys):
    fakes, reals = (pictures((24, 8, 8, 4), seed, np.uint8, 0, 255) for seed in (1, 2))
    place, reference = deep.png(tmp_path, fakes), npz(tmp_path, reals)
    found = scores(capsys, place, "--reference", reference, *BY_FD)["fd_random"]["value"]
    assert found == pytest.approx(distance(fakes, reals, 0, 255), rel=1e-4)
    on_white = np.stack([np.array(Image.alpha_composite(Image.new("RGBA", (8, 8), "white"), Image.fromarray(fake)))
                         for fake in fakes])[..., :3]  # fmt: skip
    found = scores(capsys, place, "--reference", npz(tmp_path, reals[..., :3]), *BY_FD)["fd_random"]["value"]
    assert found == pytest.approx(distance(on_white, reals[..., :3], 0, 255), rel=1e-4)


def test_what_does_not_fit_is_one_line(tmp_path, capsys):
    wide = deep.png(folder(tmp_path, "wide"), pictures((20, 12, 20), 1))
    high = deep.npy(folder(tmp_path, "high"), pictures((20, 20, 12), 1))
    assert "wide/png has images of 20x12, the reference pictures.npy of 12x20" in refused(
        capsys, wide, "--reference", high, *BY_FD
    )
    shallow = deep.npy(folder(tmp_path, "shallow"), pictures((20, 12, 20), 1, np.uint8, 0, 255))
    line = refused(capsys, wide, "--reference", shallow, *BY_FD)
    assert "png has pixels of uint16 from 0 to 65535, the reference pictures.npy of uint8 from 0 to 255" in line
    seven = arrays(folder(tmp_path, "seven"), pictures((20, 12, 20, 7), 1, np.uint8, 0, 255))
    assert "has 7 channels, the reference pictures.npy 1" in refused(capsys, seven, "--reference", shallow, *BY_FD)
    weights = random_inception(tmp_path)
    for place, said in ((seven, "takes grey or RGB images, got 7 channels"), (wide, "takes pictures of 8 bits")):
        options = ("--reference", place, "--extractor", "inception", "--weights", weights)
        assert cli.main(["evaluate", *map(str, (place, *options))]) == 2
        assert said in capsys.readouterr().err.splitlines()[-1]  # after one on weights that nobody published
    absent = ("--extractor", "inception", "--weights", tmp_path / "none.pth")  # which is not looked for
    assert "extractor takes pictures of 8 bits" in refused(capsys, wide, "--reference", wide, *absent)
    (seven / "003.npy").write_bytes((seven / "003.npy").read_bytes()[:-9])
    assert "seven/arrays/003.npy: can't be read" in refused(capsys, seven, "--reference", shallow, *BY_FD)
    np.save(seven / "003.npy", np.zeros((20, 12, 20, 7), np.uint8))
    assert "seven/arrays/003.npy: an array of shape (20, 12, 20, 7); one picture is" in refused(
        capsys, seven, "--reference", shallow, *BY_FD
    )
    nan = pictures((20, 12, 20), 1, np.float32)
    nan[4, 3, 2] = np.nan
    assert "pictures.npy: array[4]: its pixels hold NaN" in refused(
        capsys, deep.npy(tmp_path, nan), "--reference", shallow, *BY_FD
    )
