"""What shipped configs compute from other values, for presets that follow the size of the pictures."""

from math import prod

from omegaconf import OmegaConf


def product(*factors: float) -> float:
    """``${product:15.625,${data.size},${data.size}}``: the factors multiplied."""
    return prod(factors)


OmegaConf.register_new_resolver("product", product, replace=True)
