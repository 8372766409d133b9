"""Checks a sweep file before its first trial."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from forger.config.explain import explain
from forger.errors import ConfigError, closest
from forger.sweeps.composing import configs
from forger.sweeps.definition import Definition

if TYPE_CHECKING:
    from forger.config.schema import Config, TrainerConfig


def check(definition: Definition) -> None:
    """Compose and check a run at the ends of the space, and look for the objective among what a run reports.

    Raises:
        ConfigError: the first fault.
    """
    from forger.config.schema import validate

    placed: list[TrainerConfig] = []
    with configs(definition.config_folders) as composed:

        def config(overrides: list[str], place: str) -> "Config":
            try:
                found = validate(composed("train", [*definition.overrides, *overrides]))
                if found.trainer not in placed:
                    placed.append(found.trainer)
                    _check_devices(definition, found.trainer)
                return found
            except Exception as error:
                line, _ = explain(error)
                raise ConfigError(f"{place}: {line}") from None

        # All parameters together, since a choice can add the keys that another parameter sets.
        first = {p.name: p.overrides(p.bounds[0]) for p in definition.space}
        base = config(_joined(first), "sweep.space")
        for parameter in definition.space:
            for value in parameter.bounds[1:]:
                config(_joined(first | {parameter.name: parameter.overrides(value)}), f"sweep.space.{parameter.name}")
    rungs = definition.rungs
    every = base.metrics.every_images
    if every is None:
        raise ConfigError("metrics.every_images=null: a run reports no score to judge it by")
    images = base.budget.images
    if images is not None and images < every:
        raise ConfigError(f"metrics.every_images={every}: no score before the end of the run, budget.images={images}")
    if definition.sweep.pruner != "none":
        if not rungs:
            raise ConfigError(f"sweep.rungs.first={definition.sweep.rungs.first}: not below the budget of a run")  # type: ignore[union-attr]
        if every > rungs[0]:
            raise ConfigError(f"sweep.rungs.first={rungs[0]}: no score by then, metrics.every_images={every}")
    _check_objective(definition, base)


def _check_devices(definition: Definition, trainer: "TrainerConfig") -> None:
    """Refuse devices that this machine lacks; those of a cluster's nodes can't be checked here."""
    from forger.config.placement import check_placement

    devices, gpus = trainer.devices, definition.sweep.gpus
    if definition.launcher.kind == "local":
        check_placement(trainer)
    if trainer.accelerator not in ("gpu", "cuda"):
        return
    wanted = max(devices) + 1 if isinstance(devices, list) else devices
    if isinstance(wanted, int) and wanted > gpus:
        raise ConfigError(f"trainer.devices={devices}: a trial has sweep.gpus={gpus}; set sweep.gpus={wanted}")
    if gpus > 1 and isinstance(wanted, int) and 0 < wanted < gpus:
        raise ConfigError(f"sweep.gpus={gpus}: a run takes trainer.devices={devices} of them; trainer=ddp takes all")


def _joined(overrides: Mapping[str, list[str]]) -> list[str]:
    return [text for texts in overrides.values() for text in texts]


def _check_objective(definition: Definition, config: "Config") -> None:
    """Score an untrained game, since the names of scores are not known before."""
    from forger.building import build_evaluations, build_game, load_data, prepare_torch
    from forger.default_evaluations import with_evaluations

    prepare_torch(config.trainer)
    data = load_data(config.data)
    metrics = with_evaluations(config, data).metrics
    game = build_game(config).eval()
    reported: set[str] = set()
    for evaluation in build_evaluations(metrics, data, game).values():
        reported |= set(evaluation.evaluate(game, data, "validation", n=metrics.n, seed=metrics.seed))
    for name in definition.objective:
        if name not in reported:
            raise ConfigError(f"sweep.objective.{name}: no run reports it; {closest(name, reported)}")
