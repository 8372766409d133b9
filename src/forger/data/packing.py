"""A decoded data set as one file that travels: a .zip of PNGs with the `dataset.json` of StyleGAN's tools."""

import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from forger.data.dataset import Data
from forger.data.pixels.decoding import MODES
from forger.files import atomic_file

#: Pictures that are read at a time, and that lie in one folder.
_TOGETHER = 1000
#: The date of every member, so that the same pictures are the same bytes.
_DATE = (1980, 1, 1, 0, 0, 0)


def pack(data: Data, names: Sequence[Any], file: Path) -> int:
    """Write every picture of a data set as it is trained on; how many they are.

    A picture is a PNG in `SPLIT/NNNNN/imgNNNNNNNN.png`, in the order of its split. `dataset.json` has "labels",
    [[name, number], …] or null, as StyleGAN's tools read it, and "classes", the names of the numbers.

    Args:
        data: images, uint8 of 1, 3 or 4 channels, or uint16 of one.
        names: of the classes.
        file: written at once, or not at all.

    Raises:
        ValueError: pictures that a PNG can't hold, or several labels of one.
    """
    channels, depth = data.shape[0], data.train.arrays["image"].dtype
    if channels not in MODES or depth != (torch.uint8 if channels > 1 else depth) or depth.is_floating_point:
        kind = str(depth).removeprefix("torch.")
        raise ValueError(f"{file}: pictures of {channels} channels of {kind} are no PNGs; save them as .npy instead")
    if data.conditions:
        raise ValueError(f"{file}: a dataset.json has one label of a picture; pack with one data.label, or none")
    labels: list[list[Any]] = []
    with atomic_file(file) as target, zipfile.ZipFile(target, "w") as archive:
        count = 0
        for split, part in data.splits.items():
            numbers = part.arrays["label"].tolist() if data.classes else None
            for row, pixels in enumerate(_each(part.arrays["image"])):
                name = f"{split}/{row // _TOGETHER:05}/img{row:08}.png"
                archive.writestr(zipfile.ZipInfo(name, _DATE), _png(pixels))
                if numbers is not None:
                    labels.append([name, numbers[row]])
                count += 1
        document = {"labels": labels or None, "classes": list(names) if data.classes else []}
        archive.writestr(zipfile.ZipInfo("dataset.json", _DATE), json.dumps(document))
    return count


def _each(images: Tensor) -> Iterator[Tensor]:
    for start in range(0, len(images), _TOGETHER):
        yield from images[start : start + _TOGETHER]


def _png(pixels: Tensor) -> bytes:
    """A picture (c, h, w)."""
    buffer = io.BytesIO()
    array = pixels.permute(1, 2, 0).numpy()
    Image.fromarray(array[..., 0] if len(pixels) == 1 else array).save(buffer, "png")
    return buffer.getvalue()
