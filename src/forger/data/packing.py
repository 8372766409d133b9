"""A decoded data set as one file that travels: a .zip of PNGs or arrays with the `dataset.json` of StyleGAN's tools."""

import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from forger.data.conditions import Conditions, Value
from forger.data.dataset import Data
from forger.data.pixels import npy
from forger.data.pixels.decoding import MODES
from forger.data.pixels.picture_files import picture_file
from forger.files import atomic_file

#: Pictures that are read at a time, and that lie in one folder.
_TOGETHER = 1000
#: The date of every member, so that the same pictures are the same bytes.
_DATE = (1980, 1, 1, 0, 0, 0)


def pack(data: Data, names: Sequence[Any], file: Path) -> int:
    """Write every picture of a data set as it is trained on; how many they are.

    A picture is `SPLIT/NNNNN/imgNNNNNNNN.png`, in the order of its split, or `.npy` (C×H×W) where no PNG holds it: of
    floats, or of other channels than 1, 3 or 4. `dataset.json` has "labels", [[name, number], …] or null, and
    "classes", the names of the numbers. Of several labels each is a row of numbers, and "conditions" says what they
    are. This is what the readers of StyleGAN (PNG) and EDM2 (both) take, rows of numbers too.

    Args:
        data: images.
        names: of the classes.
        file: written at once, or not at all.
    """
    labels: list[list[Any]] = []
    with atomic_file(file) as target, zipfile.ZipFile(target, "w") as archive:
        count, suffix = 0, ""
        for split, part in data.splits.items():
            rows = _labels(part.arrays["label"], data.conditions) if data.classes or data.conditions else None
            for row, pixels in enumerate(_each(part.arrays["image"])):
                suffix, content = _file(pixels)
                name = f"{split}/{row // _TOGETHER:05}/img{row:08}{suffix}"
                archive.writestr(zipfile.ZipInfo(name, _DATE), content)
                if rows is not None:
                    labels.append([name, rows[row]])
                count += 1
        document: dict[str, Any] = {"labels": labels or None, "classes": list(names) if data.classes else []}
        if data.conditions:
            document["conditions"] = [asdict(condition) for condition in data.conditions]
        if suffix == ".npy":
            document["axes"] = "CHW"
        archive.writestr(zipfile.ZipInfo("dataset.json", _DATE), json.dumps(document))
    return count


def _labels(labels: Tensor, conditions: Conditions) -> list[Any]:
    """Numbers, or rows of them: the fewest digits that mean the same float32, and the extremes as they were."""
    if not conditions:
        return labels.tolist()
    columns = []
    for condition, column in zip(conditions, labels.numpy().T, strict=True):
        ends = (condition.low, condition.high) if isinstance(condition, Value) else ()
        exact = {np.float32(end): end for end in ends}
        columns.append([exact.get(number, float(str(number))) for number in column])
    return list(map(list, zip(*columns, strict=True)))


def _each(images: Tensor) -> Iterator[Tensor]:
    for start in range(0, len(images), _TOGETHER):
        yield from images[start : start + _TOGETHER]


def _file(pixels: Tensor) -> tuple[str, bytes]:
    """The suffix and content of a picture (c, h, w)."""
    if not pixels.is_floating_point() and len(pixels) in MODES:
        return picture_file(pixels)
    return ".npy", npy.written(pixels)
