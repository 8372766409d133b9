"""What is made of a split's real images once, however often they are evaluated."""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from forger.data.dataset import Split

T = TypeVar("T")
_MADE: WeakKeyDictionary[Split, dict[Hashable, Any]] = WeakKeyDictionary()


def once_for(split: Split, what: Hashable, make: Callable[[], T]) -> T:
    """What ``make`` gives, made at the first call for this split and ``what``, kept as long as the split is there."""
    made = _MADE.setdefault(split, {})
    if what not in made:
        made[what] = make()
    return made[what]
