"""Pictures in whatever form they are: one source that looks at a place, and what can be told of it before training."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from forger.data.collection import Collection
from forger.data.condition_columns import described, rows_of
from forger.data.conditions import Classes, Conditions, Label, conditions_of, told, wanted
from forger.data.dataset import Data, Split
from forger.data.forms import Found, look
from forger.data.pixels.decoding import read
from forger.data.pixels.layout import Channels, Fit, Layout, Size
from forger.data.pixels.ranges import DEPTHS, Depth, ValueRange
from forger.data.splits.division import Division, divide, typed_splits
from forger.data.splits.splitting import SPLIT_NAMES
from forger.data.store import as_split, kept
from forger.errors import first_few
from forger.sizes import taken

#: How many pictures are opened, spread over all, to see their size and colours.
_SAMPLE = 64
#: Sides that are chosen where pictures are of several.
_SIDES = (8, 16, 32, 64, 128, 256)

log = logging.getLogger(__name__)


def files(
    root: str,
    size: Size,
    channels: Channels = 3,
    classes: Classes = 0,
    label: Label = None,
    splits: dict[str, float | str] | None = None,
    group: str | None = None,
    skip_damaged: bool = False,
    fit: Fit = "crop",
    depth: Depth = "uint8",
    range: Sequence[float] | None = None,
) -> Data:
    """The pictures at `root`, in any form that `forger.data.forms.look` knows.

    They get the height and width of `size` by `fit` (`forger.data.pixels.layout.Layout`). The splits are those of the
    place or the folders that `splits` names; one that is lacking is drawn by the pictures' pixels, a tenth or the share
    that `splits` says: the same pictures in the same order are the same data in any form. Copies stay together, as does
    a `group` (`forger.data.splits.division`).
    Pixels are kept as `depth` says; `range` is what games see as [-1, 1] (`forger.data.pixels.ranges.ValueRange`).
    With `classes` > 0 the labels are those of the place: names of subfolders, a `dataset.json`, an array, a column
    (`label` names it). Several labels are conditions, which `classes` lists (`forger.data.conditions`). Pictures are
    decoded once; a split of more than 256 MB is mapped from a file (`forger.data.store`). With `skip_damaged` those
    that can't be read are left out, and `Data.damaged` names them.

    Raises:
        FileNotFoundError: there is nothing at `root`, or a file that it names is missing.
        ValueError: it is damaged, in no known form, or not what `classes` says; the message names the place.
    """
    place = Path(root)
    found, conditions = look(place, wanted(label), typed_splits(splits)[1]), conditions_of(classes)
    names = found.classes()
    if isinstance(classes, int) and classes and classes != len(names):
        some = first_few(names) or "no labels"
        raise ValueError(f"{place} has {len(names)} classes ({some}), but data.classes={classes}")
    columns = _columns(found, label) if conditions else {}
    if conditions and [condition.name for condition in conditions] != list(columns):
        listed = ", ".join(condition.name for condition in conditions)
        raise ValueError(f"data.classes lists {listed}, but data.label {', '.join(columns) or 'names none'}")
    log.info("%s: %s", place, _told(found, names, conditions))
    labels = torch.tensor(found.numbers()) if classes and not conditions else None
    if conditions:
        labels = rows_of(conditions, columns, found.name)
    layout, values = Layout.of(channels, size, fit, depth), ValueRange.of(depth, range)

    def split(name: str, rows: list[int]) -> Split:
        of_rows = {} if labels is None else {"label": labels[rows]}
        return as_split(found.pictures.at(rows), layout, of_rows, again=name != "train")

    division = divide(found, place, splits, group)
    if division.damaged:
        _check_damaged(division, len(found.pictures), place, skip_damaged)
    train, validation, test = (split(name, division.rows[name]) for name in SPLIT_NAMES)
    damaged = {found.pictures.below(found.pictures.keys[row]): why for row, why in division.damaged.items()}
    number = classes if isinstance(classes, int) else 0
    data = Data(place.resolve().stem, train, validation, test, classes=number, values=values)
    return replace(data, damaged=damaged, conditions=conditions)


def _columns(found: Found, label: Label) -> dict[str, Sequence[Any]]:
    """The cells of each of several labels."""
    names = wanted(label)
    if not isinstance(names, tuple) or found.column is None:
        return {}
    return {name: found.column(name) for name in names}


def _check_damaged(division: Division, n: int, place: Path, skip: bool) -> None:
    """Say that damaged pictures are left out.

    Raises:
        ValueError: they are not to be.
    """
    damaged = division.damaged
    if not skip:
        others = f" ({len(damaged):,} such; `forger data {place}` names all, data.skip_damaged=true leaves them out)"
        raise ValueError(next(iter(damaged.values())) + others * (len(damaged) > 1))
    log.warning("%s: %s of %s pictures can't be read and are left out", place, f"{len(damaged):,}", f"{n:,}")


def seen(root: str, label: Label = None, splits: Mapping[str, float | str] | None = None) -> dict[str, Any]:
    """What a config need not say of the pictures at `root`: `size`, `channels`, `depth` and `classes`.

    `classes` is their number or, where `label` names several columns, the conditions that they are.

    The headers of a sample are read. Where all pictures are squares of one side up to 256, that is the size, and so are
    height and width of all if networks take them (`forger.sizes.taken`); else it is the largest of 8, 16, …, 256
    that is not above the median shorter side. There is one channel where all are grey, as many as all have where Pillow
    has no mode for them, else there are three.

    Raises:
        FileNotFoundError, ValueError: as `files`.
    """
    found = look(Path(root), wanted(label), typed_splits(splits)[1])
    sizes, channels, depth = _headers(found.pictures)
    conditions = described(_columns(found, label), label, found.name)
    classes = conditions or len(found.classes())
    return {"size": _chosen(sizes), "channels": channels, "depth": depth, "classes": classes}


def extremes(
    root: str, label: Label = None, splits: Mapping[str, float | str] | None = None, group: str | None = None
) -> list[float]:
    """The lowest and the highest value of all pixels to train on at `root`, looked for once.

    Raises:
        FileNotFoundError, ValueError: as `files`.
    """
    place = Path(root)
    found = look(place, wanted(label), typed_splits(splits)[1])
    pictures = found.pictures.at(divide(found, place, splits, group).rows["train"])

    def make() -> tuple[Tensor, Mapping[str, int]]:
        low, high = math.inf, -math.inf
        for key in pictures.keys:
            values = read(pictures.name(key), lambda key=key: pictures.opened(key), None)[0].float()
            low, high = min(low, float(values.min())), max(high, float(values.max()))
        return torch.tensor([low, high]), {}

    return kept(pictures, ("extremes",), make)[0].tolist()


def _chosen(sizes: list[tuple[int, int]]) -> int | list[int]:
    shorter = median(min(size) for size in sizes)
    (width, height), *others = set(sizes)
    if not others and width == height and 4 <= width <= _SIDES[-1]:
        return width
    if not others and taken(height, width):
        return [height, width]
    return max((side for side in _SIDES if side <= shorter), default=_SIDES[0])


def _headers(pictures: Collection) -> tuple[list[tuple[int, int]], int, Depth]:
    """Widths and heights of a sample, and how many channels of which depth hold it all.

    Raises:
        ValueError: none of it can be read; the message names a picture.
    """
    headers, damage = [], []
    for row in range(0, len(pictures), -(-len(pictures) // _SAMPLE)):
        try:
            headers.append(pictures.header(pictures.keys[row]))
        except (ValueError, FileNotFoundError) as error:
            damage.append(error)
    if not headers:
        raise damage[0]
    deepest = max((header.depth for header in headers), key=DEPTHS.index)
    return [header.size for header in headers], max(header.channels for header in headers), deepest


def _told(found: Found, names: list[Any], conditions: Conditions) -> str:
    """What was found, in one line."""
    sizes, channels, depth = _headers(found.pictures)
    low, high = (f"{width}x{height}" for width, height in (min(sizes), max(sizes)))
    facts = (
        f"{found.form} of {len(found.pictures)} pictures",
        low if low == high else f"{low} to {high}",
        {1: "grey", 3: "colour"}.get(channels, f"{channels} channels"),
        *([] if depth == "uint8" else [depth]),
        told(conditions) if conditions else f"{len(names)} classes ({first_few(names)})" if names else "no labels",
        "split as it says" if found.splits else "split by pixels",
    )
    return ", ".join(facts)
