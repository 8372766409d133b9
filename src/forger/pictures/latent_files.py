"""Files of latents, .npz: ``z`` (n, latent), or ``w`` (n, style), ``labels`` (n,), -1 for none, or (n, k), and more."""

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
from forger.pictures.latents import has_styles


def write(path: Path, z: Tensor, labels: Tensor | None, space: str = "z", **about: NDArray[Any]) -> None:
    """Write latents, which lie in z or w, labels and further arrays of the same length."""
    buffer = io.BytesIO()
    asked = np.full(len(z), -1, np.int64) if labels is None else labels.numpy()
    np.savez(buffer, allow_pickle=False, **{space: z.numpy()}, labels=asked, **about)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, buffer.getvalue())


def read(path: Path, game: Any) -> tuple[Tensor, Tensor | None]:
    """Latents (n, latent) in a file, or styles (n, layers, style), which need no labels; the classes (n,) or conditions
    (n, k) of a game that has any.

    Raises:
        ConfigError: it is no such file, or not of this game.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            styled = game.style_shape if has_styles(game) and "w" in arrays else None
            space = "w" if styled else "z"
            z, labels = arrays[space], arrays.get("labels")
    except (OSError, ValueError, KeyError, IndexError, EOFError, BadZipFile) as error:
        raise ConfigError(f"{path}: no .npz with an array z ({error})") from None
    size = styled[1] if styled else game.latent
    if z.ndim != 2 or z.shape[1] != size or z.dtype.kind != "f" or not len(z) or not np.isfinite(z).all():
        raise ConfigError(f"{path}: {space} must be finite floats (n, {size}), and is {z.dtype} {z.shape}")
    latents = torch.from_numpy(z.astype(np.float32))
    if styled:
        return latents[:, None].expand(-1, styled[0], -1), None
    width, classes = len(game.conditions), getattr(game, "classes", 0)
    if not width and not classes:
        return latents, None
    shape = (len(z), width) if width else (len(z),)
    if labels is None or labels.shape != shape or labels.dtype.kind not in ("f" if width else "iu"):
        raise ConfigError(f"{path}: labels must be {'floats' if width else 'whole numbers'} {shape}")
    if not width and not ((labels >= 0) & (labels < classes)).all():
        raise ConfigError(f"{path}: labels must be classes from 0 to {classes - 1}")
    return latents, torch.from_numpy(labels.astype(np.float32 if width else np.int64))
