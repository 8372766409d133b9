"""Batches of a resident data set, functions of (seed, position): a position is all the state there is."""

import itertools
import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from forger.data.dataset import Split
from forger.randomness import generator

#: Bytes of the batches that are selected by one call.
_AT_ONCE = 2**19

log = logging.getLogger(__name__)


class Batches:
    """An endless stream of batches, each a dict of tensors sliced from the split on `device`.

    `position` tells how many global batches have been consumed; it is asked once, when iteration begins, and
    the stream goes on from there exactly as if it had never stopped. Each epoch is one permutation, a
    function of (seed, epoch); its ragged last batch is dropped. Of each global batch of `batch_size` samples
    the ranks take turns, so that together they see what one process would. The arrays of `split.independent`
    go through permutations of their own, over epochs of their own length. With `flip`, each image is mirrored
    left to right in half of the epochs, by (seed, epoch, index); images that belong together (`image`,
    `truth`) are mirrored together.

    Data that don't fit on the device stay in main memory, and those on disk stay there: they are shuffled by
    blocks (neighbours of the file stay within a window of 64 blocks) and fetched one batch ahead.

    Lightning iterates over it unchanged: it has no length, and is no DataLoader whose sampler could be replaced.

    Raises:
        ValueError: a batch larger than the data or not divisible by `world`, or flipped points.
    """

    def __init__(
        self,
        split: Split,
        *,
        batch_size: int,
        seed: int,
        position: Callable[[], int],
        rank: int = 0,
        world: int = 1,
        device: str | torch.device = "cpu",
        flip: bool = False,
    ) -> None:
        assert 0 <= rank < world
        if batch_size < 1 or batch_size % world:
            raise ValueError(f"data.batch_size={batch_size} can't be shared equally by {world} processes")
        tables = {"order": split.arrays, "order/independent": split.independent}
        for table in tables.values():
            for name, array in table.items():
                if len(array) < batch_size:
                    raise ValueError(
                        f"data.batch_size={batch_size} is larger than the data: {len(array)} of {name!r} "
                        f"to train on; set data.batch_size to {len(array) - len(array) % world} or less"
                    )
                if flip and name == "image" and array.ndim != 4:
                    raise ValueError("data.flip=true mirrors images; these data are points")
        self._tables = {tag: table for tag, table in tables.items() if table}
        resident = split.block is None and _fits([a for table in self._tables.values() for a in table.values()], device)
        self._place = torch.device(device if resident else "cpu")
        if resident:
            self._tables = {tag: {k: a.to(device) for k, a in table.items()} for tag, table in self._tables.items()}
        self._block = split.block
        self._batch_size, self._seed, self._position = batch_size, seed, position
        self._rank, self._world, self._device, self._flip = rank, world, torch.device(device), flip

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        position = self._position()
        streams = [self._stream(tag, table, position) for tag, table in self._tables.items()]
        rows = streams[0] if len(streams) == 1 else (a | b for a, b in zip(*streams, strict=True))
        if self._place == self._device and self._block is None:
            yield from rows
        else:
            for batch in _ahead(rows):
                yield {name: _moved(array, self._device) for name, array in batch.items()}

    def _stream(self, tag: str, table: Mapping[str, Tensor], position: int) -> Iterator[dict[str, Tensor]]:
        n = len(next(iter(table.values())))
        epoch, offset = divmod(position, n // self._batch_size)
        at_once = self._at_once(table)
        while True:
            batches = self._epoch(n, tag, epoch)
            mirrored = self._mirrored(n, tag, epoch)
            for part in batches[offset:].split(at_once):
                index = part.flatten()
                rows = [array.index_select(0, index) for array in table.values()]
                if mirrored is not None:
                    chosen = mirrored[index].reshape(-1, 1, 1, 1)
                    rows = [torch.where(chosen, a.flip(-1), a) if a.ndim == 4 else a for a in rows]
                for batch in zip(*(array.unflatten(0, part.shape).unbind() for array in rows), strict=True):
                    yield dict(zip(table, batch, strict=True))
            epoch, offset = epoch + 1, 0

    def _at_once(self, table: Mapping[str, Tensor]) -> int:
        """How many batches to select by one call: as many small ones as stay in a cache; of what is on disk, one."""
        if self._block is not None:
            return 1
        row = sum(array[0].numel() * array.element_size() for array in table.values())
        return max(1, _AT_ONCE // (row * (self._batch_size // self._world)))

    def _epoch(self, n: int, tag: str, epoch: int) -> Tensor:
        """This rank's indices for every batch of an epoch, int64 (batches, batch_size / world)."""
        stream = generator(self._seed, tag, epoch)  # on the CPU: the same on any device
        order = torch.randperm(n, generator=stream) if self._block is None else by_blocks(n, self._block, stream)
        batches = order[: n - n % self._batch_size].reshape(-1, self._batch_size)
        return batches[:, self._rank :: self._world].contiguous().to(self._place)

    def _mirrored(self, n: int, tag: str, epoch: int) -> Tensor | None:
        if not self._flip:
            return None
        coins = torch.randint(2, (n,), generator=generator(self._seed, tag, "flip", epoch))
        return coins.bool().to(self._place)


class Stream:
    """An iterable that yields the stream of batches itself, so that one training step can take several batches."""

    def __init__(self, batches: Batches) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[Iterator[dict[str, Tensor]]]:
        return itertools.repeat(iter(self.batches))


def share(n: int, rank: int, world: int) -> Tensor:
    """This rank's part of range(n) when nothing may be done twice: int64, rank, rank + world, …"""
    return torch.arange(rank, n, world)


def by_blocks(n: int, block: int, stream: torch.Generator, window: int = 64) -> Tensor:
    """A permutation of range(n), int64 (n,), that reads a file nearly in order.

    The blocks of `block` consecutive indices are shuffled, then the indices within each `window` of blocks.
    """
    starts = torch.randperm(-(-n // block), generator=stream) * block
    order = (starts[:, None] + torch.arange(block)).flatten()
    order = order[order < n]
    parts = order.split(window * block)
    return torch.cat([part[torch.randperm(len(part), generator=stream)] for part in parts])


def _fits(arrays: list[Tensor], device: str | torch.device) -> bool:
    """Whether the data leave at least half of the device's free memory to the game."""
    if torch.device(device).type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    need = sum(array.numel() * array.element_size() for array in arrays)
    if need > free // 2:
        log.info("data of %.1f GB stay in main memory: %s has %.1f GB free", need / 1e9, device, free / 1e9)
    return need <= free // 2


def _ahead(batches: Iterator[dict[str, Tensor]]) -> Iterator[dict[str, Tensor]]:
    """The same batches, each fetched while the one before is in use."""
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(next, batches)
        while True:
            batch = following.result()
            following = pool.submit(next, batches)
            yield batch


def _moved(array: Tensor, device: torch.device) -> Tensor:
    return array.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else array
