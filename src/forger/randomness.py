"""Random streams as functions of (seed, purpose, position), so that a position is all the state there is."""

import hashlib
from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def derived_seed(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed from a run's seed and any number of tags (purpose, iteration, index)."""
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def generator(seed: int, *purpose: str | int, device: str | torch.device = "cpu") -> torch.Generator:
    """A generator whose stream depends on nothing but the arguments.

    The same arguments give the same stream in every process; different devices give different numbers.
    """
    return torch.Generator(device=device).manual_seed(derived_seed(seed, *purpose))


class Noise:
    """Random numbers for one rank's share of a batch, drawn for the whole batch: all ranks together get what one would.

    Shapes are local, (n, …), and each rank's share is every ``world``-th sample, as the loader deals batches.

    Args:
        stream: the generator, the same on every rank, or a function that makes it when something is first drawn.
        rank: this process.
        world: how many processes there are.
        part: which of the parts, one after the other, into which the rank's share is cut.
        parts: how many of those there are.
    """

    def __init__(
        self,
        stream: torch.Generator | Callable[[], torch.Generator],
        rank: int = 0,
        world: int = 1,
        part: int = 0,
        parts: int = 1,
    ) -> None:
        self._stream = stream
        self._rank, self._world = rank, world
        self._part, self._parts = part, parts

    def normal(self, shape: Sequence[int]) -> Tensor:
        """Standard normal numbers, float32, on the generator's device."""
        return self._drawn(torch.randn, shape)

    def uniform(self, shape: Sequence[int]) -> Tensor:
        """Numbers from [0, 1), float32, on the generator's device."""
        return self._drawn(torch.rand, shape)

    def _drawn(self, draw: Callable[..., Tensor], shape: Sequence[int]) -> Tensor:
        if not isinstance(self._stream, torch.Generator):
            self._stream = self._stream()
        n, stream = shape[0], self._stream
        everyones = draw((n * self._parts * self._world, *shape[1:]), generator=stream, device=stream.device)
        return everyones[self._rank :: self._world][self._part * n : (self._part + 1) * n]


def seed_layers(seed: int, device: torch.device) -> None:
    """Seed the streams that dropout and its like draw from: the CPU's, and a GPU's if that is the device."""
    # torch.manual_seed would also record a traceback for each backend that is not initialised.
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
