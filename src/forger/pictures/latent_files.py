"""Files of latents: .npz with ``z`` (n, latent), ``labels`` (n,), -1 for none, or (n, k), and what else is known."""

import io
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from forger.errors import ConfigError
from forger.files import write_atomically


def write(path: Path, z: Tensor, labels: Tensor | None, **about: NDArray[Any]) -> None:
    """Write latents, labels and further arrays of the same length."""
    buffer = io.BytesIO()
    asked = np.full(len(z), -1, np.int64) if labels is None else labels.numpy()
    np.savez(buffer, allow_pickle=False, z=z.numpy(), labels=asked, **about)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, buffer.getvalue())


def read(path: Path, game: Any) -> tuple[Tensor, Tensor | None]:
    """Latents (n, latent) in a file, and the classes (n,) or conditions (n, k) of a game that has any.

    Raises:
        ConfigError: it is no such file, or not of this game.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            z, labels = arrays["z"], arrays.get("labels")
    except (OSError, ValueError, KeyError, IndexError, EOFError, BadZipFile) as error:
        raise ConfigError(f"{path}: no .npz with an array z ({error})") from None
    if z.ndim != 2 or z.shape[1] != game.latent or z.dtype.kind != "f" or not len(z) or not np.isfinite(z).all():
        raise ConfigError(f"{path}: z must be finite floats (n, {game.latent}), and is {z.dtype} {z.shape}")
    latents, width, classes = torch.from_numpy(z.astype(np.float32)), len(game.conditions), getattr(game, "classes", 0)
    if not width and not classes:
        return latents, None
    shape = (len(z), width) if width else (len(z),)
    if labels is None or labels.shape != shape or labels.dtype.kind not in ("f" if width else "iu"):
        raise ConfigError(f"{path}: labels must be {'floats' if width else 'whole numbers'} {shape}")
    if not width and not ((labels >= 0) & (labels < classes)).all():
        raise ConfigError(f"{path}: labels must be classes from 0 to {classes - 1}")
    return latents, torch.from_numpy(labels.astype(np.float32 if width else np.int64))
