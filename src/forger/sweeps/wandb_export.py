"""A sweep as a file for `wandb sweep` and `wandb agent`: for those who search with W&B's own server."""

from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from forger.errors import ConfigError
from forger.sweeps.composing import configs
from forger.sweeps.definition import Definition
from forger.sweeps.space import Parameter


def export(definition: Definition, out: str | None) -> int:
    """Write the file, or print it; 0."""
    text = OmegaConf.to_yaml(OmegaConf.create(document(definition)))
    if out is None:
        print(text, end="")
    else:
        Path(out).write_text(text, encoding="utf-8")
    return 0


def document(definition: Definition) -> dict[str, Any]:
    """What W&B's sweep schema calls a sweep configuration.

    Raises:
        ConfigError: several objectives, of which W&B's search knows one.
    """
    sweep = definition.sweep
    if len(definition.objective) > 1:
        raise ConfigError("export-wandb: a W&B sweep has one objective, this one several")
    ((name, direction),) = definition.objective.items()
    config: dict[str, Any] = {
        "name": definition.name,
        "program": "forger",
        "method": {"random": "random", "grid": "grid"}.get(sweep.sampler, "bayes"),
        "metric": {"name": f"score/{name}", "goal": direction},
        "run_cap": definition.trials,
        "parameters": {parameter.key: _parameter(parameter) for parameter in definition.space},
    }
    every = definition.run_config.metrics.every_images
    if sweep.rungs is not None and sweep.pruner in ("asha", "hyperband"):
        # W&B counts how often the metric was logged.
        config["early_terminate"] = {
            "type": "hyperband",
            "min_iter": max(1, sweep.rungs.first // every),
            "eta": sweep.rungs.factor,
        }
    # The logger is what a W&B sweep lives on, whatever the sweep file says.
    overrides = [*(text for text in definition.overrides if not text.startswith("logger=")), "logger=wandb"]
    with configs(definition.config_folder) as composed:
        account = composed("train", overrides).logger.wandb
    config |= {key: account[key] for key in ("project", "entity") if account[key] is not None}
    folder = [] if definition.config_folder is None else ["--config-dir", definition.config_folder]
    fixed = [f"run.name={definition.name}", f"trainer.threads={sweep.threads}", "logger.wandb.mode=online"]
    config["command"] = ["forger", "train", *folder, *overrides, *fixed, "${args_no_hyphens}"]
    return config


def _parameter(parameter: Parameter) -> dict[str, Any]:
    if parameter.values:
        return {"values": [value if isinstance(value, int | float) else text for value, text in parameter.values]}
    bounds = {"min": parameter.low, "max": parameter.high}
    if parameter.log:
        whole = {"distribution": "q_log_uniform_values", "q": 1} if parameter.whole else None
        return {**(whole or {"distribution": "log_uniform_values"}), **bounds}
    if parameter.step is not None and not (parameter.whole and parameter.step == 1):
        return {"values": parameter.points}
    return {"distribution": "int_uniform" if parameter.whole else "uniform", **bounds}
