"""Every key is typed; whatever is wrong ends in one line with the key, the value and what is allowed."""

import copy
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from omegaconf.errors import MissingMandatoryValue
from PIL import Image

from forger.config.schema import validate
from forger.errors import ConfigError

CONFIG: dict[str, Any] = {
    "seed": 0,
    "run": {"root": "runs", "name": "digits_cgan", "restart": False, "strict": False},
    "budget": {"images": 200_000, "minutes": None},
    "data": {
        "name": "digits",
        "source": {"_target_": "forger.data.images.digits"},
        "batch_size": 64,
        "size": 8,
        "channels": 1,
        "classes": 10,
    },
    "model": {"_target_": "torch.nn.Linear", "in_features": 3, "out_features": 4},
    "trainer": {"accelerator": "cpu", "devices": 1, "precision": "32-true", "threads": None},
    "metrics": {"every_images": 20_000, "n": 497, "seed": 0, "best": None, "evaluations": {}},
    "log": {"every": 20},
    "samples": {"every_images": 20_000, "n": 100},
    "checkpoint": {"every_images": 20_000},
    "watch": {"action": "warn"},
    "callbacks": {},
    "logger": {},
}


def with_value(key: str, value: Any) -> dict[str, Any]:
    config = copy.deepcopy(CONFIG)
    *parents, last = key.split(".")
    node = config
    for parent in parents:
        node = node[parent]
    node[last] = value
    return config


def refusal(config: dict[str, Any], **options: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        validate(config, **options)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_a_right_config_comes_back_with_defaults_filled_in() -> None:
    result = validate(CONFIG)
    assert vars(result.budget) == CONFIG["budget"]
    assert result.model == CONFIG["model"]
    assert result.trainer.deterministic is True
    assert result.data.dimension is None
    assert validate(asdict(result)) == result
    assert validate(OmegaConf.create(CONFIG)) == result


def test_a_group_can_be_left_to_its_defaults() -> None:
    config = copy.deepcopy(CONFIG)
    for group in ("trainer", "log", "watch", "callbacks", "logger", "seed"):
        del config[group]
    result = validate(config)
    assert result.watch.action == "warn"
    assert (result.seed, result.logger) == (0, {})


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("sedd", 3, "sedd=3: no such key of the config; did you mean 'seed'?"),
        ("seed", -1, "seed=-1: must be at least 0"),
        ("seed", "abc", "seed=abc: must be a whole number"),
        ("seed", "3", "seed=3: must be a whole number"),
        ("seed", True, "seed=true: must be a whole number"),
        ("seed", 0.5, "seed=0.5: must be a whole number"),
        ("seed", None, "seed=null: must be a whole number"),
        ("run", None, "run=null: must be a group of keys"),
        ("run.name", "../evil", "run.name=../evil: must be text that matches"),
        ("run.name", "/tmp", "run.name=/tmp: must be text that matches"),
        ("run.name", "a/../b", "run.name=a/../b: must be text that matches"),
        ("run.name", "", "run.name=: must be text that matches"),
        ("run.restart", "maybe", "run.restart=maybe: must be true or false"),
        ("run.restrat", True, "run.restrat=true: no such key of run; did you mean 'restart'?"),
        ("budget.images", 0, "budget.images=0: must be at least 1"),
        ("budget.images", 1.5, "budget.images=1.5: must be a whole number"),
        ("budget.minutes", 0, "budget.minutes=0: must be greater than 0"),
        ("budget.minutes", float("inf"), "budget.minutes=Infinity: must be a finite number"),
        ("budget.images", None, "budget: neither budget.images nor budget.minutes is set"),
        ("data", None, "data=null: must be a group of keys"),
        ("data", "digits", "data=digits: must be a group of keys"),
        ("data.source", "digits", "data.source=digits: must be a group of keys with _target_"),
        ("data.source", {"n": 3}, 'data.source={"n": 3}: must be a group of keys with _target_'),
        ("data.batch_size", 0, "data.batch_size=0: must be at least 1"),
        ("data.batchsize", 3, "did you mean 'batch_size'?"),
        ("model", {}, "model={}: must be a group of keys with _target_"),
        ("model", None, "model=null: must be a group of keys with _target_"),
        (
            "model.in_featurs",
            3,
            "model.in_featurs=3: no such key of torch.nn.Linear; did you mean 'in_features'?",
        ),
        ("trainer.accelerator", "gpuu", "trainer.accelerator=gpuu: no such choice; did you mean 'gpu'?"),
        ("trainer.precision", "bf16", "no such choice; (valid: 16-mixed, 32-true, bf16-mixed)"),
        ("trainer.precision", 16, "trainer.precision=16: must be one of '32-true', 'bf16-mixed'"),
        ("trainer.devices", 0, "trainer.devices=0: must be at least 1"),
        ("trainer.devices", "two", "trainer.devices=two: no such choice"),
        ("trainer.threads", 0, "trainer.threads=0: must be at least 1"),
        ("metrics.best", 3, "metrics.best=3: must be text"),
        ("metrics.evaluations", {"a": 3}, "metrics.evaluations.a=3: must be a group of keys with _target_"),
        ("metrics.n", 9, "metrics.n=9: must be at least 10"),
        ("watch.action", "stpo", "watch.action=stpo: no such choice; did you mean 'stop'?"),
        ("callbacks", None, "callbacks=null: must be a group of keys"),
        ("logger", [], "logger=[]: must be a group of keys"),
        ("logger.wandb", True, "logger.wandb=true: must be a group of keys with _target_"),
        (
            "callbacks.x",
            {"_target_": "torch.nn.Lineer"},
            "callbacks.x._target_=torch.nn.Lineer: nothing called",
        ),
        ("experiment", {"seed": 1}, "must be '# @package _global_'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(key: str, value: Any, said: str) -> None:
    assert said in refusal(with_value(key, value))


def test_a_missing_key_is_named() -> None:
    config = copy.deepcopy(CONFIG)
    del config["data"]["batch_size"]
    assert refusal(config) == "data.batch_size: missing; data needs it"
    del config["data"]
    assert refusal(config) == "data: missing; the config needs it"


def test_whole_floats_stand_for_integers() -> None:
    result = validate(with_value("budget.images", 1e5))
    assert result.budget.images == 100_000
    assert isinstance(result.budget.images, int)


@pytest.mark.parametrize("devices", [1, 2, -1, "auto", [0, 1]])
def test_devices_as_lightning_takes_them(devices: Any) -> None:
    assert validate(with_value("trainer.devices", devices)).trainer.devices == devices


@pytest.mark.parametrize("name", ["a", "sweep/seed_1", "grid25.2", "Größe"])
def test_names_of_runs(name: str) -> None:
    assert validate(with_value("run.name", name)).run.name == name


def test_a_missing_value_is_omegaconfs_own_error() -> None:
    with pytest.raises(MissingMandatoryValue, match="model"):
        validate(OmegaConf.create(with_value("model", "???")))


def test_a_strangers_config_can_name_only_what_is_on_the_list() -> None:
    validate(CONFIG, untrusted=True)
    for key, value in {
        "callbacks.x": {"_target_": "os.system", "command": "true"},
        "model.in_features": {"_target_": "builtins.eval"},
        "data.source": {"_target_": "forger.run_folder.RunFolder", "path": "/"},
    }.items():
        line = refusal(with_value(key, value), untrusted=True)
        assert line.startswith(f"{key}._target_=")
        assert "not allowed in a config that is not your own" in line
    for extractor in ("os.system", "evil.pt2"):
        quality = {
            "_target_": "forger.metrics.evaluations.sample_quality.SampleQuality",
            "extractor": extractor,
            "scores": ["fd"],
        }
        config = with_value("metrics.evaluations", {"quality": quality})
        assert f"metrics.evaluations.quality.extractor={extractor}: not allowed" in refusal(config, untrusted=True)


def test_what_follows_the_budget_in_images_needs_one() -> None:
    following = {"_target_": "torch.nn.Linear", "in_features": "${budget.images}", "out_features": 4}
    config = with_value("model", following) | {"budget": {"images": None, "minutes": 1.0}}
    assert refusal(OmegaConf.create(config)) == (
        "budget.images=null: model.in_features follows it; set budget.images as well (the run ends with whichever is "
        "over first), or give model.in_features a number of images of its own"
    )
    validate(OmegaConf.create(config | {"budget": {"images": 640, "minutes": 1.0}}))
    config["model"] |= {"in_features": None}
    assert refusal(OmegaConf.create(config)) == "model.in_features=null: must be a whole number"


SHIPPED = Path(__file__).parents[2] / "conf"


@pytest.mark.parametrize("path", sorted((SHIPPED / "data").glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_data_fit_the_schema(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if path.stem == "files":  # which looks at what is there
        (tmp_path / "files").mkdir()
        Image.new("L", (8, 8)).save(tmp_path / "files" / "one.png")
    monkeypatch.setenv("FORGER_DATA", str(tmp_path))
    data = OmegaConf.to_container(OmegaConf.create({"data": OmegaConf.load(path)}), resolve=True)
    assert isinstance(data, dict)
    assert validate(CONFIG | data).data.name == data["data"]["name"]
    validate(CONFIG | data, untrusted=True)
