"""`forger.evaluate` gives what `forger evaluate --json` prints."""

import json
import shutil

import numpy as np
import pytest
import yaml

import forger
from forger import cli
from forger.data.images import digits
from forger.run_folder import RunFolder
from running import trained


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> RunFolder:
    return trained(tmp_path_factory.mktemp("runs"), "experiment=digits_cgan", "metrics=digits", "watch.action=none")


def printed(capsys, *arguments: object) -> dict:
    """The scores in the JSON of the command."""
    assert cli.main(["evaluate", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)["scores"]


def test_scores_of_a_run_are_those_of_the_command(run, capsys):
    ours = forger.evaluate(forger.load(run.path), n=100, seed=2)
    assert capsys.readouterr() == ("", "")
    assert {"fd_digits", "is_digits"} <= set(ours)
    assert ours == forger.evaluate(run.path, n=100, seed=2) == printed(capsys, run, "--n", 100, "--seed", 2)
    best = forger.evaluate(forger.load(run.path, "best"), n=100, scores=["fd"])
    assert best == printed(capsys, run.checkpoints / "best.ckpt", "--n", 100, "--scores", "fd")


def test_scores_of_arrays_are_those_of_the_same_images_in_files(run, tmp_path, capsys):
    images = forger.load(run.path).sample(60, seed=3)
    np.savez(tmp_path / "images", samples=images.transpose(0, 2, 3, 1))
    theirs = printed(capsys, tmp_path / "images.npz", "--reference", "digits", "--extractor", "digits")
    ours = forger.evaluate(images, reference="digits", extractor="digits")
    assert ours == theirs
    real = digits().test.arrays["image"].numpy()
    by_array = forger.evaluate(images, reference=real, extractor="digits")
    for name, score in by_array.items():
        assert score["value"] == pytest.approx(ours[name]["value"], rel=1e-6)
    same = forger.evaluate(real, reference=real, extractor="digits", scores=["fd"])
    assert same["fd_digits"]["value"] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    ("images", "options", "line"),
    [
        (np.zeros((20, 64)), {"reference": "digits"}, "images: takes uint8, uint16 or floats (n, c, h, w), and got"),
        (np.zeros((20, 1, 8, 8), int), {"reference": "digits"}, "and got int64 (20, 1, 8, 8)"),
        (np.full((20, 1, 8, 8), np.nan), {"reference": "digits"}, "images: they hold NaN or infinity"),
        (np.ones((20, 1, 8, 8)), {"reference": "digits"}, "images: all pixels of its images are 1"),
        (np.random.default_rng(0).random((20, 1, 8, 8)), {"reference": "digits"}, "the reference digits/test of uint8"),
        (np.full((20, 1, 8, 8), 9, np.uint8), {"reference": "digits", "n": 9}, "n 9: at least 10"),
        (np.full((20, 1, 8, 8), 9, np.uint8), {"reference": "digits", "scores": []}, "scores: name some"),
        (np.ones((20, 1, 8, 8), np.uint8), {"reference": "digits"}, "images: its uint8 images hold only 0 and 1"),
        (np.full((20, 1, 8, 8), 9, np.uint8), {}, "against what? reference takes a folder"),
        (
            np.full((20, 1, 9, 9), 9, np.uint8),
            {"reference": "digits"},
            "images has images of 9x9, the reference",
        ),
        (np.full((20, 1, 8, 8), 9, np.uint8), {"reference": "digits", "n": 21}, "n 21: there are 20 images in images"),
        (np.full((20, 1, 8, 8), 9, np.uint8), {"reference": "digitz"}, "reference digitz: no such file or folder"),
        (
            np.full((20, 1, 8, 8), 9, np.uint8),
            {"reference": "digits", "preprocess": {"size": 8}},
            "preprocess: of which extractor? Add extractor inception",
        ),
    ],
)
def test_what_must_not_be_scored_is_refused_in_one_line(images, options, line):
    with pytest.raises(forger.ConfigError) as caught:
        forger.evaluate(images, **options)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_strangers_run_needs_trust(run, tmp_path):
    shutil.copytree(run.path, tmp_path / "copy")
    file = tmp_path / "copy" / "config.yaml"
    config = yaml.safe_load(file.read_text())
    config["model"]["_target_"] = "theirs.Game"
    file.write_text(yaml.safe_dump(config))
    for ask in (tmp_path / "copy", forger.runs(tmp_path / "copy")[0]):
        with pytest.raises(forger.ConfigError, match=r"not your own; if it is, add trust=True$"):
            forger.evaluate(ask)
