"""Modules of the user's own, which their configs and options name."""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType


def own_module(name: str) -> ModuleType:
    """The module of a name that the user gave; the current folder is searched where it is nowhere else.

    Last and only then: a file that happens to lie there takes the place of nothing that is installed.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        here = str(Path.cwd())
        if error.name != name.partition(".")[0] or here in sys.path:
            raise
        sys.path.append(here)
        return import_module(name)
