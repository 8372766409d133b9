"""Pictures at one place, in order: each has a key, a name for errors, and bytes or pixels of its own."""

import copy
import hashlib
import io
import os
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import torch
from PIL import Image
from torch import Tensor

from forger.data.pixels.decoding import decode, read
from forger.data.pixels.depth import depth_of
from forger.data.pixels.layout import Layout, Pixels
from forger.data.pixels.planes import Planes, channels_of, open_picture
from forger.data.pixels.ranges import Depth
from forger.errors import Unfit
from forger.files import check_regular

T = TypeVar("T")


@dataclass(frozen=True)
class Header:
    """What is known of a picture before it is decoded: (width, height), how many channels of which depth hold it, and
    whether it has transparency beside them."""

    size: tuple[int, int]
    channels: int
    depth: Depth
    alpha: bool


class Collection(ABC):
    """Pictures at a place; a form of storage says what a key is and where the bytes of a picture stand.

    Args:
        place: the file or folder that holds them all.
        keys: one for each picture, in their order.
    """

    def __init__(self, place: Path, keys: Sequence[Any]) -> None:
        self.place, self.keys = place, keys

    def __len__(self) -> int:
        return len(self.keys)

    def at(self, rows: Sequence[int]) -> Self:
        """The pictures of these rows, in this order."""
        chosen = copy.copy(self)
        chosen.keys = [self.keys[row] for row in rows]
        return chosen

    def name(self, key: Any) -> str:
        """What errors call a picture."""
        return f"{self.place}: {key}"

    def below(self, key: Any) -> str:
        """What a picture is called within its place."""
        return self.name(key).removeprefix(str(self.place)).lstrip("/: ")

    @property
    def container(self) -> Path:
        """What the log calls the place."""
        return self.place

    @abstractmethod
    def content(self, key: Any) -> bytes:
        """The bytes of a picture's file."""

    def opened(self, key: Any) -> Image.Image | Planes:
        """The picture, not decoded yet; what is wrong with it is raised here or later, as Pillow likes."""
        return open_picture(io.BytesIO(self.content(key)))

    def header(self, key: Any) -> Header:
        """What a picture is.

        Raises:
            ValueError: it is no readable picture; the message has its name.
        """
        try:
            with self.opened(key) as picture:
                alpha = not isinstance(picture, Planes) and picture.getbands()[-1] == "A"
                return Header(picture.size, channels_of(picture), depth_of(picture), alpha)
        except FileNotFoundError:
            raise FileNotFoundError(f"{self.name(key)} is missing") from None
        except Unfit as error:
            raise ValueError(f"{self.name(key)}: {error}") from None
        except Exception as error:  # as in `decoding.read`: a damaged picture fails in many ways
            why = " ".join(str(error).split())
            raise ValueError(f"{self.name(key)}: can't be read ({why}): replace or remove it") from error

    def decode(self, key: Any, layout: Layout | Pixels) -> tuple[Tensor, list[str]]:
        """One picture (channels, height, width) of the layout's type, and notes on what was done.

        Raises:
            ValueError: it is no readable picture, or does not fit; the message has its name.
        """
        return read(self.name(key), lambda: self.opened(key), layout)

    def files(self) -> Sequence[Path]:
        """The files that hold the pictures, below the place or absolute."""
        return [self.place.absolute()]

    def known_by(self, *how: Any) -> str:
        """SHA-256 over the paths, sizes and times of the files and the keys; of a million of them no list is made.

        The place counts as well, since files of another one may agree in all of these, and the time of the last
        change of any kind, since programs that copy set the other as they like.
        """
        digest = hashlib.sha256(repr((*how, str(self.place.resolve()))).encode())
        for path in self.files():
            try:
                facts = (self.place / path).stat()
                times = f"{facts.st_size}\0{facts.st_mtime_ns}\0{facts.st_ctime_ns}"
            except OSError as error:  # missing, or a link in a circle: whoever reads it will say so
                times = str(error.strerror)
            digest.update(f"{path.as_posix()}\0{times}\0".encode())
        self._add_keys(digest)
        return digest.hexdigest()

    def _add_keys(self, digest: "hashlib._Hash") -> None:
        for key in self.keys:
            digest.update(f"{key}\0".encode())


class Files(Collection):
    """Picture files below a folder; a key is a relative path."""

    keys: Sequence[Path]

    @property
    def container(self) -> Path:
        return (self.place / self.keys[0]).parent

    def name(self, key: Path) -> str:
        return str(self.place / key)

    def content(self, key: Path) -> bytes:
        path = self.place / key
        try:
            check_regular(path)
        except Unfit as error:
            raise Unfit(f"{path}: {error}") from None
        return path.read_bytes()

    def decode(self, key: Path, layout: Layout | Pixels) -> tuple[Tensor, list[str]]:
        return decode(self.place / key, layout)

    def opened(self, key: Path) -> Image.Image | Planes:
        return open_picture(self.place / key)

    def files(self) -> Sequence[Path]:
        return self.keys

    def _add_keys(self, digest: "hashlib._Hash") -> None:
        """The files say it all."""


def in_threads(call: Callable[[Any], T], items: Sequence[Any], threads: int | None = None) -> Iterator[T]:
    """What a call gives for each item, in order."""
    # Threads, since Pillow lets go of the interpreter's lock; in portions, so that neither calls nor results pile up.
    with ThreadPoolExecutor(threads or min(16, os.cpu_count() or 1)) as pool:
        for start in range(0, len(items), 256):
            yield from pool.map(call, items[start : start + 256])


def decode_each(pictures: Collection, layout: Layout | Pixels) -> Iterator[tuple[Tensor, list[str]]]:
    """`Collection.decode` of every picture, in order."""
    return in_threads(lambda key: pictures.decode(key, layout), pictures.keys)


def decode_noting(pictures: Collection, layout: Layout) -> tuple[Tensor, Counter[str]]:
    """Pictures (n, channels, height, width), and what was converted in how many of them."""
    result = torch.empty(len(pictures), *layout.shape, dtype=layout.dtype)
    notes = Counter[str]()
    for index, (pixels, done) in enumerate(decode_each(pictures, layout)):
        result[index] = pixels
        notes.update(done)
    return result, notes
