"""Batches in parts: each player's share passes its networks bit by bit, which takes less memory."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from forger.errors import ConfigError
from forger.games.training.tensor_checks import copied
from forger.randomness import derived_seed, seed_layers

Batch = dict[str, Tensor]


class _Played(Protocol):
    seed: int
    iteration: int
    rank: int
    batches_a_round: int
    accumulate: int
    part: int

    @property
    def device(self) -> torch.device: ...

    def prepared(self, batch: Batch) -> Batch: ...


class Parts:
    """A round's batch in parts, prepared anew on each player's turn, as one pass of the whole leaves the networks.

    Forward passes change what some layers keep, such as the vectors of spectral norm: each part finds it as the whole
    would, and leaves its mean over the parts, as ranks do. What layers draw is drawn for each part by itself, but the
    same on each player's turn where the batch is prepared.

    Args:
        game: whose round it is.
        batch: of the loader.
        kept: what the layers of its networks keep (`forger.games.training.all_reduce.statistics`).
    """

    def __init__(self, game: _Played, batch: Batch, kept: Sequence[Tensor]) -> None:
        self._game, self._batch, self._kept = game, batch, kept
        self._first, self._versions = copied(kept), [tensor._version for tensor in kept]
        self._turns = 0

    def turn(self, player: str) -> Iterator[Batch]:
        """The prepared parts, between which the player's objective is computed."""
        game, before, after = self._game, copied(self._kept), list[list[Tensor]]()
        for part in range(game.accumulate):
            game.part = part
            self._restore(self._first)
            self._seed_layers()
            mine = game.prepared(parted(self._batch, game.batches_a_round, game.accumulate, game.part))
            if self._turns:  # on the first one the whole goes on from what its preparation leaves
                self._restore(before)
            self._seed_layers(player)
            yield mine
            after.append(copied(self._kept))
        self._restore([torch.stack(values).mean(0) for values in zip(*after, strict=True)])
        self._turns += 1
        game.part = 0

    def _restore(self, values: Iterable[Tensor]) -> None:
        for tensor, value, version in zip(self._kept, values, self._versions, strict=True):
            if tensor._version != version:  # a backward pass may wait for what forward passes leave alone
                tensor.copy_(value)

    def _seed_layers(self, *purpose: str) -> None:
        game = self._game
        seed_layers(derived_seed(game.seed, "layers", game.iteration, game.rank, game.part, *purpose), game.device)


def parted(batch: Batch, batches: int, parts: int, part: int) -> Batch:
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
