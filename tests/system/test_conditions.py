"""Runs that are told several labels: they learn them, are sampled and scored by them, and go on as they stopped."""

import io
import json
import shlex
import signal
import time
from base64 import b64decode

import numpy as np
import pytest
from PIL import Image

from forger import cli
from forger.data.images import digits
from forger.lifecycle.restore import restored
from forger.play.answering import answer
from forger.play.page import page
from forger.play.playing import Playing
from forger.run_folder import RunFolder
from running import SMALL, Begun, interrupted, trained

LEARNING = ("budget.images=25600", "metrics.every_images=null", "metrics.n=400", "samples.every_images=null",
            "checkpoint.every_images=null", "log.every=100", "watch.action=none")  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Digits with two attributes and a number: whether they are even, whether above 4, and the mean of their pixels."""
    data, arrays = digits(), {}
    for name, split in {"train": data.train, "val": data.validation, "test": data.test}.items():
        label, image = split.arrays["label"].numpy(), split.arrays["image"].numpy()
        arrays |= {f"x_{name}": image, f"even_{name}": label % 2 == 0, f"ink_{name}": image.mean((1, 2, 3))}
        arrays[f"high_{name}"] = (label > 4).astype(int)
    path = tmp_path_factory.mktemp("written") / "written.npz"
    np.savez(path, **arrays)
    return path


@pytest.fixture(scope="module")
def run(place, tmp_path_factory):
    conditions = ("data=files", f"data.root={place}", "data.label=[even,high,ink]")
    return trained(tmp_path_factory.mktemp("runs"), *conditions, "model=cgan", *LEARNING)


def sampled(run, out, *options):
    assert cli.main(["sample", str(run.path), *options, "--out", str(out), "--n", "40"]) == 0
    with np.load(out) as arrays:
        return dict(arrays)


def test_a_conditional_gan_learns_what_it_is_told(run):
    """No scores were named: those of the conditions are there of themselves."""
    scores = {name: score["value"] for name, score in run.read().scores["final"].items()}
    for name in ("even", "high"):
        assert scores[f"agreement_{name}_real"] > 0.97
        assert scores[f"agreement_{name}"] > 0.85  # by chance 0.5
    assert scores["r2_ink_real"] > 0.98
    assert scores["r2_ink"] > 0.4  # by chance -1


def test_samples_have_the_conditions_asked_for(run, place, tmp_path):
    of_data = f"data.root={place}"
    found = sampled(run, tmp_path / "x.npz", of_data, "--condition", "even=1,ink=60", "--condition", "even=0,ink=95")
    assert found["conditions"].tolist() == ["even", "high", "ink"]
    assert found["labels"][:, 0].tolist() == [1, 0] * 20
    assert found["labels"][:, 2].tolist() == [60, 95] * 20
    assert {*found["labels"][:, 1].tolist()} == {0, 1}  # drawn from the data
    faint, bold = (found["samples"][row::2].mean() for row in (0, 1))
    assert bold - faint > 15
    whole = sampled(run, tmp_path / "y.npz", "--condition", "even=true,high=0,ink=70")  # which needs no data
    assert np.unique(whole["labels"], axis=0).tolist() == [[1, 0, 70]]
    for what in ("grid", "classes", "walk", "latent-map", "neighbours"):
        out = tmp_path / f"{what}.png"
        assert cli.main(["sample", str(run.path), of_data, "--what", what, "--n", "20", "--out", str(out)]) == 0
        assert out.exists()
    assert cli.main(["sample", str(run.path), of_data, "--n", "3", "--out", f"{tmp_path}/folder/"]) == 0
    assert all("_even=" in path.name for path in (tmp_path / "folder").iterdir())


def test_the_page_to_play_with_asks_for_conditions(run, place, tmp_path, monkeypatch):
    playing = Playing(restored(run.path, places={"data.root": str(place)}), (f"data.root={place}",))
    assert 'data-condition="ink"' in page(playing)
    asked = {"what": "samples", "n": 4, "seed": 2, "conditions": [{"even": "true", "ink": "70"}]}
    made = answer(playing, asked)
    assert all(picture["words"].startswith("even=true, high=") for picture in made["pictures"])
    monkeypatch.chdir(tmp_path)
    assert cli.main(shlex.split(made["command"])[1:]) == 0
    written = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "seed-2").iterdir())]
    shown = [Image.open(io.BytesIO(b64decode(picture["src"].split(",")[1]))) for picture in made["pictures"]]
    np.testing.assert_array_equal(np.stack(written), np.stack([np.asarray(picture) for picture in shown]))
    a, b = made["pictures"][:2]
    walk = {"what": "walk", "from": a["z"], "to": b["z"], "from_label": a["label"], "to_label": b["label"], "share": 0}
    assert answer(playing, walk)["picture"]["words"] == a["words"]
    for label in ([1, 0], [1, 2, 70], [1, 0.5, 70], None):
        with pytest.raises(ValueError, match="from_label: must be the numbers of 3 conditions"):
            answer(playing, {**walk, "from_label": label})
    with pytest.raises(ValueError, match=r"ink=999: must be a number from"):
        answer(playing, {**asked, "conditions": [{"ink": "999"}]})


def evaluated(capsys, run, place, *options):
    assert cli.main(["evaluate", str(run.path), f"data.root={place}", "--json", *options]) == 0
    return json.loads(capsys.readouterr().out)["scores"]


def test_the_same_samples_are_scored_again(run, place, capsys):
    recorded = run.read().scores["final"]
    found = evaluated(capsys, run, place)
    assert {*found} == {*recorded}
    for name in recorded:
        if name.startswith(("agreement_", "r2_")):
            assert found[name] == recorded[name], name
    assert found["fd_random"] == recorded["fd_random"]


def test_scores_of_conditions_are_chosen_by_name(run, place, capsys):
    recorded = run.read().scores["final"]
    found = evaluated(capsys, run, place, "--scores", "r2_ink,agreement_even_real")
    assert found == {name: recorded[name] for name in ("agreement_even_real", "r2_ink")}
    few = evaluated(capsys, run, place, "--scores", "fd,agreement_even", "--n", "60", "--seed", "1")
    assert [*few] == ["fd_random", "agreement_even"]
    assert few["agreement_even"]["passport"]["n_fake"] == 60
    assert (few["agreement_even"]["value"] * 60) % 1 == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--scores", "agreement_evn"], "--scores agreement_evn: no such score of this run; did you mean"),
        (["--scores", "fdd"], "no score fdd"),
        (["--scores", "fd,r2_ink", "--reference", "digits"], "--reference: r2_ink is of the run's own data"),
        (["--scores", "r2_ink", "--extractor", "random"], "--extractor: r2_ink is of the run's own data"),
    ],
)
def test_scores_that_a_run_has_not_are_one_line(run, place, options, line, capsys):
    assert cli.main(["evaluate", str(run.path), f"data.root={place}", *options]) == 2
    assert line in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            ["--condition", "eve=1"],
            "--condition eve=1: no such condition; write it as NAME=VALUE; did you mean 'even'?",
        ),
        (["--condition", "high=2"], "--condition high=2: high=2: (valid: 0, 1)"),
        (["--condition", "ink=300"], "--condition ink=300: ink=300: must be a number from 46 to 107.844"),
        (["--labels", "1"], "--labels 1: this run's game has no classes to ask for"),
    ],
)
def test_what_cannot_be_asked_for_is_one_line(run, options, line, capsys):
    assert cli.main(["sample", str(run.path), *options]) == 2
    assert line in capsys.readouterr().err


NARROW = ("model.generator.width=4", "model.discriminator.width=4", "metrics=none", "run.name=x")


def test_an_interrupted_run_with_conditions_goes_on_to_the_same_weights(place, tmp_path):
    overrides = ("data=files", f"data.root={place}", "data.label=[high,ink]", "model=cdcgan", *NARROW)
    whole = trained(tmp_path / "whole", *overrides).read()
    interrupted(tmp_path / "parts", *overrides, after=3)
    assert trained(tmp_path / "parts", *overrides).read().weights_sha256 == whole.weights_sha256


@pytest.mark.long
def test_a_killed_run_with_conditions_goes_on_to_the_same_weights(place, tmp_path):
    overrides = (*SMALL, "data=files", f"data.root={place}", "data.label=[even,high,ink]", "model=sngan", *NARROW,
                 "+model/conditional=projection", "samples.every_images=null", "budget.images=12800")  # fmt: skip
    run = Begun("train", *overrides, f"run.root={tmp_path}/parts", cwd=tmp_path)
    while run.process.exitcode is None and not (saved := [*tmp_path.glob("parts/x/*/checkpoints/last.ckpt")]):
        time.sleep(0.01)
    run.process.kill()
    assert run.ended().returncode == -signal.SIGKILL
    folder = RunFolder(saved[0].parents[1])
    assert folder.read().status == "running"
    going_on = trained(tmp_path / "parts", *overrides)
    assert going_on.path == folder.path
    assert "continuing" in folder.log_file.read_text()
    assert going_on.read().weights_sha256 == trained(tmp_path / "whole", *overrides).read().weights_sha256
