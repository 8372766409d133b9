"""Numbers that may follow a schedule: pure functions of the real images shown, so that resuming needs no state."""

import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple
from typing import Any, get_args

from annotated_types import Ge, Gt, Le, Lt

from forger.partials import plain

#: Value of a number as a function of the real images shown before a round (`forger.games.schedules`).
Schedule = Callable[[int], float]

_RULES = {
    Ge: ("at least", operator.ge),
    Gt: ("greater than", operator.gt),
    Le: ("at most", operator.le),
    Lt: ("less than", operator.lt),
}
_PLACES = 1000


class Following:
    """A number that follows a schedule; called with the images shown it gives its value.

    Args:
        name: as configs name it.
        schedule: its values.
    """

    def __init__(self, name: str, schedule: Schedule) -> None:
        self.name = name
        self.schedule: Schedule = plain(schedule)

    def __call__(self, shown: int) -> float:
        return float(self.schedule(shown))


def number(name: str, given: float | Schedule, kind: Any = float) -> float | Following:
    """A number as it was given, or what follows the schedule that was given in its place (`following`)."""
    return following(name, given, kind) if callable(given) else given


def following(name: str, schedule: Schedule, kind: Any = float, key: str | None = None) -> Following:
    """A number that follows a schedule.

    Args:
        name: as configs name it.
        schedule: its values.
        kind: type of the number, with ranges from `annotated_types`.
        key: as messages name it.

    Raises:
        ValueError: the schedule is no function of the images shown, or leaves the range, as far as it can be tried:
            at the start, and where it has a ``budget`` at 1,000 places up to it.
    """
    key, found = key or name, Following(name, schedule)
    budget = getattr(schedule, "keywords", {}).get("budget", 0)
    for shown in dict.fromkeys(budget * place // _PLACES for place in range(_PLACES + 1)):
        try:
            value = found(shown)
        except (TypeError, ArithmeticError, LookupError) as error:
            raise ValueError(f"{key}: must be a number or a schedule of the images shown ({error})") from None
        for rule in get_args(kind)[1:]:
            phrase, holds = _RULES[type(rule)]
            (limit,) = astuple(rule)
            if not holds(value, limit):
                raise ValueError(f"{key}: its schedule is {value:g} after {shown} images; must be {phrase} {limit}")
    return found


def at(value: float | Following, shown: int) -> float:
    """A number after so many real images were shown."""
    return value(shown) if isinstance(value, Following) else value


def followed(parts: Iterable[tuple[str, object]], shown: int) -> Iterator[tuple[str, float]]:
    """Dotted names and values of all numbers that follow schedules in these objects, given with their own names."""
    for place, part in parts:
        for value in getattr(part, "__dict__", {}).values():
            if isinstance(value, Following):
                yield f"{place}.{value.name}".removeprefix("."), value(shown)
