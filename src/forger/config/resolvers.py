"""What shipped configs compute from other values, for presets that follow the size of the pictures.

A value of the wrong type is left for the config's own check, which names the key.
"""

from collections.abc import Mapping
from math import prod
from typing import Any

from omegaconf import OmegaConf


def product(*factors: float) -> float | None:
    """``${product:15.625,${data.size},${data.size}}``: the factors multiplied."""
    return prod(factors) if all(isinstance(factor, int | float) for factor in factors) else None


def at_size(size: int, values: Mapping[int, Any]) -> Any:
    """``${at_size:${data.size},{8:64,28:32}}``: the value for the largest of the sizes that is not above ``size``."""
    fitting = [known for known in values if isinstance(size, int) and known <= size]
    value = values[max(fitting, default=min(values))]
    return OmegaConf.create(value) if isinstance(value, list) else value


OmegaConf.register_new_resolver("product", product, replace=True)
OmegaConf.register_new_resolver("at_size", at_size, replace=True)
