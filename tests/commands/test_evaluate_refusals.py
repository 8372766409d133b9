"""What `forger evaluate` refuses to give a number of."""

import numpy as np
import pytest
from PIL import Image

from commands.evaluating import exported, npz, pictures, real, refused, scored_run
from forger.data.images import digits
from forger.metrics.evaluations.base import Evaluation
from forger.run_folder import RunFolder
from running import SMALL, composed


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> RunFolder:
    return scored_run(tmp_path_factory.mktemp("runs"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda x: x[:3], "3 images are too few"),
        (lambda x: x[:0], "shape (0, 8, 8, 1)"),
        (lambda x: x / np.float32(255), "float32 in [0, 1]; scale them to [0, 255]"),
        (lambda x: np.where(x > 0, np.nan, x), "NaN or infinity"),
        (lambda x: (x / 255).astype(np.uint8), "hold only 0 and 1"),
        (lambda x: x.astype(np.int16), "are int16"),
        (lambda x: x.repeat(2, 1).repeat(2, 2), "has images of 16x16, the reference digits/test of 8x8"),
        (lambda x: x[..., 0], "(n, height, width, 1 to 16 channels)"),
        (lambda x: np.random.default_rng(0).normal(size=(50, 2)), "are points"),
        (lambda x: np.concatenate([x, x, 255 - x], -1), "has 3 channels, the reference digits/test 1"),
    ],
)
def test_arrays_that_would_be_scored_wrong(change, said, tmp_path, capsys):
    path = npz(tmp_path, change(real("test")))
    message = refused(capsys, path, "--reference", "digits")
    assert said in message
    assert "images.npz" in message
    refused(capsys, npz(tmp_path, real("test"), "good.npz"), "--reference", path)


def test_folders_that_would_be_scored_wrong(tmp_path, capsys):
    folder = pictures(tmp_path / "pictures", real("test")[:20])
    against = ("--reference", "digits")
    (folder / "0007.png").write_bytes((folder / "0007.png").read_bytes()[:40])
    assert "0007.png: can't be read" in refused(capsys, folder, *against)
    Image.new("L", (9, 8)).save(folder / "0007.png")
    assert "0007.png is 9x8, but 0000.png 8x8" in refused(capsys, folder, *against)
    (tmp_path / "empty").mkdir()
    assert "no pictures in" in refused(capsys, tmp_path / "empty", *against)
    assert "no such file or folder" in refused(capsys, tmp_path / "nowhere", *against)
    (tmp_path / "notes.txt").write_text("nothing")
    assert "neither a folder of pictures nor one of .zip" in refused(capsys, tmp_path / "notes.txt", *against)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--reference", "digits", "--scores", "fid"], "fid means the Inception network"),
        (["--reference", "digits", "--scores", "fdd"], "no score fdd"),
        (["--reference", "digits", "--scores", ","], "name some"),
        (["--reference", "digits/trian"], "digits/trian: no such split; did you mean 'train'?"),
        (["--reference", "digitss"], "--reference digitss: no such file or folder, and no data set"),
        (["--reference", "grid25"], "these are points"),
        (["--reference", "digits/train", "--scores", "memorisation"], "memorisation needs the training images"),
        (["--reference", "digits", "--n", "498"], "--n 498: there are 497 images"),
        (["--reference", "digits", "--n", "3"], "--n 3: must be a whole number of at least 10"),
        (["--reference", "digits", "--extractor", "digit"], "no extractor digit"),
        (["--reference", "digits", "--weights", "x.pth"], "of which extractor?"),
        (["--reference", "digits", "--preprocess", "size=8"], "of which extractor?"),
        (
            ["--reference", "digits", "--extractor", "a.B", "--preprocess", "sise=8"],
            "did you mean 'size'?",
        ),
        (["--reference", "digits", "--extractor", "a.B", "--preprocess", "size=big"], "write it as size=224"),
        (["--reference", "digits", "--extractor", "a.B", "--preprocess", "channels=two"], "write it as size=224"),
        (["--reference", "digits", "--extractor", "a.B", "--preprocess", "range=1:-1"], "two values, the lower first"),
        (
            ["--reference", "digits", "--extractor", "nowhere.Net"],
            "can't be made: No module named 'nowhere'",
        ),
        (["--reference", "digits", "--extractor", "inception", "--weights", "/no/x.pth"], "no Inception weights at"),
        ([], "against what?"),
        (["--refrence", "digits"], "evaluate --refrence: no such option; did you mean '--reference'?"),
    ],
)
def test_nonsense_is_one_line(arguments, said, tmp_path, capsys):
    assert said in refused(capsys, npz(tmp_path, real("test")), *arguments)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"scale": 0.5, "shift": 0.5}, "lie in [0, 1]"),
        ({"scale": 255}, "[-1, 1] is expected"),
        ({"scale": float("nan")}, "NaN"),
    ],
)
def test_generators_of_another_range(how, said, tmp_path, capsys):
    assert said in refused(capsys, exported(tmp_path / "generator.pt2", **how), "--reference", "digits", "--n", 20)


def test_damaged_files_are_named(run, tmp_path, capsys):
    npz(tmp_path, real("test"))
    whole = (tmp_path / "images.npz").read_bytes()
    (tmp_path / "images.npz").write_bytes(whole[: len(whole) // 2])
    assert "images.npz: can't be read as .npz" in refused(capsys, tmp_path / "images.npz", "--reference", "digits")
    (tmp_path / "generator.pt2").write_bytes(b"nothing")
    assert "no exported program" in refused(capsys, tmp_path / "generator.pt2", "--reference", "digits")
    np.savez(tmp_path / "other.npz", a=real("test"), b=real("test"))
    assert "which array holds the pictures? It has a, b; name them images" in refused(
        capsys, tmp_path / "other.npz", "--reference", "digits"
    )
    np.savez(tmp_path / "objects.npz", samples=np.array([None, {}], dtype=object))
    assert "objects.npz: can't be read" in refused(capsys, tmp_path / "objects.npz", "--reference", "digits")
    (tmp_path / "loose.ckpt").write_bytes((run.checkpoints / "best.ckpt").read_bytes())
    assert "scored in its run folder" in refused(capsys, tmp_path / "loose.ckpt")
    assert "which source? forger evaluate SOURCE" in refused(capsys)


def test_a_run_that_its_scores_do_not_fit_ends_before_it_begins(tmp_path):
    from forger.run import train

    with pytest.raises(ValueError, match=r"metrics\.evaluations\.quality can't take data=stacked_digits: the digits"):
        train(composed(*SMALL, f"run.root={tmp_path}", "data=stacked_digits", "data.source.n=640", "metrics=digits"))
    assert not list(tmp_path.rglob("record.json"))
    assert Evaluation.check(object(), digits()) is None  # type: ignore[arg-type]
