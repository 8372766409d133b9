"""Errors by exit code; each message is one line that says what, where and what to do."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice
from typing import Literal

_LONGEST_LIST = 30

Kind = Literal["term", "gradient", "weight"]


class ForgerError(Exception):
    """A failure that forger names itself; the command ends with ``exit_code``."""

    exit_code = 1


class Unfit(ValueError):
    """A picture that can be read, but is not what the config asks for."""


class ConfigError(ForgerError, ValueError):
    """The input or the config is wrong; nothing has been started."""

    exit_code = 2


class RunLocked(ForgerError):
    """Another process is at work in the run folder."""


class Diverged(ForgerError):
    """A term, gradient or weight became NaN or infinite.

    Args:
        player: on whose turn it was found.
        tensor: the name of the term, gradient or weight.
        value: what it became.
        iteration: the round in which it was found.
        kind: term, gradient or weight; a weight becomes NaN before the terms that are computed from it.
    """

    exit_code = 3

    def __init__(self, player: str, tensor: str, value: float, iteration: int, kind: Kind = "term") -> None:
        what = {
            "term": f"the {player}'s term '{tensor}' is {value}",
            "gradient": f"the gradient of '{tensor}' is {value} on the {player}'s turn",
            "weight": f"the weight '{tensor}' is {value} after the {player}'s turn",
        }[kind]
        super().__init__(f"diverged: {what} at iteration {iteration}")
        self.player, self.tensor, self.value, self.iteration, self.kind = player, tensor, value, iteration, kind


class StoppedByWatch(ForgerError):
    """The watch ended the run; its state is saved."""

    exit_code = 3


class Interrupted(ForgerError):
    """A signal ended the run; its state is saved."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"interrupted by signal {signal_number}; the same command continues the run")
        self.exit_code = 128 + signal_number


def unreadable(error: BaseException) -> str:
    """Why torch refused to load a file, in a few words and without its advice to load it unsafely."""
    text = " ".join(str(error).split())
    if "Weights only load failed" not in text:
        return text[:200] or type(error).__name__
    if code := re.search(r"GLOBAL (\S+)", text):
        return f"it holds {code[1]}, and could run code"
    return "it is no file of torch.save, or it is damaged"


def first_few(names: Iterable[object], most: int = 5) -> str:
    """The first names of a list, and a sign if there are more: `a, b, c, d, e, …`."""
    shown = [str(name) for name in islice(names, most + 1)]
    return ", ".join([*shown[:most], *["…"] * (len(shown) > most)])


def closest(name: str, valid: Iterable[str], label: str = "valid") -> str:
    """What to say after refusing a name: the closest valid one, and the list of them unless it is long."""
    names = sorted(set(valid))
    matches = get_close_matches(name, names, n=1, cutoff=0.6)
    hint = f"did you mean '{matches[0]}'? " if matches else ""
    shown = names if len(names) <= _LONGEST_LIST else [*names[:_LONGEST_LIST], "…"]
    return hint.strip() if matches and shown != names else f"{hint}({label}: {', '.join(shown) or 'none'})"
