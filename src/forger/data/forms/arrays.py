"""Pictures in arrays: .npy, mapped where it lies, and .npz; nothing is unpickled."""

import math
import os
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from forger.data.collection import Collection
from forger.data.forms.found import Found
from forger.data.pixels import npy
from forger.data.pixels.planes import ARRAY_TYPES, MOST_CHANNELS, Planes, picture_of
from forger.data.splits.splitting import split_meant
from forger.errors import closest

_PICTURES = ("images", "image", "samples", "data", "x")
_LABELS = ("labels", "label", "targets", "y")


class Arrays(Collection):
    """A key is an array's name and a row in it."""

    keys: Sequence[tuple[str, int]]

    def __init__(self, place: Path, keys: Sequence[tuple[str, int]], array: Callable[[str], np.ndarray]) -> None:
        super().__init__(place, keys)
        self.array = array

    def name(self, key: tuple[str, int]) -> str:
        return f"{self.place}: {key[0]}[{key[1]}]"

    def content(self, key: tuple[str, int]) -> bytes:
        return self.array(key[0])[key[1]].tobytes()

    def opened(self, key: tuple[str, int]) -> Image.Image | Planes:
        return picture_of(self.array(key[0])[key[1]])


def array_file(place: Path) -> Found:
    """The pictures of a .npy: one of `ARRAY_TYPES`, N×H×W, N×H×W×C or N×C×H×W.

    Raises:
        ValueError: it can't be read, or is something else.
    """
    array = _read(place, lambda: np.load(place, mmap_mode="r", allow_pickle=False))
    _check(place, "array", array.shape, array.dtype)
    keys = [("array", row) for row in range(len(array))]
    return Found("npy", Arrays(place, keys, lambda _: array))


def archive_of_arrays(place: Path) -> Found:
    """The pictures of a .npz: `images` and `labels`, the only array, or those of splits (`x_train`, `val_images`, …).

    Raises:
        ValueError: it can't be read, or is something else.
    """
    headers = _read(place, lambda: _headers(place))
    load = cache(lambda name: _read(place, lambda: _loaded(place, name)))
    parts = _parts(place, headers)
    keys, splits, labels = [], [], []
    for split, (pictures, label) in parts.items():
        shape, _ = headers[pictures]
        _check(place, pictures, *headers[pictures])
        keys += [(pictures, row) for row in range(shape[0])]
        splits += [split] * shape[0]
        if label is not None:
            labels += _labels(place, label, load(label), shape[0])
    if labels and len(labels) != len(keys):
        raise ValueError(f"{place}: some splits have labels, others none")

    def column(name: str) -> list[Any]:
        cells = []
        for split, (pictures, _) in parts.items():
            own = _of_split(place, headers, name, split)
            cells += _labels(place, own, load(own), headers[pictures][0][0], "biufU")
        return cells

    divided = splits if set(splits) != {"all"} else None
    columns = sorted({_words(name)[1] for name in headers} - {pictures for pictures, _ in parts.values()})
    return Found("npz", Arrays(place, keys, load), labels or None, divided, (), columns, column)


def _read(place: Path, make: Callable[[], Any]) -> Any:
    try:
        return make()
    except Exception as error:  # zip, zlib, pickle and header errors alike
        why = " ".join(str(error).split())[:200]
        raise ValueError(f"{place}: can't be read as {place.suffix.lower()} ({why})") from error


def _headers(place: Path) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Shape and type of each array, of which none is read."""
    found = {}
    with zipfile.ZipFile(place) as archive:
        for entry in archive.infolist():
            with archive.open(entry) as file:
                try:
                    shape, _, dtype = npy.header(file, entry.file_size)
                except ValueError as error:
                    raise ValueError(f"{entry.filename}: {error}") from error
            found[entry.filename.removesuffix(".npy")] = (shape, dtype)
    return found


def _loaded(place: Path, name: str) -> np.ndarray:
    with np.load(place, allow_pickle=False) as file:
        return file[name]


def _parts(place: Path, headers: Mapping[str, Any]) -> dict[str, tuple[str, str | None]]:
    """The names of pictures and labels for each split, or for "all"."""
    pictures, labels = {}, {}
    for name in headers:
        words = name.lower().split("_")
        split = next((meant for word in words if (meant := split_meant(word))), "all")
        rest = [word for word in words if split_meant(word) is None]
        for found, usual in ((pictures, _PICTURES), (labels, _LABELS)):
            if len(rest) == 1 and rest[0] in usual:
                found.setdefault(split, name)
    if not pictures and len(headers) == 1:
        pictures = {"all": next(iter(headers))}
    if len(pictures) > 1:
        pictures.pop("all", None)
    if not pictures or ("all" not in pictures and "train" not in pictures):
        names = ", ".join(sorted(headers)) or "none"
        raise ValueError(f"{place}: which array holds the pictures? It has {names}; name them images and labels")
    return {split: (name, labels.get(split)) for split, name in pictures.items()}


def _check(place: Path, name: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
    if dtype.name not in ARRAY_TYPES:
        kind = "Python objects, which are never unpickled" if dtype.hasobject else f"{dtype}"
        raise ValueError(f"{place}: {name} holds {kind}; pictures are {', '.join(ARRAY_TYPES)}")
    fits = len(shape) == 3 or (len(shape) == 4 and min(shape[1], shape[3]) <= MOST_CHANNELS)
    if not fits or not math.prod(shape):
        raise ValueError(
            f"{place}: {name} has shape {shape}; pictures are N×H×W, N×H×W×C or N×C×H×W "
            f"with 1 to {MOST_CHANNELS} channels"
        )
    memory, need = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), math.prod(shape) * dtype.itemsize
    if place.suffix.lower() == ".npz" and need > memory:
        raise ValueError(f"{place}: {name} needs {need / 2**30:.0f} GiB; save it as .npy, which is mapped")


def _words(name: str) -> tuple[str, str]:
    """The split that is in the name of an array, "all" if none is, and the rest of the name."""
    words = name.split("_")
    split = next((meant for word in words if (meant := split_meant(word))), "all")
    return split, "_".join(word for word in words if split_meant(word) is None)


def _of_split(place: Path, names: Iterable[str], column: str, split: str) -> str:
    """The array that is a column of a split: `age` of all pictures, `age_train` of those of train.

    Raises:
        ValueError: there is none.
    """
    for name in names:
        if _words(name) == (split, column):
            return name
    of = "" if split == "all" else f" of {split}"
    raise ValueError(f"{place} has no array {column}{of} {closest(column, names)}")


def _labels(place: Path, name: str, labels: np.ndarray, n: int, kinds: str = "iuU") -> list[Any]:
    if labels.size != n or labels.dtype.kind not in kinds:
        what = "number" if "f" in kinds else "whole number"
        raise ValueError(f"{place}: {name} is {labels.dtype} {labels.shape}; one {what} or text for each of {n}")
    return labels.reshape(n).tolist()
