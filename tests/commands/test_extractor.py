"""`forger extractor` of pictures that are deep, no squares and of several channels."""

import json

import numpy as np
import pytest
import torch

from commands.evaluating import refused, scores
from forger import cli
from forger.commands.extractor import execution as command
from forger.data.pixels.ranges import ValueRange
from forger.metrics.features.classifier import Shape
from forger.metrics.features.extractors import build
from running import trained

#: Lowest and highest value of a picture, and numbers of pictures.
LOW, HIGH, N = -1000.0, 3000.0, 240


def pictures():
    """Float (n, 12, 20, 2): a spot in the first channel or in the second, which is the class."""
    rng = np.random.default_rng(0)
    labels = np.arange(N) % 2
    y, x = np.mgrid[:12, :20]
    across, down = rng.uniform(3, 17, (N, 1, 1)), rng.uniform(3, 9, (N, 1, 1))
    spots = 2500 * np.exp(-((x - across) ** 2 + (y - down) ** 2) / 6)
    made = np.stack([spots * (1 - labels)[:, None, None], spots * labels[:, None, None]], axis=-1).astype(np.float32)
    made[:, 0, 0], made[:, 11, 19] = LOW, HIGH
    return made, labels


@pytest.fixture
def file(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FORGER_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "SHOWN", 4_000)
    images, labels = pictures()
    np.savez(tmp_path / "spots.npz", images=images, labels=labels)
    assert cli.main(["extractor", "data=files", "data.root=spots.npz", "-o", "own.safetensors"]) == 0
    assert "right: 100.00% of " in capsys.readouterr().out
    return tmp_path / "own.safetensors"


def test_it_sees_the_same_whichever_way_pictures_arrive(file, tmp_path, capsys):
    extractor = build(str(file))
    assert extractor.shape == Shape.of(2, (12, 20), 2)
    images = torch.from_numpy(pictures()[0][:40]).permute(0, 3, 1, 2).contiguous()
    expected = extractor.network((images - LOW) / (HIGH - LOW))
    for values in (ValueRange(LOW, HIGH, torch.float32), ValueRange(-9000, 9000, torch.float32)):
        torch.testing.assert_close(tuple(extractor.of(values)(images)), expected)

    overrides = ("data=files", "data.root=spots.npz", "model=gan", "data.extractor=own.safetensors")
    short = ("budget.images=64", "metrics.n=16", "samples.every_images=null", "data.batch_size=16")
    run = trained(tmp_path / "runs", *overrides, *short)
    passport = run.read().scores["final"]["fd_own"]["passport"]
    assert passport["weights_sha256"] == extractor.weights_sha256
    assert passport["preprocessing"].startswith("float32 from -1000 to 3000 as 0 to 255")

    # Half of the pictures against the other half: a file, a folder of arrays, and with a wider range that is stated.
    halves = [part.permute(0, 2, 3, 1).numpy() for part in torch.from_numpy(pictures()[0]).permute(0, 3, 1, 2).chunk(2)]
    np.save("fake.npy", halves[0])
    np.save("real.npy", halves[1])
    (tmp_path / "fakes").mkdir()
    for index, picture in enumerate(halves[0]):
        np.save(tmp_path / "fakes" / f"{index:03}.npy", picture)
    np.savez("fake.npz", samples=halves[0], range=np.array([-5000.0, 5000.0]))
    by_own = ("--reference", "real.npy", "--extractor", "own.safetensors", "--scores", "fd,is")
    found = [scores(capsys, place, *by_own) for place in ("fake.npy", "fakes", "fake.npz")]
    assert {json.dumps({name: score["value"] for name, score in each.items()}) for each in found} == {
        json.dumps({name: score["value"] for name, score in found[0].items()})
    }
    assert {score["passport"]["preprocessing"] for each in found for score in each.values()} == {
        passport["preprocessing"]
    }

    np.save("eight.npy", (halves[0] > 0).astype(np.uint8) * 255)
    line = refused(capsys, "eight.npy", "--reference", "eight.npy", "--extractor", "own.safetensors")
    assert "own extractor was trained on float32 from -1000 to 3000, and these are uint8 from 0 to 255" in line
    np.save("square.npy", halves[0][:, :, :12])
    line = refused(capsys, "square.npy", "--reference", "square.npy", "--extractor", "own.safetensors")
    assert "takes 2-channel 12x20 images, got 2-channel 12x12 images" in line
