"""Random streams as functions of (seed, purpose, position), so that a position is all the state there is."""

import hashlib

import torch


def derived_seed(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed from a run's seed and any number of tags (purpose, iteration, index)."""
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def generator(seed: int, *purpose: str | int, device: str | torch.device = "cpu") -> torch.Generator:
    """A generator whose stream depends on nothing but the arguments.

    The same arguments give the same stream in every process; different devices give different numbers.
    """
    return torch.Generator(device=device).manual_seed(derived_seed(seed, *purpose))
