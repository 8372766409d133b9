"""A trained flow: its samples drawn, scored and exported with other steps than it was trained with."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from forger import cli
from forger.data.dataset import Data
from forger.lifecycle.restore import restored
from forger.pictures import draw, drawable
from forger.pictures.request import Request
from forger.run_folder import RunFolder
from running import trained


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> RunFolder:
    overrides = ("model=flow", "data=digits", "metrics=conditional", "model.denoiser.width=16", "model.steps=3")
    return trained(tmp_path_factory.mktemp("runs"), *overrides, "metrics.evaluations.conditional.n=100")


def test_the_record_says_how_often_the_network_was_asked_for_a_sample(run):
    record = run.read()
    assert {score["passport"]["nfe"] for score in record.scores["final"].values()} == {5}
    rows = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    assert {f"watch/loss_{name}_noise" for name in ("low", "medium", "high")} <= {key for row in rows for key in row}


def test_scores_with_other_steps_say_so(run, capsys):
    asked = ["evaluate", str(run), "--scores", "fd", "--n", "100", "--json"]
    values = {}
    for sampling, nfe in (([], 5), (["model.steps=6"], 11), (["model.solver=euler", "model.guidance=2"], 6)):
        assert cli.main([*asked, *sampling]) == 0
        score = json.loads(capsys.readouterr().out)["scores"]["fd_digits"]
        assert score["passport"]["nfe"] == nfe
        values[nfe] = score["value"]
    assert len(set(values.values())) == 3
    assert cli.main([*asked[:-1], "model.steps=2"]) == 0
    assert "ema weights, 3 evaluations of the network for each)" in capsys.readouterr().out


def test_samples_with_other_steps(run, tmp_path):
    made = {}
    for steps in (3, 3, 20):
        file = tmp_path / f"{len(made)}.npz"
        assert cli.main(["sample", str(run), "--n", "4", "--out", str(file), f"model.steps={steps}"]) == 0
        made[steps] = np.load(file)["samples"]
    assert not np.array_equal(made[3], made[20])


@pytest.mark.parametrize("sampling", ["model.steps=0", "model.steps=few", "model.solver=rk4", "model.guidance=-1"])
def test_what_is_no_way_to_sample_is_refused(run, sampling, capsys):
    assert cli.main(["sample", str(run), sampling]) == 2
    assert sampling in capsys.readouterr().err


def test_other_games_have_no_steps(tmp_path, capsys):
    other = trained(tmp_path, "experiment=digits_gan", "metrics=none")
    assert cli.main(["sample", str(other), "model.steps=4"]) == 2
    assert "model.steps: this run's samples are not made step by step" in capsys.readouterr().err


def test_noise_becomes_pictures_from_left_to_right(run):
    read = restored(run.path)
    data: Data = read.data
    assert drawable(read.game, data)[0] == "classes"
    (picture,) = draw(read.game, data, Request(n=2, labels=(3, 8)), "denoising")
    made = read.game.trajectory(read.game.latents(2, Request().stream()), torch.tensor([3, 8]))
    assert picture.width == 4 * (48 + 2) + 2  # noise and three steps
    grey = np.asarray(picture.convert("L"))[-2 * 50 :]
    for row in range(2):
        for step in range(4):
            pixels = data.values.to_pixels(made[step][row : row + 1])[0, 0].numpy()
            top, left = 50 * row, 2 + 50 * step
            assert np.array_equal(grey[top : top + 48 : 6, left : left + 48 : 6], pixels)
    assert cli.main(["sample", str(run), "--what", "denoising", "--n", "3"]) == 0
    with Image.open(run.samples / "denoising.png") as written:
        assert written.height > 3 * 50
