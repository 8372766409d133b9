"""Arrays that are deeper than 8 bits, several labels and enlargements, through `forger.Run`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import forger
from forger import cli
from forger.data.images import digits
from forger.lifecycle.restore import restored
from running import trained

LITTLE = ("budget.images=96", "metrics=none", "watch.action=none", "data.batch_size=16", "samples.every_images=null")
FORMS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "uint16": lambda image: image.astype(np.uint16) * 257,
    "float32": lambda image: image.astype(np.float32) * 3.7 - 40,
}


@pytest.fixture(scope="module", params=FORMS)
def place(request, tmp_path_factory) -> Path:
    """Digits of another depth, each with an attribute and a number: whether it is even, and the mean of its pixels."""
    arrays, data = {}, digits()
    for name, split in {"train": data.train, "val": data.validation, "test": data.test}.items():
        label, image = (split.arrays[key][:100].numpy() for key in ("label", "image"))
        arrays |= {f"even_{name}": label % 2 == 0, f"ink_{name}": image.mean((1, 2, 3), dtype=np.float64)}
        arrays[f"x_{name}"] = FORMS[request.param](image)
    path = tmp_path_factory.mktemp("written") / f"{request.param}.npz"
    np.savez(path, **arrays)
    return path


@pytest.fixture(scope="module")
def run(place, tmp_path_factory) -> forger.Run:
    given = ("data=files", f"data.root={place}", "data.label=[even,ink]", "model=cgan")
    return forger.load(trained(tmp_path_factory.mktemp("runs"), *given, *LITTLE).path, data_root=place)


def test_conditions_are_those_of_the_command(run, place, tmp_path):
    given = {"even": True, "ink": 70}
    ours = run.sample(4, conditions=[given, {"even": False}], seed=1)
    asked = ("--condition", "even=1,ink=70", "--condition", "even=0", "--n", "4", "--seed", "1")
    out = tmp_path / "raw.npz"
    assert cli.main(["sample", str(run.path), f"data.root={place}", "--what", "raw", "--out", str(out), *asked]) == 0
    with np.load(out) as arrays:
        assert ours.dtype == arrays["samples"].dtype == place.stem
        np.testing.assert_array_equal(ours, arrays["samples"].transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(run.sample(2, conditions=given), run.sample(2, conditions=[given]))
    whole = forger.load(run.path).sample(2, conditions={"even": 0, "ink": 90})  # which needs no data
    assert whole.shape == (2, 1, 8, 8)


def test_decoding_and_opinions_are_of_the_whole_depth(run, place):
    game: Any = restored(run.path, trust=True).game
    z, rows = np.random.default_rng(0).standard_normal((3, game.latent)), [[1, 70], [0, 70], [1, 90]]
    images = run.decode(z, rows)
    right = game.decode(torch.tensor(z).float(), torch.tensor(rows).float())
    np.testing.assert_array_equal(images, game.values.to_pixels(right).numpy())
    low, high = game.values.low, game.values.high
    inside = torch.from_numpy(images.astype(np.float32))
    opinion = game.discriminate((inside - low) / (high - low) * 2 - 1, torch.tensor(rows).float())
    np.testing.assert_allclose(run.discriminate(images, rows), opinion.numpy(), rtol=1e-4)


def test_scores_of_deep_arrays_are_those_of_the_same_images_in_files(run, place, tmp_path, capsys):
    images = run.sample(40, seed=1)
    ours = forger.evaluate(images, reference=run, extractor="random", scores="fd")["fd_random"]
    values = restored(run.path, trust=True).game.values
    np.savez(tmp_path / "x", samples=images.transpose(0, 2, 3, 1), range=[values.low, values.high])
    theirs = forger.evaluate(
        tmp_path / "x.npz", reference=run.path, extractor="random", scores=["fd"], trust=True, data_root=place
    )["fd_random"]
    assert ours["value"] == pytest.approx(theirs["value"], rel=1e-6)
    assert ours["passport"]["preprocessing"] == theirs["passport"]["preprocessing"]
    assert str(values) in ours["passport"]["preprocessing"]


@pytest.mark.parametrize(
    ("ask", "line"),
    [
        (lambda run: run.sample(2, conditions=[{"evn": 1}]), "did you mean 'even'? (valid: even, ink)"),
        (lambda run: run.sample(2, conditions={"ink": 3}), "ink=3: must be a number from "),
        (lambda run: run.sample(2, conditions=[3]), 'conditions: 3 is none; write them as {"NAME": VALUE}'),
        (lambda run: run.sample(2, labels=[1]), "labels: this run's game has no classes to ask for"),
        (
            lambda run: run.decode(np.zeros((2, 32)), [1, 2]),
            "the numbers (2, 2) of even, ink, and got int64 (2,)",
        ),
        (lambda run: run.decode(np.zeros((2, 32)), [[1, np.nan]] * 2), "decode: labels: NaN or infinity in"),
        (lambda run: run.decode(np.full((1, 32), np.inf), [[1, 70]]), "decode: NaN or infinity in"),
        (lambda run: run.discriminate(np.zeros((2, 1, 8, 8), np.uint8), [[1, 70]] * 2), "(n, 1, 8, 8), and got uint8"),
        (lambda run: forger.load(run.path).sample(2), "name the data's folder yourself, data_root=FOLDER, or"),
    ],
)
def test_wrong_input_is_refused_in_one_line(run, ask, line):
    with pytest.raises(forger.ConfigError) as caught:
        ask(run)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_codes_of_deep_images(place, tmp_path):
    given = ("data=files", f"data.root={place}", "data.label=null", "model=vae")
    run = forger.load(trained(tmp_path, *given, *LITTLE).path, data_root=place)
    images = np.load(place)["x_test"][:4]
    game: Any = restored(run.path, trust=True).game
    inside = game.values.to_float(torch.from_numpy(images))
    codes, again = run.encode(images), run.reconstruct(images)
    np.testing.assert_allclose(codes, game.encode(inside).numpy(), rtol=1e-5, atol=1e-6)
    assert again.dtype == images.dtype
    np.testing.assert_allclose(again, game.values.to_pixels(game.reconstruct(inside)).numpy(), rtol=1e-5, atol=1)
    np.testing.assert_array_equal(again, run.decode(codes))
    assert run.sample(3).dtype == images.dtype


def test_enlargements_of_any_height_and_width(tmp_path):
    thin = ("model.generator.width=8", "model.generator.blocks=1", "model.discriminator.width=8")
    run = forger.load(trained(tmp_path, "experiment=photos_srgan", *thin, *LITTLE).path)
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 7, 150), np.uint8)
    game: Any = restored(run.path).game
    right = game.values.to_pixels(game.enlarge(game.values.to_float(torch.from_numpy(images)))).numpy()
    ours = run.enlarge(images)
    assert (ours.dtype, ours.shape) == (np.uint8, (2, 3, 14, 300))
    assert np.abs(ours.astype(int) - right).max() <= 1  # it is done tile by tile
    for shape in ((2, 4, 7, 9), (2, 3, 0, 9), (3, 7, 9)):
        with pytest.raises(forger.ConfigError, match=r"enlarge: takes uint8 \(n, 3, h, w\), and got uint8"):
            run.enlarge(np.zeros(shape, np.uint8))
