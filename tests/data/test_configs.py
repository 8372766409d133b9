"""Every config of the group `data`: its source takes these keywords and is what the config declares."""

import inspect
from pathlib import Path

import pytest
from hydra.utils import get_method
from omegaconf import OmegaConf

from data.pictures import write
from running import without

CONFIGS = sorted((Path(__file__).parents[2] / "conf" / "data").glob("*.yaml"))
OFFLINE = [path for path in CONFIGS if "root:" not in path.read_text()]


def load(path):
    config = OmegaConf.create({"data": OmegaConf.load(path)})
    return OmegaConf.to_container(config, resolve=True)["data"]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_configs_fit_the_signature_of_their_source(path, monkeypatch, tmp_path):
    monkeypatch.setenv("FORGER_DATA", str(tmp_path))
    write(tmp_path / "files" / "a.png")  # where `data=files` looks
    config = load(path)
    assert config["name"] == path.stem
    assert isinstance(config["classes"], int)
    assert ("dimension" in config) != ("size" in config and "channels" in config)
    files = "fashion_mnist" if path.stem.startswith("fashion_") else path.stem
    assert config.get("root", str(tmp_path / files)) == str(tmp_path / files)
    source = config["source"]
    target = get_method(source.pop("_target_"))
    signature = inspect.signature(target)
    signature.bind(**source)
    assert all(parameter.annotation is not parameter.empty for parameter in signature.parameters.values())


@pytest.mark.parametrize("path", OFFLINE, ids=lambda path: path.stem)
def test_offline_sets_are_what_their_config_declares(path):
    config = load(path)
    source = config["source"]
    try:
        data = get_method(source.pop("_target_"))(**source)
    except FileNotFoundError:
        assert path.stem == "emoji"
        without("emoji", "fonts-noto-color-emoji unicode-data")
    data.check(config)
    assert config["classes"] == data.classes
    assert len(data.train) >= config["batch_size"]
