"""`forger invert` and `forger sample --latents`: pictures as latents and back."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from forger import cli
from forger.inversion import Inversion
from forger.lifecycle.restore import restored
from forger.run_folder import RunFolder
from running import trained


@pytest.fixture(scope="module")
def vae(tmp_path_factory) -> RunFolder:
    return trained(tmp_path_factory.mktemp("vae"), "experiment=digits_vae", "metrics=none")


@pytest.fixture(scope="module")
def cgan(tmp_path_factory) -> RunFolder:
    return trained(tmp_path_factory.mktemp("cgan"), "experiment=digits_cgan", "metrics=none")


def pixels(file: Path) -> np.ndarray:
    with Image.open(file) as picture:
        return np.array(picture)


@pytest.fixture(scope="module")
def found(cgan, tmp_path_factory):
    """Five of its own samples as files, what was found for them, and the samples."""
    folder = tmp_path_factory.mktemp("pictures")
    pictures = folder / "own"
    assert cli.main(["sample", str(cgan.path), "--n", "5", "--seed", "3", "--out", f"{pictures}/"]) == 0
    out = folder / "found"
    assert cli.main(["invert", str(cgan.path), "--input", str(pictures), "--out", str(out)]) == 0
    return out, np.stack([pixels(file) for file in sorted(pictures.glob("*.png"))])


def test_its_own_samples_come_back(cgan, found, tmp_path):
    """Better than pixels of 8 bits can show, and `sample --latents` draws them again."""
    out, own = found
    with np.load(out / "latents.npz", allow_pickle=False) as arrays:
        assert arrays["z"].shape == (5, 32)
        assert arrays["names"].tolist() == [f"00000{i}_class{i}.png" for i in range(5)]
        psnr = arrays["psnr"]
    assert np.median(psnr) > 45
    raw = tmp_path / "again.npz"
    assert cli.main(["sample", str(cgan.path), "--latents", str(out / "latents.npz"), "--out", str(raw)]) == 0
    again = np.load(raw)["samples"][..., 0]
    assert np.abs(again.astype(int) - own).max() <= 1
    with Image.open(out / "inverted.png") as sheet:
        assert sheet.width > 5 * 48


def test_latents_of_a_mixture_over_codes_are_those_that_sample_takes(vae, tmp_path):
    mixture, own = ["--mixture", "3"], tmp_path / "own"
    assert cli.main(["sample", str(vae.path), *mixture, "--n", "2", "--what", "raw", "--out", f"{own}/"]) == 0
    out, raw = tmp_path / "found", tmp_path / "again.npz"
    assert cli.main(["invert", str(vae.path), *mixture, "--input", str(own), "--steps", "50", "--out", str(out)]) == 0
    with np.load(out / "latents.npz", allow_pickle=False) as arrays:
        assert arrays["z"].shape == (2, 9)  # one number more than a code has, which picks the component
        assert arrays["psnr"].min() > 20
    assert cli.main(["sample", str(vae.path), *mixture, "--latents", f"{out}/latents.npz", "--out", str(raw)]) == 0
    given = np.stack([pixels(file) for file in sorted(own.glob("*.png"))])
    error = (np.load(raw)["samples"][..., 0].astype(float) - given) ** 2
    assert 10 * np.log10(255**2 / error.mean((1, 2)).max()) > 20


def test_no_picture_is_farther_than_what_its_own_code_gives(vae):
    read, steps = restored(vae.path), []
    images = read.data.values.to_float(read.data.test.arrays["image"][:8])
    found = Inversion(read.game, starts=2, steps=50).found(images, None, lambda step, error: steps.append(step))
    encoded = (read.game.reconstruct(images) - images).square().mean((1, 2, 3))
    assert bool((found.errors < 0.9 * encoded).all())
    assert steps == list(range(5, 51, 5))
    assert torch.allclose(found.errors, (found.images - images).square().mean((1, 2, 3)), atol=1e-6)


def test_the_search_is_the_same_each_time_and_leaves_the_game_as_it_was(vae):
    game = restored(vae.path).game
    before = {name: value.clone() for name, value in game.state_dict().items()}
    images = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    first, second = (Inversion(game, steps=5, seed=1).found(images, None, lambda *_: None) for _ in range(2))
    assert torch.equal(first.z, second.z)
    assert all(torch.equal(value, before[name]) for name, value in game.state_dict().items())
    assert all(parameter.grad is None for parameter in game.parameters())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--input PATH: name a picture, or a folder of them"),
        (["--input", "nowhere"], "--input nowhere: no such file or folder"),
        (["--input", "{own}", "--out", "{found}"], "is there already; name a new folder"),
        (["--input", "{own}", "--labels", "1,2"], "--labels 1,2: one class, or one for each of the 5 pictures"),
        (["--input", "{own}", "--labels", "10"], "--labels 10: must be classes from 0 to 9"),
        (["--input", "{found}/latents.npz"], "latents.npz"),
    ],
)
def test_what_can_not_be_inverted_is_one_line(cgan, found, capsys, arguments, said):
    places = {"own": found[0].parent / "own", "found": found[0]}
    before = sorted(path for path in cgan.samples.rglob("*"))
    assert cli.main(["invert", str(cgan.path), *(each.format(**places) for each in arguments)]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("forger: ")]
    assert len(lines) == 1
    assert said in lines[0]
    assert sorted(path for path in cgan.samples.rglob("*")) == before


@pytest.mark.parametrize(
    ("arrays", "options", "said"),
    [
        ({"z": np.zeros((2, 31))}, [], "z must be finite floats (n, 32), and is float64 (2, 31)"),
        ({"z": np.full((2, 32), np.nan)}, [], "z must be finite floats (n, 32)"),
        ({"z": np.zeros((2, 32))}, [], "labels must be whole numbers (2,)"),
        ({"z": np.zeros((2, 32)), "labels": np.array([0, 10])}, [], "labels must be classes from 0 to 9"),
        ({"w": np.zeros((2, 32))}, [], "no .npz with an array z"),
        ({"z": np.zeros((2, 32), object)}, [], "no .npz with an array z"),
        (
            {"z": np.zeros((2, 32)), "labels": np.array([0, 1])},
            ["--seed", "1"],
            "--seed: the file of --latents says it",
        ),
        ({"z": np.zeros((2, 32)), "labels": np.array([0, 1])}, ["--what", "walk"], "--what walk: this run can't draw"),
    ],
)
def test_what_is_no_file_of_latents_is_one_line(cgan, tmp_path, capsys, arrays, options, said):
    file = tmp_path / "latents.npz"
    np.savez(file, **arrays)
    assert cli.main(["sample", str(cgan.path), "--latents", str(file), "--out", str(tmp_path / "x.png"), *options]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "x.png").exists()
