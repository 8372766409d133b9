"""Tiles, and pictures on disk."""

import io
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torchvision.utils import make_grid

from forger.files import write_atomically
from forger.pictures.false_colors import visible

#: Tiles smaller than this are enlarged, pixel by pixel.
_TILE = 48


def tiles(images: Tensor, columns: int | None = None) -> Image.Image:
    """uint8 images (n, c, h, w) as tiles, row by row; nearly square without ``columns``."""
    columns = columns or round(len(images) ** 0.5 + 0.499)
    scale = max(1, _TILE // max(images.shape[2:]))
    images = visible(images.cpu()).repeat_interleave(scale, -1).repeat_interleave(scale, -2)
    picture = make_grid(images, columns, padding=2, pad_value=255)
    return Image.fromarray(picture.permute(1, 2, 0).to(torch.uint8).numpy())


def encoded(frames: list[Image.Image], format: str, seconds: float = 0.15) -> bytes:
    """The file that holds one frame, in this format of Pillow's, or several, as a GIF."""
    buffer = io.BytesIO()
    first, *rest = frames
    if rest:
        duration = [round(1000 * seconds)] * len(rest) + [2000]
        first.save(buffer, "GIF", save_all=True, append_images=rest, duration=duration, loop=0)
    else:
        first.save(buffer, format)
    return buffer.getvalue()


def save_picture(frames: list[Image.Image], path: Path, seconds: float = 0.15) -> None:
    """Write one frame in the format of the path's ending, or several as a GIF, atomically."""
    content = encoded(frames, Image.registered_extensions().get(path.suffix.lower(), "PNG"), seconds)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content)


def training_frames(folder: Path) -> list[Image.Image]:
    """A run's pictures through training, ``<images>.png``, in order."""
    paths = sorted(path for path in folder.glob("*.png") if path.stem.isdigit())
    return [Image.open(path).convert("RGB") for path in paths]
