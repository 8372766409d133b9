"""`forger evaluate`: the numbers it gives, and by which extractor."""

import importlib
import json
from unittest.mock import Mock
from urllib.error import URLError

import pytest
import torch

from commands.evaluating import exported, npz, pictures, real, refused, scored_run, scores
from forger import cli
from forger.hashing import file_sha256
from forger.run_folder import RunFolder
from metrics.doubles import random_inception
from running import trained


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> RunFolder:
    return scored_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def points(tmp_path_factory) -> RunFolder:
    small = ("data.batch_size=64", "samples.n=500", "metrics.n=500")
    return trained(tmp_path_factory.mktemp("runs"), "experiment=gaussian_gan", *small)


# Numbers -------------------------------------------------------------------------------------------------------


def test_a_run_gets_the_scores_of_its_record(run, capsys):
    found = scores(capsys, run)
    recorded = run.read().scores["final"]
    assert set(found) == set(recorded) == {"fd_digits", "is_digits"}
    for name, score in found.items():
        assert score["value"] == pytest.approx(recorded[name]["value"], rel=1e-4)
        assert 0 < score["error"] < score["value"]
        assert score["higher_is_better"] is recorded[name]["higher_is_better"]
        assert score["passport"] == recorded[name]["passport"]


def test_a_checkpoint_is_scored_by_its_name(run, capsys):
    few = ("--n", 64, "--scores", "fd")
    for name in ("best", "final"):
        assert cli.main(["evaluate", str(run.checkpoints / f"{name}.ckpt"), *map(str, few), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["source"].endswith(f"checkpoints/{name}.ckpt")
    final = scores(capsys, run.checkpoints / "final.ckpt", *few)
    assert final["fd_digits"]["passport"]["n_fake"] == 64
    assert final == scores(capsys, run, *few)
    assert final["fd_digits"]["value"] != scores(capsys, run, *few, "--seed", 1)["fd_digits"]["value"]


def test_samples_of_a_run_score_alike_as_npz_and_as_folder(run, tmp_path, capsys):
    for out in ("raw.npz", "folder/"):
        assert cli.main(["sample", str(run), "--what", "raw", "--n", "60", "--out", f"{tmp_path}/{out}"]) == 0
    capsys.readouterr()
    common = ("--reference", "digits", "--scores", "fd,precision,recall,kd")
    one, other = (scores(capsys, tmp_path / name, *common) for name in ("raw.npz", "folder"))
    for name, score in one.items():
        assert score["value"] == pytest.approx(other[name]["value"], rel=1e-6)
    assert set(one) == {"fd_digits", "precision_digits", "recall_digits", "kd_digits"}
    assert one["fd_digits"]["passport"]["weights"] == "none"
    assert "accuracy_digits" in scores(capsys, tmp_path / "raw.npz", "--reference", "digits", "--scores", "accuracy")


def test_real_against_real_is_nearly_nothing_and_copies_are_caught(tmp_path, capsys):
    path = npz(tmp_path, real("train"))
    found = scores(capsys, path, "--reference", "digits", "--scores", "fd,fd_infinity,kd,memorisation")
    assert found["fd_digits"]["value"] < 3
    assert abs(found["kd_digits"]["value"]) < 5 * found["kd_digits"]["error"]
    assert found["memorisation_digits"]["value"] > 0.65  # a half of the copied images is what it compares with
    assert found["neighbour_ratio_digits"]["value"] < 1e-4
    assert (found["fd_digits"]["error"] or 0) > 0
    assert found["fd_infinity_digits"]["error"] is None
    same = scores(capsys, path, "--reference", "digits/train", "--scores", "fd")["fd_digits"]
    assert same["value"] < 1e-6
    assert same["passport"]["split"] == "digits/train"


def test_grey_pictures_kept_as_rgb_are_grey(tmp_path, capsys):
    grey = pictures(tmp_path / "grey", real("test")[:40])
    rgb = pictures(tmp_path / "rgb", real("test")[:40].repeat(3, axis=-1))
    (rgb / "one" / "more").mkdir(parents=True)
    (rgb / "0000.png").rename(rgb / "one" / "more" / "0000.png")
    assert scores(capsys, rgb, "--reference", grey, "--scores", "fd")["fd_random"]["value"] < 1e-6
    assert scores(capsys, npz(tmp_path, real("test").repeat(3, axis=-1)), "--reference", "digits", "--scores", "fd")


@pytest.mark.parametrize("static", [False, True])
def test_an_exported_generator_is_drawn_from(static, tmp_path, capsys):
    path = exported(tmp_path / "generator.pt2", static=static)
    found = scores(capsys, path, "--reference", "digits", "--n", 20, "--scores", "fd,is")
    assert found["fd_digits"]["value"] > 50
    assert found["fd_digits"]["passport"]["n_fake"] == 20
    drawn = scores(capsys, path, "--reference", "digits", "--n", 20, "--scores", "fd,is", "--seed", 1)
    assert drawn["fd_digits"]["value"] != found["fd_digits"]["value"]


def test_points_are_scored_by_the_runs_own_config(points, capsys):
    found, recorded = scores(capsys, points), points.read().scores["final"]
    assert {name: score["value"] for name, score in found.items()} == pytest.approx(
        {name: score["value"] for name, score in recorded.items()}
    )
    assert "images" in refused(capsys, points, "--extractor", "digits", "--reference", "digits")


def test_the_table_says_what_was_compared(tmp_path, capsys):
    assert cli.main(["evaluate", str(npz(tmp_path, real("test")[:50])), "--reference", "digits"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    for part in ("fd_digits", "recall_digits", "higher", "50 images", "497 of digits/test", "note: 50 images for 64"):
        assert part in printed.out


# Extractors ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def inception(tmp_path_factory):
    return random_inception(tmp_path_factory.mktemp("inception"))


def test_inception_gives_the_names_of_the_literature(inception, tmp_path, capsys):
    path = npz(tmp_path, real("train")[:12])
    options = ("--reference", npz(tmp_path, real("test")[:14], "real.npz"), "--extractor", "inception")
    found = scores(capsys, path, *options, "--weights", inception, "--scores", "fid,is,kid")
    assert list(found) == ["fid", "is", "kid"]
    assert all(score["value"] is not None and score["error"] is not None for score in found.values())
    passport = found["fid"]["passport"]
    assert (passport["n_fake"], passport["n_real"], passport["weights_sha256"]) == (12, 14, file_sha256(inception))
    assert "299 without antialias" in passport["preprocessing"]


def test_the_extractor_that_nobody_named_fits_the_reference(inception, tmp_path, capsys, monkeypatch):
    """As `data.extractor=auto` chooses: the shipped one for its data, Inception where its weights are, or random."""
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    path, other = npz(tmp_path, real("train")[:12]), npz(tmp_path, real("test")[:14], "real.npz")

    def chosen(reference) -> tuple[str, str]:
        assert cli.main(["evaluate", str(path), "--reference", str(reference), "--scores", "fd", "--json"]) == 0
        printed = capsys.readouterr()
        return ", ".join(json.loads(printed.out)["scores"]), printed.err

    assert chosen("digits") == ("fd_digits", "")
    facts = "forger ships no extractor for real.npz (1 x 8 x 8)"
    name, line = chosen(other)
    assert name == "fd_random"
    assert f"--extractor: random, since {facts}, and Inception's weights are not here" in " ".join(line.split())
    (cache / "weights-inception-2015-12-05-6726825d.pth").symlink_to(inception)
    assert cli.main(["evaluate", str(path), "--reference", str(other)]) == 2  # chosen, and not the file it should be
    assert f"--extractor: inception, whose weights are here; {facts}" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("extractor", "file", "hint"),
    [
        ("inception", "weights-inception-2015-12-05-6726825d.pth", "(sha256 6726825d…)"),
        ("dinov2", "dinov2_vitl14_pretrain.pth", "https://dl.fbaipublicfiles.com/dinov2"),
    ],
)
def test_one_line_says_which_file_to_put_where(extractor, file, hint, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", Mock(side_effect=URLError("no network")))
    path = npz(tmp_path, real("test")[:12])
    assert cli.main(["evaluate", str(path), "--reference", "digits", "--extractor", extractor]) == 2
    line = capsys.readouterr().err.splitlines()[-1]  # after one that a download begins
    assert f"{tmp_path}/hub/checkpoints/{file}" in line
    assert hint in line


OWN = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(3 * 16 * 16, 5)

    def forward(self, images):
        return self.layer(images.flatten(1))
"""


def test_a_module_of_ones_own_by_import_path_and_as_an_exported_program(tmp_path, capsys, monkeypatch):
    (tmp_path / "own_module.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    common = (npz(tmp_path, real("test")[:60]), "--reference", "digits", "--scores", "fd,precision")
    steps = "size=16,antialias=false,range=-1:1"
    found = scores(capsys, *common, "--extractor", "own_module.Net", "--preprocess", steps)
    assert list(found) == ["fd_net", "precision_net", "recall_net"]
    passport = found["fd_net"]["passport"]
    assert passport["preprocessing"] == "uint8 / 255, 3 channels, bilinear to 16 without antialias, range (-1.0, 1.0)"
    network = importlib.import_module("own_module").Net()
    program = torch.export.export(network, (torch.rand(3, 3, 16, 16),), dynamic_shapes=({0: torch.export.Dim("n")},))
    torch.export.save(program, tmp_path / "net.pt2")
    again = scores(capsys, *common, "--extractor", tmp_path / "net.pt2", "--preprocess", steps)
    assert again["fd_net"]["value"] == pytest.approx(found["fd_net"]["value"], rel=1e-5)
    assert again["fd_net"]["passport"]["preprocessing"] == passport["preprocessing"]
    other = scores(capsys, *common, "--extractor", "own_module.Net", "--preprocess", "size=16,mean=0.5:0.4:0.3")
    assert other["fd_net"]["value"] != pytest.approx(found["fd_net"]["value"], rel=1e-3)
    assert other["fd_net"]["passport"]["preprocessing"] != passport["preprocessing"]
