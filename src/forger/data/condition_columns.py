"""Columns of a table as conditions: what each is, and its cells as numbers."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from forger.data.conditions import Conditions, Kind, Label, Value, as_number

#: Most different whole numbers of a column that are taken for the names of as many kinds.
_FEW = 20
#: Most kinds of an attribute; a column with more is a name or a description.
_MOST = 1000
#: Types of the cells that are conditions.
_PLAIN = (bool, int, float, str)


def described(columns: Mapping[str, Sequence[Any]], label: Label, where: Callable[[int], str]) -> list[dict[str, Any]]:
    """The conditions that columns are, as a config lists them: values by their mean, attributes by their texts.

    Numbers are a value if one is not whole or if more than 20 differ, unless `label` says what they are. All else is an
    attribute.

    Args:
        columns: the cells of each, by name.
        label: `data.label`.
        where: what errors call a row.

    Raises:
        ValueError: a cell is missing or no number, or a column is the same in every row.
    """
    kinds = label if isinstance(label, dict) else {}
    return [_described(name, cells, kinds.get(name), where) for name, cells in columns.items()]


def _described(name: str, cells: Sequence[Any], kind: Kind | None, where: Callable[[int], str]) -> dict[str, Any]:
    texts = _texts(name, cells, where)
    numbers = {text: as_number(text) for text in texts.values()}
    numeric = all(number is not None for number in numbers.values())
    if len(numbers) < 2:
        raise ValueError(f"data.label: {name} is {next(iter(numbers))} for every picture, which is no condition")
    many = len(numbers) > _FEW or any(number is None or not number.is_integer() for number in numbers.values())
    if kind == "value" or (kind is None and numeric and many):
        if not numeric:
            row = next(row for row, cell in enumerate(cells) if numbers[texts[cell]] is None)
            raise ValueError(f"{where(row)}: {name}={cells[row]!r} is no number")
        every = np.array([numbers[texts[cell]] for cell in cells], dtype=np.float64)
        return asdict(Value(name, _short(every.mean()), _short(every.std()), float(every.min()), float(every.max())))
    if len(numbers) > _MOST:
        raise ValueError(f"data.label: {name} has {len(numbers)} different values, too many for an attribute")
    return {"name": name, "values": sorted(numbers, key=lambda text: (numbers[text] if numeric else 0, text))}


def rows_of(conditions: Conditions, columns: Mapping[str, Sequence[Any]], where: Callable[[int], str]) -> Tensor:
    """Columns as rows of numbers, float32 (n, k).

    Raises:
        ValueError: a cell is missing, none of the attribute's values, or no number of the range.
    """
    made = []
    for condition in conditions:
        cells, known = columns[condition.name], {}
        for cell, text in _texts(condition.name, cells, where).items():
            try:
                known[cell] = condition.number(text)
            except ValueError as error:
                raise ValueError(f"{where(cells.index(cell))}: {error}") from None
        made.append(np.fromiter(map(known.__getitem__, cells), np.float64, len(cells)))
    return torch.from_numpy(np.stack(made, axis=1)).float()


def _texts(name: str, cells: Sequence[Any], where: Callable[[int], str]) -> dict[Any, str]:
    """The text of each different cell.

    Raises:
        ValueError: one is empty, or neither text nor a number.
    """
    plain = {*map(type, cells)} <= {*_PLAIN}
    texts = {cell: _text(cell) for cell in {*(cells if plain else filter(_is_plain, cells))}}
    if not plain or None in texts.values():  # rarely: rows one by one take longest
        for row, cell in enumerate(cells):
            if not _is_plain(cell) or texts[cell] is None:
                raise ValueError(f"{where(row)}: {name}={cell!r} is no condition; fill it in, or leave the row out")
    return {cell: text for cell, text in texts.items() if text is not None}


def _is_plain(cell: Any) -> bool:
    return isinstance(cell, _PLAIN)


def _text(cell: bool | int | float | str) -> str | None:
    """A cell as text, whole numbers without a point; None where it is empty."""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float):
        return None if not math.isfinite(cell) else repr(int(cell)) if cell.is_integer() else repr(cell)
    text = str(cell).strip()
    return text.removesuffix(".0") if as_number(text) is not None else text or None


def _short(number: float) -> float:
    """Six digits, the same on every machine."""
    return float(f"{number:.6g}")
