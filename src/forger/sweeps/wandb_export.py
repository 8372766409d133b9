"""A sweep as a file for `wandb sweep` and `wandb agent`: for those who search with W&B's own server."""

import re
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from forger.errors import ConfigError
from forger.redaction import redacted
from forger.sweeps.composing import configs
from forger.sweeps.definition import Definition
from forger.sweeps.space import SearchParameter


def export(definition: Definition, out: str | None) -> int:
    """Write the file, or print it; 0."""
    exported = OmegaConf.create(document(definition))
    text = "".join(f"# {line}\n" for line in remarks(definition)) + OmegaConf.to_yaml(exported)
    if out is None:
        print(text, end="")
    else:
        Path(out).write_text(text, encoding="utf-8")
    return 0


def document(definition: Definition) -> dict[str, Any]:
    """What W&B's sweep schema calls a sweep configuration.

    Raises:
        ConfigError: several objectives, of which W&B's search knows one, or arms, of which it knows none.
    """
    sweep = definition.sweep
    if len(definition.objective) > 1:
        raise ConfigError("export-wandb: a W&B sweep has one objective, this one several")
    if sweep.arms:
        raise ConfigError("export-wandb: a W&B sweep varies single keys, and this one has sweep.arms")
    ((name, direction),) = definition.objective.items()
    config: dict[str, Any] = {
        "name": definition.name,
        "program": "forger",
        "method": {"random": "random", "grid": "grid"}.get(sweep.sampler, "bayes"),
        "metric": {"name": f"score/{name}", "goal": direction},
        "run_cap": definition.trials * (sweep.seeds if sweep.sampler == "grid" else 1),
        "parameters": {parameter.key: _parameter(parameter) for parameter in definition.space},
    }
    if sweep.seeds > 1 and sweep.sampler == "grid":
        first = int(definition.run_config.seed)
        config["parameters"]["seed"] = {"values": list(range(first, first + sweep.seeds))}
    every = definition.run_config.metrics.every_images
    if sweep.rungs is not None and sweep.pruner in ("asha", "hyperband"):
        # W&B counts how often the metric was logged.
        config["early_terminate"] = {
            "type": "hyperband",
            "min_iter": max(1, sweep.rungs.first // every),
            "eta": sweep.rungs.factor,
        }
    # A W&B sweep needs the logger, whatever the sweep file says.
    overrides = [*(text for text in definition.overrides if not text.startswith("logger=")), "logger=wandb"]
    with configs(definition.config_folders) as composed:
        account = composed("train", overrides).logger.wandb
    config |= {key: account[key] for key in ("project", "entity") if account[key] is not None}
    fixed = [f"run.name={definition.name}", f"trainer.threads={sweep.threads}", "logger.wandb.mode=online"]
    shown = [f"{_key(text)}=${{envvar:{_variable(text)}}}" if _is_secret(text) else text for text in overrides]
    config["command"] = ["forger", "train", *definition.config_flags, *shown, *fixed, "${args_no_hyphens}"]
    return config


def remarks(definition: Definition) -> list[str]:
    """What `forger sweep` does and W&B's search does not, and what W&B needs beside the file."""
    sweep = definition.sweep
    lines = [f"{definition.name} for W&B's own search. Killed and failed runs are not taken up again."]
    if sweep.seeds > 1 and sweep.sampler == "grid":
        lines.append(f"Each candidate's {sweep.seeds} seeds are runs of their own; compare means.")
    elif sweep.seeds > 1:
        lines.append(f"One seed a candidate, not {sweep.seeds}: the best of many may be the luckiest. Repeat it.")
    if sweep.sampler in ("tpe", "gp"):
        lines.append(f"W&B's bayes in place of {sweep.sampler}.")
    if sweep.pruner == "median":
        lines.append("Nothing in place of the median pruner.")
    elif sweep.pruner == "asha":
        lines.append("W&B's hyperband in place of asha.")
    secrets = {_variable(text): redacted(text) for text in definition.overrides if _is_secret(text)}
    lines += [f"Set {name} where the agent runs: the value of {text}" for name, text in secrets.items()]
    return lines


def _is_secret(override: str) -> bool:
    return redacted(override) != override


def _key(override: str) -> str:
    return override.partition("=")[0]


def _variable(override: str) -> str:
    """The variable that holds the value of an override that the file must not show."""
    return re.sub(r"\W+", "_", _key(override)).strip("_").upper()


def _parameter(parameter: SearchParameter) -> dict[str, Any]:
    if parameter.values:
        return {"values": [value if isinstance(value, int | float) else text for value, text in parameter.values]}
    bounds = {"min": parameter.low, "max": parameter.high}
    if parameter.log:
        whole = {"distribution": "q_log_uniform_values", "q": 1} if parameter.whole else None
        return {**(whole or {"distribution": "log_uniform_values"}), **bounds}
    if parameter.step is not None and not (parameter.whole and parameter.step == 1):
        return {"values": parameter.points}
    return {"distribution": "int_uniform" if parameter.whole else "uniform", **bounds}
