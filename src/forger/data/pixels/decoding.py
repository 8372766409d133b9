"""Picture files of any size and mode to tensors, once, before training; every error names its file."""

import logging
import os
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from PIL.TiffImagePlugin import TiffImageFile
from torch import Tensor

from forger.data.pixels import dicom
from forger.data.pixels.depth import as_depth, deepened, depth_of, whole
from forger.data.pixels.layout import Layout, Pixels
from forger.data.pixels.planes import Planes, open_picture, tiff_planes, unseen_channels
from forger.errors import Unfit

MODES: dict[int, str] = {1: "L", 3: "RGB", 4: "RGBA"}
#: Formats of pictures, by Pillow's names: where it was built without one of them, files of that one are left out.
FORMATS = {"AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP"}
_DEEPER = "convert it to 8 bits first; what trains on data=files, model=srgan too, takes all bits"
log = logging.getLogger(__name__)


def converted(picture: Image.Image | Planes, channels: int | None) -> tuple[Image.Image | Planes, str | None]:
    """A picture as 8-bit grey (1 channel), RGB (3) or RGBA (4) or as it is; and a note where that loses something.

    EXIF orientation is applied. Transparency is composited on white (kept with 4 channels), a palette looked
    up. A TIFF of as many channels is read whole, `Planes` stay what they are.

    Args:
        picture: what `open_picture` gave.
        channels: how many are wanted; None for all that there are, RGBA where Pillow has the picture.

    Raises:
        Unfit: more than 8 bits a channel, which Pillow would cut or clip in silence, or other channels than are wanted.
    """
    if isinstance(picture, TiffImageFile) and channels is not None and unseen_channels(picture) == channels:
        assert picture.fp is not None
        picture = tiff_planes(picture.fp)
    if isinstance(picture, Planes):
        if channels not in (None, picture.channels):
            raise Unfit(f"{picture.channels} channels, but data.channels={channels}")
        if picture.pixels.dtype != np.uint8:
            raise Unfit(f"more than 8 bits a channel ({picture.pixels.dtype}): {_DEEPER}")
        return picture, None
    if depth_of(picture) != "uint8":
        raise Unfit(f"more than 8 bits a channel (mode {picture.mode}): {_DEEPER}")
    if channels not in (None, *MODES):
        raise Unfit(f"{unseen_channels(picture) or len(picture.getbands())} channels, but data.channels={channels}")
    picture = ImageOps.exif_transpose(picture)
    mode = MODES[channels or 4]
    if picture.has_transparency_data and mode != "RGBA":
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


def as_tensor(picture: Image.Image | Planes) -> Tensor:
    """uint8 (c, h, w)."""
    pixels = torch.from_numpy(np.array(picture.pixels if isinstance(picture, Planes) else picture))
    return pixels.reshape(picture.height, picture.width, -1).permute(2, 0, 1)


def read(
    name: str, opened: Callable[[], Image.Image | Planes], wanted: Layout | Pixels | None
) -> tuple[Tensor, list[str]]:
    """One picture (channels, h, w), uint8 or as deep as is wanted, and notes on what was done.

    Args:
        name: what errors call it.
        opened: what opens it.
        wanted: what it becomes, or None: then it is as deep as it is stored, and else as `converted` says.

    Raises:
        ValueError: it is no readable picture of that depth, or does not fit; the message begins with `name`.
        FileNotFoundError: its file is missing.
    """
    channels = None if wanted is None else wanted.channels
    deep = None if wanted is None or wanted.depth == "uint8" else wanted
    try:
        with opened() as stored:
            if wanted is None and depth_of(stored) != "uint8":
                return torch.from_numpy(whole(stored)).permute(2, 0, 1), []
            picture, done = deepened(stored, deep.channels, deep.depth) if deep else converted(stored, channels)
            notes = [done] if done else []
            if isinstance(wanted, Layout):
                if wanted.enlarges(picture):
                    notes.append(f"enlarged to {wanted}")
                picture = wanted.fitted(picture)
            pixels = as_tensor(picture)
            return as_depth(pixels, deep.depth) if deep else pixels, notes
    except FileNotFoundError:
        raise FileNotFoundError(f"{name} is missing") from None
    except Unfit as error:
        raise ValueError(f"{name}: {error}") from None
    except Exception as error:  # OSError, SyntaxError, struct.error, …, as the damage has it
        why = " ".join(str(error).split())
        raise ValueError(f"{name}: can't be read ({why}): replace or remove it") from error


def decode(path: Path, wanted: Layout | Pixels | None) -> tuple[Tensor, list[str]]:
    """`read` of a picture file, which the errors name by its path."""
    return read(str(path), lambda: open_picture(path), wanted)


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
    return dicom.SUFFIXES | {suffix for suffix, format in known if format in FORMATS and format in Image.OPEN}


def listing(root: Path) -> list[Path]:
    """The picture files below a folder, or its .npy where there are none, relative to it, sorted; hidden ones left out.

    Links to folders are followed, each once, and none that leads back to a folder that it lies in. One line in the log
    counts the files that are left out since their suffix is none of a picture (DICOM needs none).

    Raises:
        FileNotFoundError: there is no folder.
        ValueError: no picture is in it, or a name is not UTF-8.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"there is no folder {root}: put the pictures there, or name another")
    found: list[Path] = []
    arrays: list[Path] = []
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
            if path.suffix.lower() in suffixes() or dicom.without_suffix(root / path):
                found.append(path)
            elif path.suffix.lower() == ".npy":
                arrays.append(path)
            else:
                others[path.suffix.lower() or "without a suffix"] += 1
    if found and arrays:
        others[".npy"] = len(arrays)
    found = found or arrays
    tell_others(root, bool(found), others)
    return sorted(found, key=Path.as_posix)


def tell_others(place: Path, pictures: bool, others: Mapping[str, int]) -> None:
    """Count in one line of the log the files that are left out since their suffix is none of a picture.

    Raises:
        ValueError: there are no pictures.
    """
    left_out = ", ".join(f"{count} {suffix}" for suffix, count in sorted(others.items()))
    if not pictures:
        has = f"; it has {left_out}" if others else ""
        raise ValueError(f"no pictures in {place} (looked for {' '.join(sorted(suffixes()))}, in subfolders too){has}")
    if others:
        log.info("%s: left out what is no picture by its suffix: %s", place, left_out)


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
