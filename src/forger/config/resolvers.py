"""What shipped configs compute from other values, for presets that follow the size of the pictures.

A value of the wrong type is left for the config's own check, which names the key.
"""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from forger.errors import ConfigError


def product(*factors: float | Sequence[float]) -> float | None:
    """``${product:15.625,${shape:${data.channels},${data.size}}}``: the factors, and those in lists, multiplied."""
    flat = [each for factor in factors for each in _sides(factor)]
    return prod(flat) if all(isinstance(factor, int | float) for factor in flat) else None


def shape(channels: int, size: int | Sequence[int]) -> Any:
    """``${shape:${data.channels},${data.size}}``: channels, height and width of the pictures."""
    both = _sides(size)
    return OmegaConf.create([channels, *(both if len(both) == 2 else (size, size))])


def at_size(size: int | Sequence[int], values: Mapping[int, Any]) -> Any:
    """``${at_size:${data.size},{8:64,28:32}}``: the value for the largest of the sizes that is not above ``size``.

    Of a height and a width the shorter counts.
    """
    fitting = [known for known in values if all(isinstance(side, int) and known <= side for side in _sides(size))]
    value = values[max(fitting, default=min(values))]
    return OmegaConf.create(value) if isinstance(value, list) else value


def _sides(size: Any) -> Sequence[Any]:
    return size if isinstance(size, Sequence) and not isinstance(size, str) else [size]


def seen(key: str, root: str, label: Any = None, splits: DictConfig | None = None, *, _root_: DictConfig) -> Any:
    """``${seen:size,${data.root},${data.label},${data.splits}}``: size, channels or classes of the pictures at a place.

    Each config looks once.

    Raises:
        ConfigError: the place can't be read, or root or label is nothing that names one.
    """
    label = OmegaConf.to_container(label) if OmegaConf.is_config(label) else label
    for name, value, fits in (("root", root, isinstance(root, str)), ("label", label, _names(label))):
        if not fits:
            raise ConfigError(f"data.{name}={value}: must be text" + ", a list or a group of names" * (name == "label"))
    folders = OmegaConf.to_container(splits) if isinstance(splits, DictConfig) else splits
    looked, about = OmegaConf.get_cache(_root_)["seen"], (root, repr(label), str(folders))
    if about not in looked:
        try:
            looked[about] = get_object("forger.data.files.seen")(root, label, folders)  # by name, like any source
        except (OSError, ValueError) as error:
            line = str(error)
            raise ConfigError(line if line.startswith("data.") else f"data.root: {line}") from error
    value = looked[about][key]
    return OmegaConf.create(value) if isinstance(value, list) else value


def _names(label: Any) -> bool:
    """Whether this may be `data.label`: nothing, a column, or one or more of them."""
    columns = list(label) if isinstance(label, list | dict) else [label]
    return label is None or (bool(columns) and all(isinstance(column, str) for column in columns))


def held(label: Any) -> Any:
    """``${held:${data.label}}``: of CelebA's attributes 2 classes for one, conditions for several, 0 for none."""
    if label is None or isinstance(label, str):
        return 2 if label else 0
    return OmegaConf.create([{"name": str(name), "values": ["-1", "1"]} for name in label])


def takes_pairs(*, _root_: DictConfig) -> bool:
    """``${takes_pairs:}``: whether the model is one that is trained on pairs of pictures."""
    return str(OmegaConf.select(_root_, "model._target_")).startswith("forger.games.paired.")


def value_range(depth: str, root: str, *division: Any) -> Any:
    """``${value_range:${data.depth},${data.root},…}``: of floats the extremes of what is trained on, else null.

    Raises:
        ConfigError: the place can't be read.
    """
    if depth != "float32" or not isinstance(root, str):
        return None
    plain = [OmegaConf.to_container(part) if OmegaConf.is_config(part) else part for part in division]
    try:
        return OmegaConf.create(get_object("forger.data.files.extremes")(root, *plain))
    except (OSError, ValueError) as error:
        line = str(error)
        raise ConfigError(line if line.startswith("data.") else f"data.root: {line}") from error


OmegaConf.register_new_resolver("seen", seen, replace=True)
OmegaConf.register_new_resolver("held", held, replace=True)
OmegaConf.register_new_resolver("takes_pairs", takes_pairs, replace=True)
OmegaConf.register_new_resolver("value_range", value_range, replace=True)
OmegaConf.register_new_resolver("product", product, replace=True)
OmegaConf.register_new_resolver("shape", shape, replace=True)
OmegaConf.register_new_resolver("at_size", at_size, replace=True)
