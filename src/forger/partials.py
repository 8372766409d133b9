"""Functions with some arguments given, as configs make them."""

from functools import partial
from typing import Any


def plain(function: Any) -> Any:
    """A plain partial of the same call: those of config libraries check their target at each call."""
    return partial(function.func, *function.args, **function.keywords) if isinstance(function, partial) else function
