"""Training as `forger train` does it, in the process that asks for it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf, open_dict

from forger.api.guarding import guarded
from forger.api.handle import Run
from forger.config.layers import own_folders
from forger.config.placement import check_launcher, is_distributed
from forger.errors import ConfigError, ForgerError, Interrupted
from forger.lifecycle.composing import main_config, run_name
from forger.run import outcome
from forger.sweeps.composing import parsed_override, text_of


def train(
    *overrides: str,
    origin: str | Path | Run | None = None,
    config_dir: str | Path | Sequence[str | Path] = (),
    trust: bool = False,
    **values: Any,
) -> Run:
    """Train as ``forger train`` does: the same run in the same folder, with the same weights.

    Finished, it is only reported; interrupted, it goes on. What it says goes to stderr.

    Args:
        overrides: in Hydra's syntax, as on the command line: "experiment=digits_gan", "budget.images=50_000".
        origin: a run, with whose config and weights to begin (``--from``).
        config_dir: your own folders of configs in front of the shipped ones (``--config-dir``).
        trust: take whatever the config of `origin` names.
        values: more overrides, by key: ``seed=3``, ``**{"budget.images": 50_000}``.

    Returns:
        The run, finished, trusted.

    Raises:
        ConfigError: the config is wrong, or needs several processes; nothing has been started.
        ForgerError: the training failed, diverged, or was stopped by the watch or a signal.
    """
    with guarded():
        typed = [*overrides, *(f"{key}={text_of(value)}" for key, value in values.items())]
        for text in typed:
            if parsed_override(text).is_sweep_override():
                raise ConfigError(f"{text}: several values, and this trains one run; `forger train -m` trains each")
        folders = [config_dir] if isinstance(config_dir, str | Path) else config_dir
        own = own_folders([str(folder) for folder in folders])
        begun = origin.path if isinstance(origin, Run) else origin
        with main_config(typed, own, None if begun is None else str(begun), trust=trust) as (main, adapted):
            config = _composed(main, adapted)
            if is_distributed(config):
                raise ConfigError(f"trainer.devices={config.trainer.devices}: several processes; use `forger train`")
            check_launcher()
            code, folder = outcome(config)
        if code >= 128:
            raise Interrupted(code - 128)
        if code:
            raise ForgerError(f"{folder}: {folder.read().status}; {folder.log_file} says why")
        return Run(folder.path, trust=True)


def _composed(main: Path, overrides: list[str]) -> Any:
    """The config as Hydra's own entry point would give it to the command, and its account of it for the record."""
    with initialize_config_dir(str(main), version_base="1.3"):
        config = compose("train", overrides, return_hydra_config=True)
    HydraConfig.instance().set_config(config)
    job = HydraConfig.get()
    name = run_name(job.runtime.choices, job.overrides.task)
    OmegaConf.set_readonly(config, False)
    with open_dict(config):
        del config["hydra"]
        config.run.name = config.run.name or name
    return config
