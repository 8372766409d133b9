"""Runs on pictures of 16 bits and floats: trained, resumed, sampled and scored as deep as the data are."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from data import deep
from forger import cli
from forger.data.pixels.picture_files import picture_file
from forger.lifecycle.restore import restored
from forger.metrics.evaluations.sample_quality import draw_fakes
from running import interrupted, trained

SHORT = ("model=gan", "data.batch_size=16", "budget.images=96", "samples.every_images=null", "metrics.n=16")


def pictures():
    """Blobs of many levels, from -500 to some 60,000."""
    rng = np.random.default_rng(6)
    across, down = np.meshgrid(np.arange(8), np.arange(8))
    (x, y), height = rng.uniform(2, 6, (2, 140, 1, 1)), rng.uniform(2e4, 6e4, (140, 1, 1))
    return height * np.exp(-((across - x) ** 2 + (down - y) ** 2) / 4) - 500 * (height > 5e4)


def as_sampled(root, run, seed):
    """Those 12 samples of a run that its evaluation scores, as `forger sample` writes them."""
    root.mkdir()
    game = restored(run.path, trust=True).game
    fakes = torch.cat([made for made, _ in draw_fakes(game, 12, None, seed, game.values)])
    values = np.array([game.values.low, game.values.high])
    np.savez(root / "raw.npz", samples=fakes.permute(0, 2, 3, 1).numpy(), range=values, labels=np.full(12, -1))
    for index, pixels in enumerate(fakes):
        suffix, content = picture_file(pixels)
        (root / "singles").mkdir(exist_ok=True)
        (root / "singles" / f"{index:06}{suffix}").write_bytes(content)
    return root


@pytest.mark.parametrize(
    ("form", "scale", "dtype"),
    [
        pytest.param(deep.png, 1, np.uint16, marks=pytest.mark.long),
        pytest.param(deep.npy, 0.01, np.float32, marks=pytest.mark.long),
        (deep.tomograms, 0.05, np.int16),
    ],
    ids=["png", "npy", "dicom"],
)
def test_a_run_is_as_deep_as_its_data(form, scale, dtype, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("FORGER_CACHE", str(tmp_path / "cache"))
    place = form(tmp_path, (scale * pictures()).clip(0 if dtype == np.uint16 else None).astype(dtype))
    overrides = ("data=files", f"data.root={place}", *SHORT)
    whole = trained(tmp_path / "whole", *overrides).read()
    part = interrupted(tmp_path / "runs", *overrides, after=3)
    run = trained(tmp_path / "runs", *overrides)
    found = run.read()
    assert run.path == part.path
    assert (found.id, found.weights_sha256) == (whole.id, whole.weights_sha256)
    kept = "uint16" if dtype == np.uint16 else "float32"
    assert f"  depth: {kept}\n" in run.config_file.read_text()
    passport = found.scores["final"]["fd_random"]["passport"]
    assert passport["preprocessing"].startswith(f"{kept} from ")

    raw = tmp_path / "fakes.npz"
    assert cli.main(["sample", str(run.path), "--what", "raw", "--out", str(raw), "--n", "12", "--trust"]) == 0
    arrays = np.load(raw)
    samples, (low, high) = arrays["samples"], arrays["range"]
    assert samples.dtype == kept
    assert len(np.unique(samples)) > 500
    assert low <= samples.min() < samples.max() <= high
    out = tmp_path / "singles"
    assert cli.main(["sample", str(run.path), "--what", "raw", "--out", f"{out}/", "--n", "12", "--trust"]) == 0
    singles = [np.array(Image.open(path)) for path in sorted(out.iterdir())]
    assert np.array_equal(np.stack(singles), samples[..., 0])

    capsys.readouterr()
    about = ("--extractor", "random", "--scores", "fd", "--trust", "--json")
    assert cli.main(["evaluate", str(run.path), *about, "--n", "12"]) == 0
    own = json.loads(capsys.readouterr().out)["scores"]["fd_random"]
    assert cli.main(["evaluate", str(raw), "--reference", str(run.path), *about]) == 0
    again = json.loads(capsys.readouterr().out)["scores"]["fd_random"]
    assert own["passport"]["preprocessing"] == again["passport"]["preprocessing"] == passport["preprocessing"]
    alike = as_sampled(tmp_path / "alike", run, own["passport"]["seed"])
    for form in (alike / "raw.npz", alike / "singles"):
        assert cli.main(["evaluate", str(form), "--reference", str(run.path), *about]) == 0
        score = json.loads(capsys.readouterr().out)["scores"]["fd_random"]
        assert score["value"] == pytest.approx(own["value"], rel=1e-6)
        assert score["passport"]["fingerprint"] == own["passport"]["fingerprint"]

    assert cli.main(["evaluate", str(run.path), "--extractor", "inception", "--trust"]) == 2
    assert "the inception extractor takes pictures of 8 bits" in capsys.readouterr().err
    nowhere = tmp_path / "nowhere"
    for refused in ("data.extractor=inception", "metrics=fid"):
        given = [*overrides, refused, f"run.root={nowhere}", "logger=none", "metrics.n=16"]
        assert cli.main(["train", *given]) == 2
        assert "extractor takes pictures of 8 bits, and these are" in capsys.readouterr().err
    assert not nowhere.exists()


@pytest.mark.parametrize(
    ("form", "dtype", "suffix"), [(deep.png, np.uint16, ".png"), (deep.tiff, np.float32, ".tiff")], ids=["png", "tiff"]
)
def test_enlargements_of_handed_pictures_are_as_deep(form, dtype, suffix, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("FORGER_CACHE", str(tmp_path / "cache"))
    wide = np.repeat(pictures().clip(0), 2, axis=2).astype(dtype)
    thin = ("model.generator.width=8", "model.generator.blocks=1", "model.discriminator.width=8")
    run = trained(tmp_path / "runs", "data=files", f"data.root={form(tmp_path, wide)}", *SHORT, "model=srgan", *thin)
    assert "psnr" in run.read().scores["final"]
    given = form(tmp_path / "given", np.random.default_rng(0).uniform(0, 60_000, (2, 7, 9)).astype(dtype))
    out = tmp_path / "out"
    assert cli.main(["sample", str(run.path), "--input", str(given), "--out", f"{out}/", "--trust"]) == 0
    game = restored(run.path, trust=True).game
    for source in sorted(given.iterdir()):
        with Image.open(source) as picture:
            small = torch.from_numpy(np.array(picture))[None, None]
        with Image.open(out / f"{source.stem}{suffix}") as picture:
            large = np.array(picture)
        expected = game.values.to_pixels(game.enlarge(game.values.to_float(small)))[0, 0].numpy()
        assert (large.shape, large.dtype) == ((14, 18), dtype)
        assert np.allclose(large, expected, rtol=1e-5, atol=1)
        assert len(np.unique(large)) > 200
    capsys.readouterr()
    Image.new("L", (9, 7)).save(given / "eight.png")
    code = cli.main(["sample", str(run.path), "--input", str(given / "eight.png"), "--out", f"{out}/", "--trust"])
    printed = capsys.readouterr()
    if dtype == np.uint16:
        assert (code, printed.err.count("\n")) == (2, 1)
        assert "eight.png: pixels of uint8 among others of uint16" in printed.err
    else:  # whose numbers are what they say, as in training
        assert (code, Path(printed.out.strip()).suffix) == (0, ".tiff")
