"""What of a run's texts may leave the machine: no secrets, no places."""

import re
import shlex
from collections.abc import Mapping
from typing import Any

from forger.config.trust import is_place
from forger.redaction import redacted

#: A path from the root of a file system, a home or a drive; the last part of it is its name.
_PLACE = re.compile(
    r"(?<![\w./:\\~-])(?:file:/+|~[\w.-]*/|/(?=[^/\s]+/)|[A-Za-z]:[\\/])[^\s'\"`,;:()\[\]{}|]*?([^\s'\"`,;:()\[\]{}|\\/]+)[\\/]?"
    r"(?=$|[\s'\"`,;:()\[\]{}|])"
)
#: Keys of a command that say where and how things are shown, not what comes out.
_ASIDE = re.compile(r"[+~]*(?:run\.root|hydra(?:[./].*)?|logger(?:[./].*)?)=.*", re.S)
#: What stands for a place.
_ELSEWHERE = "PATH"


def publishable(value: Any) -> Any:
    """The same containers and scalars without secrets, and with the names of files in the place of their paths."""
    return _without_places(redacted(value))


def reproducing(command: str) -> tuple[str, bool]:
    """The command of a run for whoever has the data, and whether it has places to fill in.

    Args:
        command: as in its record.
    """
    words, missing = [], False
    for word in shlex.split(command):
        if _ASIDE.fullmatch(word):
            continue
        key, sign, value = word.partition("=")
        if sign and _is_place(key, value):
            word, missing = f"{key}={_ELSEWHERE}", True
        words.append(word)
    return shlex.join(words), missing


def _is_place(key: str, value: str) -> bool:
    if key.startswith("--"):
        return True  # folders of configs, a run to start from
    return is_place(key.lstrip("+~").rpartition(".")[2], value) or _without_places(value) != value or "./" in value


def _without_places(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_places(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_places(item) for item in value]
    return _PLACE.sub(r"\1", value) if isinstance(value, str) else value
