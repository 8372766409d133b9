"""`forger sample`: what it writes of a small run, and what it says to nonsense."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from forger import cli
from forger.lifecycle import restore
from forger.run_folder import RunFolder
from running import trained

TILE, GAP = 48, 2


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> RunFolder:
    return trained(tmp_path_factory.mktemp("runs"), "experiment=digits_cgan", "metrics=digits", "samples.n=20")


@pytest.fixture(scope="module")
def points(tmp_path_factory) -> RunFolder:
    small = ("data.batch_size=64", "samples.n=500", "metrics.n=500")
    return trained(tmp_path_factory.mktemp("runs"), "experiment=gaussian_gan", *small)


@pytest.fixture
def copy(run, tmp_path) -> RunFolder:
    shutil.copytree(run.path, tmp_path / "copy")
    return RunFolder(tmp_path / "copy")


def sample(capsys, *arguments, said: str = "") -> str:
    """The path that the command printed; on stderr it says nothing else."""
    assert cli.main(["sample", *map(str, arguments)]) == 0
    printed = capsys.readouterr()
    assert printed.err.endswith(said)
    assert printed.err.count("\n") == (1 if said else 0)
    return printed.out.removesuffix("\n")


def arrays(path):
    with np.load(path) as file:
        return file["samples"], file["labels"]


def opened(path):
    with Image.open(path) as picture:
        picture.load()
        return picture


def tiled(rows, columns):
    return columns * (TILE + GAP) + GAP, rows * (TILE + GAP) + GAP


# What is written --------------------------------------------------------------------------------------------


def test_the_natural_picture_is_the_one_that_training_drew_last(run, capsys):
    path = sample(capsys, run)
    assert path == str(run.samples / "classes.png")
    assert opened(path).tobytes() == opened(run.samples / "000000640.png").tobytes()


def test_every_picture_that_the_run_can_draw(run, tmp_path, capsys):
    sizes = {}
    for what in ("grid", "classes", "walk", "latent-map", "neighbours"):
        path = sample(capsys, run, "--what", what, "--n", 20, "--out", tmp_path / f"{what}.png")
        sizes[what] = opened(path).size
    assert sizes["grid"] == tiled(4, 5)
    assert sizes["walk"] == (tiled(1, 10)[0], 10 * (TILE + 2 * GAP))
    assert sizes["latent-map"][0] == tiled(4, 4)[0]
    with Image.open(sample(capsys, run, "--what=walk", "--n=7", "--out", tmp_path / "walk.gif")) as moving:
        assert moving.n_frames == 7
    assert sample(capsys, run, "--what", "walk", "--n", 3).endswith("/samples/walk.gif")


def test_samples_as_arrays_are_a_function_of_the_seed(run, tmp_path, capsys):
    first = arrays(sample(capsys, run, "--what", "raw", "--n", 30, "--out", tmp_path / "a.npz"))
    again = arrays(sample(capsys, run, "--n", 30, "--seed", 0, "--out", tmp_path / "b.npz"))
    other = arrays(sample(capsys, run, "--n", 30, "--seed", 1, "--out", tmp_path / "c.npz"))
    assert (first[0].shape, first[0].dtype) == ((30, 8, 8, 1), np.uint8)
    assert first[1].tolist() == list(range(10)) * 3
    assert np.array_equal(first[0], again[0])
    assert not np.array_equal(first[0], other[0])


def test_labels_truncation_and_raw_weights_are_honoured(run, tmp_path, capsys):
    out = ("--n", 12, "--out", tmp_path / "x.npz")
    plain, labels = arrays(sample(capsys, run, *out, "--labels", "3,8"))
    assert labels.tolist() == [3, 8] * 6
    calm, _ = arrays(sample(capsys, run, *out, "--labels", "3,8", "--truncation", 0))
    assert (calm[::2] == calm[0]).all()  # one latent, one class
    assert not (plain[::2] == plain[0]).all()
    live, _ = arrays(sample(capsys, run, *out, "--labels", "3,8", "--raw-weights"))
    assert not np.array_equal(live, plain)


def test_a_folder_of_single_images(run, tmp_path, capsys):
    expected, _ = arrays(sample(capsys, run, "--n", 12, "--out", tmp_path / "x.npz"))
    folder = tmp_path / "new" / "single"
    assert sample(capsys, run, "--n", 12, "--out", f"{folder}/") == str(folder)
    files = sorted(folder.iterdir())
    assert [file.name for file in files[:2]] == ["000000_class0.png", "000001_class1.png"]
    assert np.array_equal(np.stack([np.asarray(opened(file)) for file in files]), expected[..., 0])
    sample(capsys, run, "--n", 12, "--out", folder)  # once more into the same folder
    assert cli.main(["sample", str(run), "--n", "5", "--out", str(folder)]) == 2
    assert "7 other pictures" in capsys.readouterr().err
    sample(capsys, run, "--what", "walk", "--n", 4, "--out", f"{tmp_path}/frames/")
    assert len(list((tmp_path / "frames").iterdir())) == 4


def test_a_gif_of_the_natural_picture_shows_training(run, points, tmp_path, capsys):
    with Image.open(sample(capsys, run, "--out", tmp_path / "x.gif")) as moving:
        assert (moving.n_frames, moving.size) == (2, opened(run.samples / "000000320.png").size)
    with Image.open(sample(capsys, points, "--what", "density", "--out", tmp_path / "y.gif")) as moving:
        frames = len([path for path in points.samples.glob("*.png") if path.stem.isdigit()])
        assert (moving.n_frames, frames) == (2, 2)
    with Image.open(points.samples / "training.gif") as moving:  # samples.animate=true
        assert moving.n_frames == 2


def test_points_are_drawn_as_a_density_and_written_as_floats(points, tmp_path, capsys):
    assert sample(capsys, points) == str(points.samples / "density.png")
    found, labels = arrays(sample(capsys, points, "--n", 9, "--out", tmp_path / "x.npz"))
    assert (found.shape, found.dtype) == ((9, 1), np.float32)
    assert labels.tolist() == [-1] * 9


# Which run, which weights -----------------------------------------------------------------------------------


def test_an_unfinished_run_is_drawn_from_its_last_checkpoint(copy, tmp_path, capsys):
    (copy.checkpoints / "final.ckpt").unlink()
    copy.record_file.write_text(json.dumps(copy.read().document() | {"status": "running"}))
    with copy.lock():
        sample(capsys, copy, "--out", tmp_path / "a.png")
    (copy.checkpoints / "last.ckpt").write_bytes(b"torn")
    sample(capsys, copy, "--out", tmp_path / "b.png", said="previous.ckpt is used\n")
    shutil.copy(copy.checkpoints / "previous.ckpt", copy.checkpoints / "last.ckpt")
    sample(capsys, copy, "--out", tmp_path / "c.png")
    before, last = (opened(tmp_path / f"{name}.png").tobytes() for name in ("c", "a"))
    assert opened(tmp_path / "b.png").tobytes() == before != last


def test_a_checkpoint_can_be_named(copy, tmp_path, capsys):
    shutil.copy(copy.checkpoints / "best.ckpt", copy.checkpoints / "last.ckpt")
    best = arrays(sample(capsys, copy, "--checkpoint", "best", "--out", tmp_path / "a.npz"))
    last = arrays(sample(capsys, copy, "--checkpoint=last", "--out", tmp_path / "b.npz"))
    assert np.array_equal(best[0], last[0])


def test_a_folder_with_one_run_is_that_run(run, tmp_path, capsys):
    assert sample(capsys, run.path.parent, "--n", 4, "--out", tmp_path / "a.png") == str(tmp_path / "a.png")


def test_what_needs_no_data_loads_none(run, tmp_path, capsys, monkeypatch):
    def refuse(settings):
        raise FileNotFoundError("the data are elsewhere")

    monkeypatch.setattr(restore, "load_data", refuse)
    for what in ("grid", "classes", "walk", "latent-map"):
        sample(capsys, run, "--what", what, "--n", 4, "--out", tmp_path / "a.png")
    assert cli.main(["sample", str(run), "--what", "neighbours"]) == 2
    assert capsys.readouterr().err == "forger: the data are elsewhere\n"


def test_a_strangers_config_builds_nothing_foreign(copy, tmp_path, capsys, monkeypatch):
    module = "from forger.networks.mlp import Generator as Base\nclass Generator(Base):\n    pass\n"
    (tmp_path / "their_own_networks.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    text = copy.config_file.read_text()
    copy.config_file.write_text(text.replace("forger.networks.mlp.Generator", "their_own_networks.Generator"))
    assert cli.main(["sample", str(copy)]) == 2
    message = capsys.readouterr().err
    assert "not your own; if it is, add --trust" in message
    assert message.count("\n") == 1
    sample(capsys, copy, "--trust")


def test_a_config_that_changed_does_not_fit_its_weights(copy, capsys):
    copy.config_file.write_text(copy.config_file.read_text().replace("width: 256", "width: 64"))
    assert cli.main(["sample", str(copy)]) == 2
    message = capsys.readouterr().err
    assert "weights don't fit the run's config" in message
    assert message.count("\n") == 1


# Nonsense ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--what", "walks"], "--what walks: this run can't draw that; did you mean 'walk'?"),
        (["--what", "density"], "--what density: this run can't draw that"),
        (["--n", "0"], "--n 0: must be a whole number of at least 1"),
        (["--n", "3.5"], "--n 3.5: must be a whole number"),
        (["--seed", "-1"], "--seed -1: must be a whole number of at least 0"),
        (["--truncation", "nan"], "--truncation nan: must be a number of at least 0"),
        (["--labels", "10"], "--labels 10: must be classes from 0 to 9"),
        (["--labels", ""], "--labels : must be classes"),
        (["--checkpoint", "first"], "--checkpoint first: no such checkpoint; (valid: best, final, last)"),
        (["--out", "x.bmp"], "--out x.bmp: 'classes' goes into a .png, a .gif or a folder/"),
        (["--what", "raw", "--out", "x.png"], "--out x.png: 'raw' goes into an .npz"),
        (["--input", "nowhere"], "--input nowhere: no such file or folder"),
        (["--sed", "1"], "sample --sed: no such option; did you mean '--seed'?"),
        (["--n"], "sample --n: needs a value"),
        (["another"], "sample another: one argument too many"),
    ],
)
def test_nonsense_is_one_line(run, arguments, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["sample", str(run), *arguments]) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.err.startswith("forger: ")
    assert (printed.err.count("\n"), printed.out, list(tmp_path.iterdir())) == (1, "", [])


def test_what_is_no_run_is_one_line(run, points, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    shutil.copytree(run.path, tmp_path / "two" / "a" / "b")
    shutil.copytree(run.path, tmp_path / "two" / "c" / "d")
    shutil.copytree(run.path, tmp_path / "bare")
    shutil.rmtree(tmp_path / "bare" / "checkpoints")
    for path, said in {
        "nowhere": "no such folder",
        "empty": "no run in there",
        "two": "holds 2 runs; name one of them",
        "bare": "no checkpoint yet",
    }.items():
        assert cli.main(["sample", str(tmp_path / path)]) == 2
        assert said in capsys.readouterr().err
    assert cli.main(["sample"]) == 2
    assert "which run?" in capsys.readouterr().err
    assert cli.main(["sample", str(points), "--labels", "0"]) == 2
    assert "no classes to ask for" in capsys.readouterr().err
    assert cli.main(["sample", str(points), "--out", f"{tmp_path}/folder/"]) == 2
    assert "points are no pictures" in capsys.readouterr().err


def test_help_is_light(capsys):
    assert cli.main(["sample", "--help"]) == 0
    assert "--truncation PSI" in capsys.readouterr().out
