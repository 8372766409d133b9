"""Pictures of what a game makes."""

import io
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torchvision.utils import make_grid

from forger.data.ranges import to_uint8
from forger.games.base import Game
from forger.records import write_atomically

#: Pictures are enlarged, pixel by pixel, until a tile is at least this wide.
_TILE = 48


def natural_picture(game: Game, n: int, stream: torch.Generator) -> Image.Image:
    """What the game draws when nobody asks for anything special: a grid of ``n`` samples."""
    return grid(to_uint8(game.sample(n, generator=stream)))


def grid(images: Tensor, columns: int | None = None) -> Image.Image:
    """uint8 images (n, c, h, w) as tiles, row by row; nearly square without ``columns``."""
    columns = columns or round(len(images) ** 0.5 + 0.499)
    scale = max(1, _TILE // images.shape[-1])
    images = images.repeat_interleave(scale, -1).repeat_interleave(scale, -2).cpu()
    if images.shape[1] not in (1, 3):
        images = images[:, :3] if images.shape[1] > 3 else images[:, :1]
    tiles = make_grid(images, columns, padding=2, pad_value=255)
    return Image.fromarray(tiles.permute(1, 2, 0).numpy())


def save_picture(picture: Image.Image, path: Path) -> None:
    """Write a PNG atomically."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, buffer.getvalue())
