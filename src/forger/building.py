"""A checked config as objects: data, game, evaluations."""

import inspect
import logging
import warnings
from collections.abc import Mapping
from typing import Any, get_args, get_origin

import torch
from hydra.utils import get_object

from forger.config.instantiation import built
from forger.config.schema import Config, DataConfig, MetricsConfig, TrainerConfig
from forger.data.dataset import Data
from forger.data.loader import Batches
from forger.data.pixels.ranges import ValueRange
from forger.errors import ConfigError, closest
from forger.games.base import Game
from forger.randomness import derived_seed


def prepare_torch(trainer: TrainerConfig) -> None:
    """Set the number of threads and silence warnings, before anything is computed."""
    if trainer.threads is not None:
        torch.set_num_threads(trainer.threads)
    # Deterministic algorithms would fill new tensors with NaN, which costs time and is overwritten anyway.
    torch.utils.deterministic.fill_uninitialized_memory = False  # pyright: ignore[reportAttributeAccessIssue]
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for unwanted in (".*LeafSpec.*", ".*litlogger.*", ".*GPU available but not used.*", ".*TF32.*"):
        warnings.filterwarnings("ignore", message=unwanted)
    warnings.filterwarnings("ignore", module=r"pytorch_lightning\..*")


def values_of(config: DataConfig) -> ValueRange:
    """What the pixels of the data are.

    Raises:
        ValueError: floats without a range.
    """
    return ValueRange.of(config.depth, config.range)


def check_declared(config: Config) -> None:
    """Refuse, before the data are read, what the config alone tells.

    Raises:
        ConfigError: a translation of data that have one domain; labels that the model, or one of its networks, is not
            told.
    """
    source = config.data.source["_target_"]
    one_domain = source.startswith("forger.data.") and not source.startswith("forger.data.pairs.")
    if one_domain and hasattr(get_object(config.model["_target_"]), "translate"):
        raise ConfigError(
            f"model: it translates between two domains, and data={config.data.name} has one; take "
            "data=unpaired_folders, paired_folder, side_by_side, digits_inverted, digits_rotated, digits_averaged, "
            "fashion_inverted or fashion_outlines"
        )
    _check_told(config)


def _check_told(config: Config) -> None:
    """Refuse a model that does not take the data's conditions, and networks that are told other labels than the game.

    Raises:
        ConfigError: which.
    """
    told, adds = config.model.get("classes", 0), "add +model/conditional=projection, which tells all of its networks"
    if isinstance(config.data.classes, list) and told != config.data.classes:
        none = "takes no conditions: choose model=cgan or cdcgan"
        line = (
            f"is told no conditions: {adds}"
            if _takes_classes(config.model) and _takes_conditions(config.model)
            else none
        )
        raise ConfigError(f"data.label: the model {line}, or leave data.label out")
    for name, part in config.model.items():
        if not (isinstance(part, Mapping) and _takes_classes(part)):
            continue
        key = "codes" if name == "generator" and config.model.get("codes") else "classes"
        given, needs_none = part.get("classes", 0), name == "discriminator" and _learns_classes(config.model)
        if given != config.model.get(key, 0) and not (needs_none and given == 0):
            raise ConfigError(f"model.{name}.classes: not model.{key}, of which the game tells it: {adds}")


def _takes_classes(node: Mapping[str, Any]) -> bool:
    return "_target_" in node and "classes" in inspect.signature(get_object(node["_target_"])).parameters


def _learns_classes(model: Mapping[str, Any]) -> bool:
    """Whether an objective teaches them to the discriminator, which then need not be told them."""
    nodes = (model.get("objectives") or {}).values()
    return any(getattr(get_object(node["_target_"]), "teaches_labels", False) for node in nodes)


def _takes_conditions(node: Mapping[str, Any]) -> bool:
    """Whether its ``classes`` may be several labels, not only how many classes there are."""
    kinds = get_args(inspect.signature(get_object(node["_target_"])).parameters["classes"].annotation)
    return any(get_origin(kind) is list for kind in kinds)


def load_data(config: DataConfig) -> Data:
    """The data set, checked against what the config declares."""
    data = built("data.source", config.source, _convert_="all")
    data.check(vars(config) | {"depth": values_of(config)})
    Batches(
        data.train, batch_size=config.batch_size, flip=config.flip, seed=0, position=int
    )  # raises for a bad size or flip
    return data


def build_game(config: Config) -> Game:
    """The game with its initial weights, a function of the seed."""
    torch.manual_seed(derived_seed(config.seed, "weights"))
    game = built("model", config.model, seed=config.seed, _convert_="all")
    game.values, game.accumulate = values_of(config.data), config.trainer.accumulate
    return game.to(memory_format=torch.channels_last)


def build_evaluations(metrics: MetricsConfig, data: Data, game: Game) -> dict[str, Any]:
    """The evaluations by name; they can take these data and this game."""
    evaluations = built("metrics.evaluations", metrics.evaluations)
    for name, evaluation in evaluations.items():
        for check, given, what in ((evaluation.check, data, f"data={data.name}"), (evaluation.fits, game, "model")):
            try:
                check(given)
            except ValueError as error:
                raise ConfigError(f"metrics.evaluations.{name} can't take {what}: {error}") from None
    _check_best(metrics.best, list(evaluations.values()))
    return evaluations


def _check_best(best: str | None, evaluations: list[Any]) -> None:
    """Refuse a best score that no evaluation computes, as far as that is known before the first evaluation."""
    names = [name for evaluation in evaluations for name in getattr(evaluation, "published", [best])]
    if best is not None and best not in names:
        hint = closest(best, names) if names else "no scores are computed; set it to null"
        raise ConfigError(f"metrics.best={best}: no such score; {hint}")
