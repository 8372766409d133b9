"""The `dataset.json` beside pictures: labels as StyleGAN's tools write them, and what `forger data --pack` adds."""

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forger.data.conditions import Attribute, conditions_of


@dataclass(frozen=True)
class Listed:
    """What it says.

    Args:
        labels: a number or a name for each picture; None where there are none, or several.
        names: of the classes, in the order of their numbers.
        columns: where there are several labels, what each picture has in each.
        axes: "CHW" where pictures that are arrays have their channels first.
    """

    labels: list[Any] | None = None
    names: Sequence[str] = ()
    columns: Mapping[str, list[Any]] = field(default_factory=dict)
    axes: str | None = None


def listed(document: Any, names: Sequence[str], place: Path) -> Listed:
    """{"labels": [[name, label], …]} with null for none; "classes", names of the labels; "conditions", of which each
    label is a row of numbers; and "axes".

    Raises:
        ValueError: it is something else, or lacks a picture.
    """
    labels = document.get("labels") if isinstance(document, Mapping) else ()
    axes = document.get("axes") if isinstance(document, Mapping) else None
    axes = axes if axes in ("CHW", "HWC") else None
    if labels is None:
        return Listed(axes=axes)
    try:
        label_of = {posixpath.normpath(name): label for name, label in labels}
        conditions = conditions_of(document["conditions"]) if document.get("conditions") else ()
        width = len(conditions)
        if not label_of or not all(_fits(label, width) for label in label_of.values()):
            raise ValueError
        classes = [str(name) for name in document.get("classes") or ()]
    except (TypeError, ValueError):
        kind = "rows of numbers" if isinstance(document, Mapping) and document.get("conditions") else "whole numbers"
        raise ValueError(f'{place}: dataset.json is not {{"labels": [[name, label], …]}} with {kind}') from None
    missing = next((name for name in names if name not in label_of), None)
    if missing is not None:
        raise ValueError(f"{place}: dataset.json has no label of {missing}")
    found = [label_of[name] for name in names]
    if not conditions:
        return Listed(found, classes, axes=axes)
    columns: dict[str, list[Any]] = {}
    for at, condition in enumerate(conditions):
        numbers = [row[at] for row in found]
        if isinstance(condition, Attribute):
            strange = next((number for number in numbers if number not in range(len(condition.values))), None)
            if strange is not None:
                raise ValueError(f"{place}: dataset.json has {strange} for {condition.name}, one of {condition.values}")
            numbers = [condition.text(number) for number in numbers]
        columns[condition.name] = numbers
    return Listed(columns=columns, axes=axes)


def _fits(label: Any, width: int) -> bool:
    """Whether it is a label: a whole number or a name, or a row of so many numbers."""
    if not width:
        return isinstance(label, int | str)
    return isinstance(label, list) and len(label) == width and all(isinstance(value, int | float) for value in label)
