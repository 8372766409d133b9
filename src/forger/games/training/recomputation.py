"""Gradient checkpointing (Chen et al., 2016): blocks whose activations are computed again in the backward pass."""

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from forger.errors import ConfigError, first_few


def recompute(game: nn.Module, patterns: Sequence[str]) -> None:
    """Have blocks keep their inputs alone, from the forward pass to the backward pass, in training.

    Weights stay bit-identical; a round takes up to a third more time.

    Args:
        game: whose modules they are.
        patterns: of `fnmatch`, for names such as ``discriminator.stages.*``, of which the outermost that match count.

    Raises:
        ConfigError: a pattern that no name matches, or a block that another forward pass would change.
    """
    blocks = {
        name: module
        for name, module in game.named_modules()
        if name and not name.startswith("average") and any(True for _ in module.parameters())
    }
    chosen: dict[str, nn.Module] = {}
    for pattern in patterns:
        matched = [name for name in blocks if fnmatchcase(name, pattern)]
        if not matched:
            raise ConfigError(f"trainer.recompute={pattern}: no block of this name; there are {first_few(blocks)}")
        chosen |= {name: blocks[name] for name in matched}
    for name, module in chosen.items():
        if any(name.startswith(f"{outer}.") for outer in chosen):
            continue
        for inner, part in module.named_modules():
            if isinstance(part, _BatchNorm) or "SpectralNorm" in type(part).__name__:
                place = f"model.{name}.{inner}".rstrip(".")
                raise ConfigError(
                    f"trainer.recompute: {place} ({type(part).__name__}) changes with each forward pass, so it can't "
                    "be computed again; leave it out, or choose a network without it"
                )
        module.forward = _recomputed(module, module.forward)


def _recomputed(module: nn.Module, forward: Callable[..., Any]) -> Callable[..., Any]:
    def recomputed(*inputs: Any) -> Any:
        if not (module.training and torch.is_grad_enabled()):
            return forward(*inputs)
        return checkpoint(forward, *inputs, use_reentrant=False)

    return recomputed
