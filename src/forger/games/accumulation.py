"""Batches in parts: each player's share passes its networks bit by bit, which takes less memory."""

import torch
from torch import nn

from forger.errors import ConfigError


def parted(batch: dict[str, torch.Tensor], batches: int, parts: int, part: int) -> dict[str, torch.Tensor]:
    """One of ``parts`` equal parts, in order, of each of the ``batches`` that were joined into one."""
    return {
        name: torch.cat([each.chunk(parts)[part] for each in value.chunk(batches)]) for name, value in batch.items()
    }


def check_parts(game: nn.Module, parts: int) -> None:
    """Refuse parts where something takes the whole batch together, and so would change.

    Raises:
        ConfigError: what.
    """
    if parts == 1:
        return
    for name, module in game.named_modules():
        norm = isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training
        if (norm or getattr(module, "takes_whole_batches", False)) and not name.startswith("average"):
            what = f"model.{name} ({type(module).__name__})" if name else f"a {type(module).__name__}"
            raise ConfigError(
                f"trainer.accumulate={parts}: {what} takes a whole batch together, and parts would change it; "
                "set trainer.accumulate=1, or do without it"
            )
