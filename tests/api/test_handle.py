"""`forger.load` and `Run`: what they give of real runs is what the commands write, and nothing of a stranger's runs."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import forger
from forger import cli
from forger.files import read_rows
from forger.lifecycle.restore import restored
from forger.run_folder import RunFolder
from running import trained

LITTLE = ("budget.images=128", "metrics=none", "watch.action=none", "data.batch_size=32")


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> RunFolder:
    return trained(tmp_path_factory.mktemp("runs"), "experiment=digits_cgan", "metrics=digits")


@pytest.fixture(scope="module")
def points(tmp_path_factory) -> RunFolder:
    small = ("data.batch_size=64", "samples.n=500", "metrics.n=500")
    return trained(tmp_path_factory.mktemp("runs"), "experiment=gaussian_gan", *small)


@pytest.fixture(scope="module")
def vae(tmp_path_factory) -> RunFolder:
    return trained(tmp_path_factory.mktemp("runs"), "experiment=digits_vae", *LITTLE)


@pytest.fixture(scope="module")
def cycle(tmp_path_factory) -> RunFolder:
    return trained(tmp_path_factory.mktemp("runs"), "experiment=digits_cyclegan", *LITTLE)


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    """Three digits, uint8 (3, 1, 8, 8)."""
    from forger.data.images import digits

    return digits().test.arrays["image"][:3].numpy()


def written(tmp_path: Path, *arguments: object) -> np.ndarray:
    """The samples that `forger sample --what raw` writes."""
    assert cli.main(["sample", *map(str, arguments), "--what", "raw", "--out", f"{tmp_path / 'raw.npz'}"]) == 0
    with np.load(tmp_path / "raw.npz") as file:
        return file["samples"]


def drawn(tmp_path: Path, run: RunFolder, what: str, pictures: np.ndarray) -> np.ndarray:
    """What `forger sample --what WHAT --input` makes of pictures, (n, 1, h, w)."""
    (tmp_path / "in").mkdir()
    for i, picture in enumerate(pictures):
        Image.fromarray(picture[0]).save(tmp_path / "in" / f"{i}.png")
    places = ("--input", f"{tmp_path / 'in'}", "--out", f"{tmp_path / 'out'}/")
    assert cli.main(["sample", str(run), "--what", what, *places]) == 0
    made = [np.asarray(Image.open(tmp_path / "out" / f"{i}.png")) for i in range(len(pictures))]
    return np.stack(made)[:, None]


# Samples ----------------------------------------------------------------------------------------------------


def test_samples_are_the_bytes_that_the_command_writes(run, tmp_path):
    images = forger.load(run.path).sample(64, labels=[3] * 64, seed=1)
    assert (images.dtype, images.shape) == (np.uint8, (64, 1, 8, 8))
    assert images.tobytes() == written(tmp_path, run, "--n", 64, "--labels", 3, "--seed", 1).tobytes()


def test_what_is_left_out_is_the_same_as_in_the_command(run, tmp_path):
    ours = forger.load(str(run.path)).sample(truncation=0.5)
    assert ours.shape == (9, 1, 8, 8)
    assert ours.tobytes() == written(tmp_path, run, "--truncation", 0.5).tobytes()


@pytest.mark.parametrize("name", ["best", "last"])
def test_of_another_checkpoint_or_by_the_live_weights(run, tmp_path, name):
    averaged = forger.load(run.path, name).sample(20, seed=2)
    live = forger.load(run.path, name, raw_weights=True).sample(20, seed=2)
    assert averaged.tobytes() == written(tmp_path, run, "--n", 20, "--seed", 2, "--checkpoint", name).tobytes()
    by_live = ("--n", 20, "--seed", 2, "--checkpoint", name, "--raw-weights")
    assert live.tobytes() == written(tmp_path, run, *by_live).tobytes()
    assert live.tobytes() != averaged.tobytes()


def test_samples_of_points(points, tmp_path):
    made = forger.load(points.path).sample(100, seed=4)
    assert (made.dtype, made.shape) == (np.float32, (100, 1))
    assert made.tobytes() == written(tmp_path, points, "--n", 100, "--seed", 4).tobytes()


def test_nothing_is_said(run, capfd):
    forger.load(run.path).sample(3)
    assert capfd.readouterr() == ("", "")


# What else a game can do ------------------------------------------------------------------------------------


def test_the_discriminators_opinion(run, points, pictures):
    opinion = forger.load(run.path).discriminate(pictures, [0, 1, 2])
    game = restored(run.path).game
    import torch

    right = game.discriminate(torch.from_numpy(pictures).float() / 127.5 - 1, torch.tensor([0, 1, 2]))
    assert opinion.dtype == np.float32
    np.testing.assert_allclose(opinion, right.numpy(), rtol=1e-5)
    of_points = forger.load(points.path).discriminate([[0.0], [3.0]])
    assert of_points.shape == (2,)
    assert ((of_points > 0) & (of_points < 1)).all()


def test_codes_and_what_is_made_of_them(vae, pictures, tmp_path):
    ours = forger.load(vae.path)
    codes = ours.encode(pictures)
    assert (codes.dtype, codes.shape) == (np.float32, (3, ours.config.model["autoencoder"]["latent"]))
    decoded = ours.decode(codes)
    assert (decoded.dtype, decoded.shape) == (np.uint8, pictures.shape)
    reconstructed = ours.reconstruct(pictures)
    np.testing.assert_array_equal(decoded, reconstructed)
    np.testing.assert_array_equal(reconstructed, drawn(tmp_path, vae, "reconstructions", pictures))


def test_decoding_latents_of_a_class(run):
    ours = forger.load(run.path)
    z = np.zeros((2, 32))
    threes = ours.decode(z, [3, 3])
    np.testing.assert_array_equal(threes[0], threes[1])
    assert (ours.decode(z, [3, 4])[1] != threes[1]).any()


def test_translations(cycle, pictures, tmp_path):
    ours = forger.load(cycle.path)
    there = ours.translate(pictures)
    np.testing.assert_array_equal(there, drawn(tmp_path, cycle, "translations", pictures))
    (tmp_path / "back").mkdir()
    np.testing.assert_array_equal(ours.translate(there, "ba"), drawn(tmp_path / "back", cycle, "cycles", pictures))


def test_a_game_that_does_not_offer_it_says_which_do(run, cycle, pictures):
    with pytest.raises(forger.ConfigError, match=r"its AdversarialGame can't encode; autoencoders and VAEs can$"):
        forger.load(run.path).encode(pictures)
    with pytest.raises(forger.ConfigError, match=r"its CycleGame can't sample; GANs and VAEs can$"):
        forger.load(cycle.path).sample(1)
    with pytest.raises(forger.ConfigError, match=r"its CycleGame can't enlarge; SRGANs can$"):
        forger.load(cycle.path).enlarge(pictures)


def test_the_games_that_are_named_are_those_that_offer_it():
    from forger.api.answers import OFFERED
    from forger.games.adversarial import AdversarialGame
    from forger.games.autoencoder import AutoencoderGame
    from forger.games.cycle import CycleGame
    from forger.games.paired import PairedGame
    from forger.games.super_resolution import SuperResolutionGame
    from forger.games.variational import VariationalGame

    games = {
        AdversarialGame: "GANs",
        AutoencoderGame: "autoencoders",
        VariationalGame: "VAEs",
        CycleGame: "CycleGANs",
        PairedGame: "pix2pix",
        SuperResolutionGame: "SRGANs",
    }
    for method, (_, named) in OFFERED.items():
        assert named.replace(" and ", ", ").split(", ") == [
            name for game, name in games.items() if hasattr(game, method)
        ]


@pytest.mark.parametrize(
    ("ask", "line"),
    [
        (lambda run: run.sample(3, labels=[10]), "labels: must be classes from 0 to 9"),
        (lambda run: run.sample(3, labels=[0.5]), "labels: must be whole numbers (n,), and are float64 (1,)"),
        (lambda run: run.sample(3, conditions=[{"age": 3}]), "this run's game has no conditions to ask for"),
        (lambda run: run.sample(0), "sample: n=0: at least 1"),
        (lambda run: run.decode(np.zeros((2, 31)), [1, 2]), "decode: takes floats (n, 32), and got float64 (2, 31)"),
        (
            lambda run: run.decode(np.zeros((2, 32)), [1]),
            "decode: labels: this game takes classes (2,) from 0 to 9, and got int64 (1,)",
        ),
        (
            lambda run: run.discriminate(np.zeros((2, 1, 8, 8), np.uint8)),
            "discriminate: labels: this game takes classes (2,) from 0 to 9, and got none",
        ),
        (
            lambda run: run.discriminate(np.zeros((2, 1, 8, 8)), [1, 2]),
            "discriminate: takes uint8 (n, 1, 8, 8), and got float64 (2, 1, 8, 8)",
        ),
        (
            lambda run: run.discriminate(np.zeros((8, 8), np.uint8), [1, 2]),
            "discriminate: takes uint8 (n, 1, 8, 8), and got uint8 (8, 8)",
        ),
    ],
)
def test_wrong_input_is_refused_in_one_line(run, ask, line):
    with pytest.raises(forger.ConfigError) as caught:
        ask(forger.load(run.path))
    assert str(caught.value) == line


# What the folder holds --------------------------------------------------------------------------------------


def test_record_scores_config_and_history(run):
    ours = forger.load(run.path)
    document = json.loads(run.record_file.read_text())
    assert (ours.name, ours.id, ours.status, ours.problem) == (document["name"], document["id"], "finished", None)
    assert ours.scores == document["scores"]
    assert ours.scores["final"]["fd_digits"]["passport"]["extractor"] == "digits"
    assert (ours.config.budget.images, ours.config.data.name) == (640, "digits")
    rows, columns = read_rows(run.metrics_file), ours.history()
    assert {*columns} == {name for row in rows for name in row}
    assert {len(column) for column in columns.values()} == {len(rows)}
    assert columns["images"].dtype == np.int64
    for name, column in columns.items():
        expected = [np.nan if row.get(name) is None else row[name] for row in rows]
        np.testing.assert_array_equal(column, expected)


def test_history_as_a_frame_where_pandas_is_there(run, monkeypatch):
    ours = forger.load(run.path)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(forger.ConfigError, match=r"needs pandas \(pip install pandas\)"):
        ours.history(frame=True)
    monkeypatch.setitem(sys.modules, "pandas", type(sys)("pandas"))
    monkeypatch.setattr(sys.modules["pandas"], "DataFrame", lambda columns: ("frame", *columns), raising=False)
    assert ours.history(frame=True) == ("frame", *ours.history())


def test_all_runs_of_a_folder(run, tmp_path):
    shutil.copytree(run.path, tmp_path / "runs" / "a" / "1")
    shutil.copytree(run.path, tmp_path / "runs" / "b" / "2")
    (tmp_path / "runs" / "b" / "2" / "record.json").write_text("{")
    first, broken = forger.runs(tmp_path / "runs")
    assert (first.path, first.status) == (tmp_path / "runs" / "a" / "1", "finished")
    assert first.sample(2).shape == (2, 1, 8, 8)
    assert (broken.name, broken.id, broken.status) == ("b", "2", "broken")
    assert "record.json" in str(broken.problem)
    assert "broken" in broken._repr_html_()
    with pytest.raises(forger.ConfigError, match="no such folder"):
        forger.runs(tmp_path / "elsewhere")


def test_a_run_shows_itself(run, tmp_path):
    shutil.copytree(run.path, tmp_path / "copy")
    folder = RunFolder(tmp_path / "copy")
    ours = forger.load(folder.path)
    assert repr(ours) == f"<forger.Run {folder.path}: finished>"
    page = ours._repr_html_()
    for part in (
        ours.name,
        ours.id,
        "finished · 640 images",
        "<td>fd_digits</td><td>",
        'src="data:image/webp;base64,',
    ):
        assert part in page
    folder.update(name="<script>alert(1)</script>")
    assert "<script>" not in ours._repr_html_()


@pytest.mark.parametrize(
    ("of", "line"),
    [
        (lambda run: forger.load(run.path / "nothing"), "nothing: no such folder"),
        (lambda run: forger.load(run.checkpoints), "no run in there"),
        (lambda run: forger.load(run.path, "first"), "no first.ckpt; there are best, final, last, previous"),
    ],
)
def test_what_is_not_there(run, of, line):
    with pytest.raises(forger.ConfigError) as caught:
        of(run)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_damaged_checkpoint_is_refused_in_one_line(run, tmp_path):
    shutil.copytree(run.path, tmp_path / "copy")
    (tmp_path / "copy" / "checkpoints" / "best.ckpt").write_bytes(b"PK\3\4")
    with pytest.raises(forger.ForgerError) as caught:
        forger.load(tmp_path / "copy", "best")
    assert "best.ckpt" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_strangers_run_runs_nothing_without_trust(run, tmp_path, monkeypatch):
    shutil.copytree(run.path, tmp_path / "copy")
    (tmp_path / "theirs.py").write_text(
        "from pathlib import Path\nPath('ran').touch()\nfrom forger.games.adversarial import AdversarialGame as Game\n"
    )
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "copy" / "config.yaml"
    config = yaml.safe_load(file.read_text())
    config["model"]["_target_"] = "theirs.Game"
    file.write_text(yaml.safe_dump(config))
    for ask in (
        lambda: forger.load("copy"),
        lambda: forger.runs("copy")[0].sample(1),
        lambda: forger.Run("copy").config,
    ):
        with pytest.raises(forger.ConfigError, match=r"not your own; if it is, add trust=True$"):
            ask()
    assert not Path("ran").exists()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert forger.load("copy", trust=True).sample(1).shape == (1, 1, 8, 8)
    assert Path("ran").exists()
