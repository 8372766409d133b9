"""Configs of runs, composed as `forger train` composes them."""

from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from forger.config.shipped import conf_folder


def composed(*overrides: str) -> DictConfig:
    """The config of `forger train` with these overrides."""
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        return compose("train", list(overrides))
