"""Sets of images, as scores take them: of folders, arrays and data sets."""

import io
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from forger.archives import whole_archive
from forger.console import say
from forger.data.collection import Collection, Files, decode_each, in_threads
from forger.data.dataset import Data
from forger.data.forms import look
from forger.data.pixels.decoding import listing
from forger.data.pixels.layout import Pixels
from forger.data.pixels.ranges import BYTES, DEPTHS, ValueRange
from forger.errors import ConfigError, closest
from forger.randomness import generator


@dataclass(frozen=True)
class ImageSet:
    """Images as scores take them.

    Args:
        name: what to call them in a passport ("digits/test", "faces.npz").
        images: (n, c, h, w), of the type and range of `values`.
        labels: int64 (n,), where they are known.
        train: images that a generator may have memorised, where they are known.
        stated: whether somebody said that `values` are the range; else it is all that the type or these pixels have.
        with_alpha: reads them again with their transparency as a fourth channel, where they all have it.
    """

    name: str
    images: Tensor
    labels: Tensor | None = None
    train: "ImageSet | None" = None
    values: ValueRange = BYTES
    stated: bool = True
    with_alpha: "Callable[[], ImageSet] | None" = None

    def __len__(self) -> int:
        return len(self.images)

    def subset(self, n: int, seed: int) -> "ImageSet":
        """``n`` of them, drawn without replacement and kept in order; all of them as they are."""
        if n == len(self):
            return self
        rows = torch.randperm(len(self), generator=generator(seed, "subset"))[:n].sort().values
        labels = None if self.labels is None else self.labels[rows]
        return replace(self, images=self.images[rows], labels=labels)

    def like(self, channels: int) -> "ImageSet":
        """The same images with one channel, if the other ones have one and these have three equal ones; with four,
        if those have four and these had them."""
        if channels == 4 and self.with_alpha is not None:
            return replace(self.with_alpha(), values=self.values, stated=self.stated)
        if channels == 1 and self.images.shape[1] == 3 and bool((self.images == self.images[:, :1]).all()):
            return replace(self, images=self.images[:, :1].contiguous())
        return self


def agreed(images: ImageSet, others: ImageSet) -> tuple[ImageSet, ImageSet]:
    """Both, of one range of values where they are of one type: the one that is stated, else that of the second."""
    if images.values.dtype != others.values.dtype or images.values == others.values:
        return images, others
    if not images.stated:
        if not others.stated:
            say(f"the range of both is {others.values}, as {others.name} has it; {images.name} has {images.values}")
        return replace(images, values=others.values), others
    return images, others if others.stated else replace(others, values=images.values)


def image_set(path: Path) -> ImageSet:
    """The images of a folder (subfolders included), of an `.npz` of `forger sample` or of any other file of images.

    Raises:
        FileNotFoundError: there is no such place.
        ValueError: images whose scores would be wrong: sizes that differ, NaN, only values of 0 and 1, no images, or a
            file, which the message names, that can't be read.
    """
    if path.is_dir():
        found = _pictures(path.resolve().name, Files(path, listing(path)))
    elif not path.exists():
        raise ConfigError(f"{path}: no such file or folder")
    elif path.suffix.lower() == ".npz" and "samples" in (arrays := npz_arrays(path)):
        found = _samples(path, arrays)
    else:
        found = _pictures(path.name, look(path).pictures)
    _refuse_cut_off(found, path)
    return found


def image_array(name: str, images: NDArray[Any]) -> ImageSet:
    """Images (n, c, h, w): uint8, or uint16 or floats of the range that the other side states.

    Raises:
        ConfigError: they are anything else, hold NaN or infinity, or only 0 and 1 as uint8.
    """
    depth = "float32" if images.dtype.kind == "f" else images.dtype.name
    if depth not in DEPTHS or images.ndim != 4 or not images.size:
        raise ConfigError(f"{name}: takes uint8, uint16 or floats (n, c, h, w), and got {images.dtype} {images.shape}")
    if depth == "float32" and not np.isfinite(images).all():
        raise ConfigError(f"{name}: they hold NaN or infinity")
    # By way of (n, h, w, c), as those of an .npz: strides decide how convolutions round.
    pixels = torch.from_numpy(images.transpose(0, 2, 3, 1).astype(depth, order="C")).permute(0, 3, 1, 2).contiguous()
    values = _extent(pixels, name) if depth == "float32" else ValueRange.of(depth)
    found = ImageSet(name, pixels, values=values, stated=depth == "uint8")
    _refuse_cut_off(found, name)
    return found


def _refuse_cut_off(images: ImageSet, place: object) -> None:
    if images.values == BYTES and int(images.images.max()) <= 1:
        raise ConfigError(
            f"{place}: its uint8 images hold only 0 and 1, so floats in [0, 1] were probably cut off; "
            "multiply by 255 and round before converting"
        )


def _pictures(name: str, pictures: Collection, *, alpha: bool = False) -> ImageSet:
    """All of some pictures, as deep as they are: grey if all of them are, else RGB, or what channels they have.

    Transparency is composited on white, or with `alpha` the fourth channel.
    """
    headers = list(in_threads(pictures.header, pictures.keys))
    depth = DEPTHS[max(DEPTHS.index(header.depth) for header in headers)]
    channels = max(header.channels for header in headers)
    rows: list[Tensor] = []
    notes = Counter[str]()
    for key, (pixels, done) in zip(
        pictures.keys, decode_each(pictures, Pixels(4 if alpha else channels, depth)), strict=True
    ):
        rows.append(pixels)
        notes.update(done)
        if pixels.shape != rows[0].shape:
            (_, h, w), (_, height, width) = rows[0].shape, pixels.shape
            raise ConfigError(
                f"{pictures.name(key)} is {width}x{height}, but {pictures.below(pictures.keys[0])} {w}x{h}: "
                "make all images one size first"
            )
    if notes:
        changes = ", ".join(f"{count} {note}" for note, count in sorted(notes.items()))
        say(f"{len(pictures)} pictures from {pictures.place}: {changes}")
    images = torch.stack(rows)
    if channels == 3 and not alpha and bool((images == images[:, :1]).all()):
        images = images[:, :1].contiguous()
    transparent = channels == 3 and all(header.alpha for header in headers)
    again = (lambda: _pictures(name, pictures, alpha=True)) if transparent and not alpha else None
    values = _extent(images, pictures.place) if depth == "float32" else ValueRange.of(depth)
    return ImageSet(name, images, values=values, stated=depth == "uint8", with_alpha=again)


def _extent(images: Tensor, place: object) -> ValueRange:
    """The range from the lowest to the highest pixel of floats."""
    low, high = (float(value) for value in images.aminmax())
    if low == high:
        raise ConfigError(f"{place}: all pixels of its images are {low:g}")
    return ValueRange.of("float32", [low, high])


def _samples(path: Path, arrays: Mapping[str, Any]) -> ImageSet:
    """`samples` (n, h, w, c), and `labels` (n,), of which -1 means none, as `forger sample` writes them.

    They are uint8 or, with their `range`, of any depth.
    """
    samples = arrays["samples"]
    kind = samples.dtype
    if kind.kind == "f" and not np.isfinite(samples).all():
        raise ConfigError(f"{path}: 'samples' hold NaN or infinity")
    if kind.kind == "f" and samples.ndim == 2:
        raise ConfigError(f"{path}: 'samples' are points, not images; there are no scores of points alone")
    values = BYTES
    if "range" in arrays and kind.name in DEPTHS:
        values = ValueRange.of(kind.name, arrays["range"].tolist())
    elif kind != np.uint8:
        held = f" in [{samples.min():.3g}, {samples.max():.3g}]" if samples.size and kind.kind in "fiu" else ""
        raise ConfigError(f"{path}: 'samples' are {kind}{held}; scale them to [0, 255], round, and save uint8, "
                          "or add the array range, their lowest and highest value")  # fmt: skip
    if samples.ndim != 4 or samples.shape[-1] not in range(1, 17) or not samples.size:
        raise ConfigError(
            f"{path}: 'samples' have shape {samples.shape}; (n, height, width, 1 to 16 channels) is needed"
        )
    images = torch.from_numpy(samples).permute(0, 3, 1, 2).contiguous()
    if "labels" not in arrays or "conditions" in arrays or (arrays["labels"] == -1).all():
        return ImageSet(path.name, images, values=values)
    labels = arrays["labels"]
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
        raise ConfigError(f"{path}: 'labels' are {labels.dtype} {labels.shape}; one integer for each image is needed")
    return ImageSet(path.name, images, torch.from_numpy(labels.astype(np.int64)), values=values)


def npz_arrays(path: Path) -> dict[str, Any]:
    """The arrays of an `.npz` file by name, of which none is unpickled.

    Raises:
        ConfigError: it can't be read.
    """
    try:
        content = path.read_bytes()
        whole_archive(content)
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:  # zip, zlib, pickle and header errors alike
        raise ConfigError(f"{path}: can't be read as .npz ({' '.join(str(error).split())[:200]})") from error


def split_of(data: Data, split: str) -> ImageSet:
    """One split of a data set, which knows the training images too unless it is them."""
    if data.kind != "images":
        raise ConfigError(f"{data.name}: these are points, and an extractor takes images")
    if split not in data.splits:
        raise ConfigError(f"{data.name}/{split}: no such split; {closest(split, data.splits)}")
    train = None
    if split != "train":
        train = ImageSet(f"{data.name}/train", data.train.arrays["image"], values=data.values)
    arrays = data.splits[split].arrays
    return ImageSet(f"{data.name}/{split}", arrays["image"], arrays.get("label"), train, data.values)
