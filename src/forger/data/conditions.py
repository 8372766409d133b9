"""Conditions beyond one class: rows of attributes and of continuous values, as tables have them."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge
from torch import Tensor

from forger.errors import closest, first_few

#: What a conditional game is told of: one class of so many, or the columns of a row, as `described` gives them.
Classes = Annotated[int, Ge(0)] | list[dict[str, Any]]
Kind = Literal["attribute", "value"]
#: The label that data have: a column, or several, which are conditions, maybe with their kinds.
Label = str | list[str] | dict[str, Kind] | None


@dataclass(frozen=True)
class Attribute:
    """One of several kinds; in a row stands the place of its text in `values`."""

    name: str
    values: tuple[str, ...]

    def number(self, text: str) -> float:
        """The number that stands for a text; of two values, 0 and 1 are also their places.

        Raises:
            ValueError: it is none of them.
        """
        if text in self.values:
            return self.values.index(text)
        if len(self.values) == 2 and text in ("0", "1"):
            return int(text)
        raise ValueError(f"{self.name}={text}: {closest(text, self.values)}")

    def text(self, number: float) -> str:
        return self.values[int(number)]


@dataclass(frozen=True)
class Value:
    """A number of the range that the data have."""

    name: str
    mean: float
    deviation: float
    low: float
    high: float

    def number(self, text: str) -> float:
        """The number that a text is.

        Raises:
            ValueError: it is none, or outside of the data's range.
        """
        number = as_number(text)
        if number is None or not self.low <= number <= self.high:
            raise ValueError(f"{self.name}={text}: must be a number from {self.low:g} to {self.high:g}")
        return number

    def text(self, number: float) -> str:
        return f"{number:.4g}"


Condition = Attribute | Value
#: The columns of a row, in order; none where there are no conditions.
Conditions = tuple[Condition, ...]


def conditions_of(classes: int | Sequence[Mapping[str, Any]]) -> Conditions:
    """The columns that a config lists; none for a number of classes.

    Raises:
        ValueError: an item is neither an attribute nor a value, or a name is there twice.
    """
    if isinstance(classes, int):
        return ()
    found: list[Condition] = []
    for item in classes:
        try:
            name, keys = str(item["name"]), {*item} - {"name"}
            if keys == {"values"} and len(item["values"]) > 1:
                found.append(Attribute(name, tuple(map(str, item["values"]))))
                continue
            numbers = {key: float(item[key]) for key in keys}
            value = Value(name, **numbers)
        except (KeyError, TypeError, ValueError):
            value = None
        if value is None or not value.deviation > 0:
            keys = "{name, values: two or more} or {name, mean, deviation, low, high}"
            raise ValueError(f"data.classes: {dict(item)} is not {keys}")
        found.append(value)
    names = [condition.name for condition in found]
    if not names or len({*names}) < len(names):
        raise ValueError(f"data.classes: {', '.join(names) or 'no conditions'}; name each once, and at least one")
    return tuple(found)


def wanted(label: Label) -> str | tuple[str, ...] | None:
    """The column that `data.label` names or, if they are conditions, all that it names."""
    return label if label is None or isinstance(label, str) else tuple(label)


def in_turn(conditions: Conditions, n: int) -> Tensor:
    """``n`` rows (n, k): all combinations of attributes in turn, with every number at its mean."""
    rows, each = torch.empty(n, len(conditions)), 1
    for column, condition in enumerate(conditions):
        if isinstance(condition, Value):
            rows[:, column] = condition.mean
        else:
            rows[:, column] = (torch.arange(n) // each % len(condition.values)).float()
            each *= len(condition.values)
    return rows


def filled(
    conditions: Conditions, given: Mapping[str, float], rows: Callable[[], Tensor], n: int, stream: torch.Generator
) -> Tensor:
    """``n`` rows (n, k) of which some numbers are given; the others are drawn together from rows that fit those.

    Rows fit that agree in as many of the given attributes as any row does and, of these, the twentieth (ten at least)
    that is nearest in the given values.

    Args:
        conditions: the columns.
        given: numbers by name.
        rows: the data's, asked for only if something is to be drawn.
        n: how many.
        stream: of the draws.
    """
    fixed = {column: given[each.name] for column, each in enumerate(conditions) if each.name in given}
    if len(fixed) == len(conditions):
        return torch.tensor([[fixed[column] for column in range(len(conditions))]]).float().repeat(n, 1)
    fit, strange, far = rows(), torch.zeros(()), torch.zeros(())
    for column, number in fixed.items():
        condition = conditions[column]
        if isinstance(condition, Value):
            far = far + ((fit[:, column] - number) / condition.deviation) ** 2
        else:
            strange = strange + (fit[:, column] != number)
    if strange.ndim:
        agreeing = strange == strange.min()
        fit, far = fit[agreeing], far[agreeing] if far.ndim else far
    if far.ndim:
        fit = fit[far.argsort(stable=True)[: max(10, len(fit) // 20)]]
    made = fit[torch.randint(len(fit), (n,), generator=stream)]
    for column, number in fixed.items():
        made[:, column] = number
    return made


def typical(conditions: Conditions, rows: Tensor, most: int = 10) -> list[dict[str, float]]:
    """What to ask for to see them all: the most frequent combinations of attributes, else ten sizes of the first value.

    Args:
        conditions: the columns.
        rows: the data's (n, k).
        most: combinations at most.
    """
    columns = [column for column, condition in enumerate(conditions) if isinstance(condition, Attribute)]
    if not columns:
        sizes = torch.quantile(rows[:, 0], torch.linspace(0.05, 0.95, most))
        return [{conditions[0].name: float(size)} for size in sizes]
    combinations, counts = rows[:, columns].unique(dim=0, return_counts=True)
    chosen = counts.argsort(descending=True, stable=True)[:most].sort().values
    names = [conditions[column].name for column in columns]
    return [dict(zip(names, combination, strict=True)) for combination in combinations[chosen].tolist()]


def asked(conditions: Conditions, text: str) -> dict[str, float]:
    """The numbers in what was typed, `Smiling=1,age=30`.

    Raises:
        ValueError: it is something else, a name is unknown, or a value is not of the data's.
    """
    known, found = {condition.name: condition for condition in conditions}, {}
    for part in re.split(r",(?=[^,=]*=)", text):
        name, sign, value = (word.strip() for word in part.partition("="))
        if not sign or name not in known:
            raise ValueError(f"no such condition; write it as NAME=VALUE; {closest(name, known)}")
        found[name] = known[name].number(value)
    return found


def in_words(conditions: Conditions, given: Mapping[str, float]) -> str:
    """Numbers as one would type them: `Smiling=1,age=30`."""
    known = {condition.name: condition for condition in conditions}
    return ",".join(f"{name}={known[name].text(number)}" for name, number in given.items())


def told(conditions: Conditions) -> str:
    """The conditions in a few words: `Smiling (-1, 1), age (1 to 101)`."""

    def one(condition: Condition) -> str:
        if isinstance(condition, Value):
            return f"{condition.name} ({condition.low:g} to {condition.high:g})"
        return f"{condition.name} ({first_few(condition.values)})"

    return ", ".join(map(one, conditions))


def as_number(text: str) -> float | None:
    """The finite number that a text is, if it is one."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
