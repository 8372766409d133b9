"""Functions with some arguments given, as configs make them."""

from functools import partial
from typing import Any


def plain(function: Any) -> Any:
    """A partial without what its class does at each call: config libraries check its target again and again."""
    return partial(function.func, *function.args, **function.keywords) if isinstance(function, partial) else function
