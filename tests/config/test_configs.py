"""Every shipped config composes and is valid; every experiment trains."""

from dataclasses import asdict

import pytest
from omegaconf import OmegaConf

from forger.cli import main
from forger.config.schema import validate
from forger.config.shipped import config_groups
from forger.data.images import digits
from forger.default_evaluations import with_evaluations
from forger.lifecycle.identity import determining
from running import composed, trained, unprepared
from system import small_data

#: `sweep` and `launcher` belong to `forger sweep`; tests/sweeps loads them.
OTHERS = ("experiment", "sweep", "launcher")
GROUPS = {name: options for name, options in config_groups().items() if name not in OTHERS}
EXPERIMENTS = config_groups()["experiment"]
#: By the first word of their experiments: data on which any recipe is fast, and those of published recipes.
SMALL_DATA = ("digits", "gaussian", "grid25", "ring8")
PUBLISHED = {"cifar10": small_data.cifar, "celeba64": small_data.celeba, "ffhq64": small_data.folder}


@pytest.mark.parametrize("option", [f"{group}={name}" for group, names in GROUPS.items() for name in names])
def test_every_option_composes(option):
    assert OmegaConf.is_config(composed(option))


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_is_valid(experiment):
    config = validate(composed(f"experiment={experiment}"))
    assert config.budget.images
    assert config.run.name == config.data.name


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ([], "digits_cgan"),
        (["model=cdcgan", "data=fashion_mnist"], "fashion_mnist_cdcgan"),
        (["experiment=ring8"], "ring8"),
        (["experiment=ring8", "model/loss=hinge"], "ring8"),
        (["experiment=digits_gan", "model=vae"], "digits_vae"),
        (["experiment=digits_gan", "model=vae", "run.name=mine/own"], "mine/own"),
    ],
)
def test_a_run_is_named_after_what_was_chosen(typed, name, monkeypatch):
    started = []
    monkeypatch.setattr("forger.run.train", lambda config: started.append(config.run.name) or 0)
    assert main(["train", *typed]) == 0
    assert started == [name]


def test_a_config_of_ones_own_without_groups_is_named_after_its_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where Hydra keeps its log
    (tmp_path / "own.yaml").write_text("run: {name: null}\ndata: {name: mine}\n")
    started = []
    monkeypatch.setattr("forger.run.train", lambda config: started.append(config.run.name) or 0)
    assert main(["train", "--config-path", str(tmp_path), "--config-name", "own"]) == 0
    assert started == [None]  # which `validate` fills with the name of the data


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_can_do_without_scores(experiment):
    assert validate(composed(f"experiment={experiment}", "metrics=none")).metrics.evaluations == {}


def thin(experiment):
    """What plays a recipe in a second: small batches, narrow networks."""
    model = composed(f"experiment={experiment}").model
    narrow = {"width": 4, "max_width": 8, "embedding": 4}
    widths = [
        f"model.{name}.{key}={value}"
        for name in model if OmegaConf.is_dict(model[name]) and not OmegaConf.is_interpolation(model, name)
        for key, value in narrow.items() if key in model[name]
    ]  # fmt: skip
    steps = ["model.steps=1"] if "steps" in model else []
    return ("data.batch_size=8", *widths, *steps)


def counterpart(experiment):
    """Whether the same is trained on digits, which is faster."""
    return experiment.startswith("fashion") and experiment.replace("fashion", "digits") in EXPERIMENTS


@pytest.mark.parametrize(
    "experiment", [pytest.param(name, marks=pytest.mark.long if counterpart(name) else ()) for name in EXPERIMENTS]
)
def test_every_experiment_trains(experiment, tmp_path, monkeypatch):
    monkeypatch.setattr("forger.metrics.evaluations.base.DRAWS", 2)
    files, data = (), experiment.partition("_")[0]
    if data == "fashion":
        _, *files = small_data.fashion(tmp_path / "files", monkeypatch)
    if data == "emoji":
        *_, few = small_data.emoji(tmp_path, monkeypatch)
        files = (few,)
    if data in PUBLISHED:
        (tmp_path / "files").mkdir()
        _, *places = PUBLISHED[data](tmp_path / "files", monkeypatch)
        files = (*places, "metrics=random")
    if data not in SMALL_DATA:
        files = (*files, *thin(experiment))
    batch = composed(f"experiment={experiment}", *files).data.batch_size
    length = (
        f"budget.images={2 * batch}",
        f"metrics.every_images={2 * batch}",
        f"samples.every_images={2 * batch}",
        f"checkpoint.every_images={2 * batch}",
    )
    record = trained(tmp_path, f"experiment={experiment}", *files, *length, "metrics.n=100").read()
    assert (record.status, record.images) == ("finished", 2 * batch)
    assert record.scores["final"]


def test_the_default_is_its_experiment():
    default, experiment = validate(composed()), validate(composed("experiment=digits_cgan"))
    assert determining(asdict(with_evaluations(default, digits()))) == determining(asdict(experiment))


def test_computed_values_are_shown_too(tmp_path):
    """By a process that imports no more than the command needs."""
    shown = unprepared("train", "model=vae", "data=fashion_mnist", "--cfg", "job", "--resolve", cwd=tmp_path)
    assert "r_loss_factor: 12250.0\n" in shown.stdout, shown.stderr
