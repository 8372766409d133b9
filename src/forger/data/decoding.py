"""Picture files of any size and mode to uint8 tensors, once, before training; every error names its file."""

import logging
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

Channels = Literal[1, 3, 4]
MODES: dict[int, str] = {1: "L", 3: "RGB", 4: "RGBA"}
#: Formats of pictures, by Pillow's names: where it was built without one of them, files of that one are left out.
FORMATS = {"AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP"}
log = logging.getLogger(__name__)


def converted(picture: Image.Image, channels: int) -> tuple[Image.Image, str | None]:
    """A picture as 8-bit grey (1 channel), RGB (3) or RGBA (4); and a note where that loses something.

    EXIF orientation is applied. Transparency is composited on white (kept with 4 channels), a palette looked
    up.

    Raises:
        ValueError: more than 8 bits a channel, which Pillow would cut or clip in silence.
    """
    stored = [str(tile[3]) for tile in getattr(picture, "tile", [])]  # "RGB;16B" where the mode says RGB
    if picture.mode.startswith(("I", "F")) or any(re.search(r";16[BLN]", raw) for raw in stored):
        raise ValueError(f"more than 8 bits a channel (mode {picture.mode}): convert it to 8 bits first")
    picture = ImageOps.exif_transpose(picture)
    mode = MODES[channels]
    if picture.has_transparency_data and channels != 4:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
        return picture.convert(mode), "transparency composited on white"
    if picture.mode == mode:
        return picture, None
    done = None
    if channels == 1 and picture.mode != "1":
        done = "colour reduced to luma"
    elif picture.mode == "P":
        done = "palette looked up"
    return picture.convert(mode), done


def square(picture: Image.Image, size: int) -> Image.Image:
    """The largest centred square of a picture, resized to `size` with an antialiased bicubic filter."""
    width, height = picture.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    if width == height == size:
        return picture
    # Cut first: with resize's own `box` the filter would reach beyond the square.
    middle = picture.crop((left, top, left + side, top + side))
    return middle.resize((size, size), Image.Resampling.BICUBIC)


def as_tensor(picture: Image.Image) -> Tensor:
    """uint8 (c, h, w)."""
    pixels = torch.from_numpy(np.array(picture))
    return pixels.reshape(picture.height, picture.width, -1).permute(2, 0, 1)


def read(
    name: str, opened: Callable[[], Image.Image], channels: int, size: int | None = None
) -> tuple[Tensor, list[str]]:
    """One picture as uint8 (channels, h, w), made a square of `size` if given; notes on what was done.

    Raises:
        ValueError: it is no readable 8-bit picture; the message begins with `name`.
        FileNotFoundError: its file is missing.
    """
    try:
        with opened() as whole:
            picture, done = converted(whole, channels)
            notes = [done] if done else []
            if size is not None:
                if min(picture.size) < size:
                    notes.append(f"enlarged to {size}")
                picture = square(picture, size)
            return as_tensor(picture), notes
    except FileNotFoundError:
        raise FileNotFoundError(f"{name} is missing") from None
    except Exception as error:  # OSError, SyntaxError, struct.error, …, as the damage has it
        why = str(error) if "8 bits" in str(error) else f"can't be read ({error}): replace or remove it"
        raise ValueError(f"{name}: {' '.join(why.split())}") from error


def decode(path: Path, channels: int, size: int | None = None) -> tuple[Tensor, list[str]]:
    """`read` of a picture file, which the errors name by its path."""
    return read(str(path), lambda: Image.open(path), channels, size)


def log_conversions(notes: Mapping[str, int], n: int, folder: Path) -> None:
    """Say what was converted, in one line of the log."""
    if notes:
        done = ", ".join(f"{count} {note}" for note, count in sorted(notes.items()))
        log.info("%d pictures from %s: %s", n, folder, done)


@cache
def suffixes() -> frozenset[str]:
    """The suffixes of files that are read as pictures, in small letters."""
    Image.init()
    known = Image.registered_extensions().items()
    return frozenset(suffix for suffix, format in known if format in FORMATS and format in Image.OPEN)


def listing(root: Path) -> list[Path]:
    """The picture files below a folder, relative to it, sorted; hidden ones left out.

    Links to folders are followed, each once, and none that leads back to a folder that it lies in. One line in the log
    counts the files that are left out since their suffix is none of a picture.

    Raises:
        FileNotFoundError: there is no folder.
        ValueError: no picture is in it, or a name is not UTF-8.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"there is no folder {root}: put the pictures there, or name another")
    found: list[Path] = []
    others = Counter[str]()
    followed: set[Path] = set()
    for place, folders, names in os.walk(root, followlinks=True):  # Path.rglob skips linked subfolders
        shown = sorted(name for name in folders if not name.startswith("."))
        folders[:] = [name for name in shown if _is_to_follow(Path(place, name), root, followed)]
        for name in names:
            path = (Path(place) / name).relative_to(root)
            check_name(path.as_posix(), root)
            if name.startswith("."):
                continue
            if path.suffix.lower() in suffixes():
                found.append(path)
            else:
                others[path.suffix.lower() or "without a suffix"] += 1
    left_out = ", ".join(f"{count} {suffix}" for suffix, count in sorted(others.items()))
    if not found:
        has = f"; it has {left_out}" if others else ""
        raise ValueError(f"no pictures in {root} (looked for {' '.join(sorted(suffixes()))}, in subfolders too){has}")
    if others:
        log.info("%s: left out what is no picture by its suffix: %s", root, left_out)
    return sorted(found, key=Path.as_posix)


def check_name(name: str, place: Path | str) -> None:
    """Refuse the name of a picture that is not UTF-8, which no table, log or page could show.

    Raises:
        ValueError: it is not.
    """
    if not name.isascii() and any("\ud800" <= letter <= "\udfff" for letter in name):
        raise ValueError(f"{place}: the name {os.fsencode(name)!r} is not UTF-8: rename it")


def _is_to_follow(folder: Path, root: Path, followed: set[Path]) -> bool:
    """Whether a folder is to be looked into; links are added to those that were followed.

    A link is not if it leads to a folder that it lies in, on the way from ``root`` that led here, or was followed on
    another way: of folders that link to each other there would be as many ways as orders of them.
    """
    if not folder.is_symlink():
        return True
    link = folder.parent.resolve() / folder.name
    above = (path for path in folder.parents if path.is_relative_to(root))
    if link in followed or any(path.resolve().is_relative_to(folder.resolve()) for path in above):
        return False
    followed.add(link)
    return True
