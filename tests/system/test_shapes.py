"""Pictures that are no squares, and of as many channels as there are, through whole runs."""

import json
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from forger import cli
from forger.callbacks.scoring import Scoring
from forger.errors import ConfigError
from forger.games.super_resolution import SuperResolutionGame
from forger.lifecycle.restore import restored
from forger.metrics.functional.image_quality import luma
from forger.pictures.false_colors import visible
from forger.pictures.image_files import tiles
from forger.run_folder import RunFolder
from running import trained
from system import small_data

SHORT = (
    *("budget.images=128", "data.batch_size=16", "metrics.n=16", "metrics.every_images=64", "samples.n=9"),
    *(
        "checkpoint.every_images=64",
        "samples.every_images=64",
        "model.generator.width=8",
        "model.discriminator.width=8",
    ),
)
KINDS = {"12x20": (12, 20, 1), "16x24x7": (16, 24, 7)}


def blobs(height, width, channels, n=160):
    """uint8 (n, h, w, c): a soft spot in each channel."""
    places = np.random.default_rng(0).uniform(2, [height - 2, width - 2], (n, channels, 2))
    y, x = np.mgrid[:height, :width]
    distance = (y - places[..., 0, None, None]) ** 2 + (x - places[..., 1, None, None]) ** 2
    return np.round(255 * np.exp(-distance / 6)).astype(np.uint8).transpose(0, 2, 3, 1)


@pytest.fixture(scope="module", params=KINDS)
def run(request, tmp_path_factory) -> tuple[RunFolder, tuple[int, ...]]:
    root = tmp_path_factory.mktemp(request.param)
    np.save(root / "a.npy", blobs(*KINDS[request.param]))
    return trained(root, "data=files", f"data.root={root}/a.npy", "model=dcgan", *SHORT), KINDS[request.param]


def test_they_train_and_go_on_to_the_same_bits(run, tmp_path, monkeypatch):
    whole, (height, width, _) = run
    record = whole.read()
    assert "fd_random" in record.scores["final"]
    overrides = ("data=files", f"data.root={whole.path.parents[1]}/a.npy", "model=dcgan", *SHORT)
    with monkeypatch.context() as patch:
        patch.setattr(Scoring, "published", lambda *_: signal.raise_signal(signal.SIGINT))
        trained(tmp_path, *overrides, code=130)
    again = trained(tmp_path, *overrides).read()
    assert (again.id, again.weights_sha256, again.scores) == (record.id, record.weights_sha256, record.scores)
    tile = (max(1, 48 // width) * width + 2, max(1, 48 // width) * height + 2)
    with Image.open(whole.samples / "000000128.png") as picture:
        assert picture.size == (3 * tile[0] + 2, 3 * tile[1] + 2)


def test_their_samples_are_written_and_scored(run, tmp_path, capsys):
    whole, shape = run
    fakes = str(tmp_path / "a.npz")
    scored = ("--extractor", "random", "--scores", "fd", "--json", "--trust")
    assert cli.main(["sample", str(whole.path), "--what", "raw", "--n", "12", "--out", fakes]) == 0
    assert np.load(fakes)["samples"].shape == (12, *shape)
    capsys.readouterr()
    assert cli.main(["evaluate", fakes, "--reference", fakes, *scored]) == 0
    assert json.loads(capsys.readouterr().out)["scores"]["fd_random"]["value"] == pytest.approx(0, abs=1e-3)
    assert cli.main(["evaluate", str(whole.path), *scored]) == 0
    assert json.loads(capsys.readouterr().out)["scores"]["fd_random"]["value"] > 1


@pytest.mark.parametrize(
    ("source", "size", "model"),
    [
        (small_data.fashion, [12, 20], "cgan"),
        (small_data.cifar, [24, 40], "gan"),
        (small_data.emoji, [20, 12], "gan"),
        (small_data.inverted, [12, 20], "cyclegan"),
    ],
    ids=["fashion_mnist", "cifar10", "emoji", "fashion_inverted"],
)
def test_published_sets_have_any_height_and_width(source, size, model, tmp_path, monkeypatch):
    found = source(tmp_path, monkeypatch)
    short = ("budget.images=32", "data.batch_size=16", "metrics.n=16", "samples.every_images=null")
    overrides = [override for override in (*found, *short) if not override.startswith("data.size")]
    run = trained(tmp_path / "runs", *overrides, f"data.size=[{size[0]},{size[1]}]", f"model={model}")
    assert run.read().status == "finished"
    assert restored(run.path, trust=True).data.shape[1:] == tuple(size)


def test_inception_refuses_what_it_can_not_see_before_training(run, tmp_path):
    whole, (_, _, channels) = run
    if channels == 7:
        place = f"data.root={whole.path.parents[1]}/a.npy"
        line = r"^data\.extractor=inception: it takes grey or RGB images, got 7 channels$"
        with pytest.raises(ConfigError, match=line):
            trained(tmp_path, "data=files", place, "model=dcgan", "data.extractor=inception", *SHORT)


def test_false_colours():
    """Two channels are red and cyan; equal channels are grey; three are RGB, four RGBA."""
    red = torch.zeros(1, 2, 1, 1, dtype=torch.uint8)
    red[:, 0] = 200
    assert visible(red).flatten().tolist() == [200, 0, 0]
    assert visible(red.flip(1)).flatten().tolist() == [0, 200, 200]
    for channels in (2, 5, 7, 16):
        assert visible(torch.full((1, channels, 2, 3), 90, dtype=torch.uint8)).unique().tolist() == [90]
    six = torch.zeros(1, 6, 1, 1, dtype=torch.uint8)
    six[:, 2] = 240  # green, the third of six hues: of G's weights 1 + 1 + 1 + 0 + 0 + 0 it has one
    assert visible(six).flatten().tolist() == [0, 80, 0]
    pictures = torch.randint(256, (2, 4, 3, 5), dtype=torch.uint8)
    assert torch.equal(visible(pictures), pictures[:, :3])
    assert torch.equal(visible(pictures[:, :3]), pictures[:, :3])


def test_tiles_are_as_high_and_wide_as_pictures():
    assert tiles(torch.zeros(4, 7, 12, 20, dtype=torch.uint8)).size == (2 * (40 + 2) + 2, 2 * (24 + 2) + 2)


def test_content_features_see_channels_that_are_no_colours_one_by_one():
    def content(images):
        assert images.shape[1] == 3
        return images.mean((1, 2, 3))

    game = SimpleNamespace(_content=(content,))
    images = torch.rand(2, 7, 4, 6)
    assert torch.allclose(SuperResolutionGame._features(game, images), images.mean((2, 3)).flatten())
    assert torch.equal(SuperResolutionGame._features(game, images[:, :3]), content(images[:, :3]))


def test_luma_of_channels_that_are_no_colours_is_their_mean():
    images = torch.randint(256, (2, 7, 4, 6), dtype=torch.uint8)
    assert torch.allclose(luma(images), images.double().mean(1))
    assert torch.equal(luma(images[:, :1]), images[:, 0].double())
    assert torch.equal(luma(images[:, :4]), luma(images[:, :3]))
