"""What can go wrong, by exit code; the message of each is one line that says what, where and what to do."""

from collections.abc import Iterable
from difflib import get_close_matches

_LONGEST_LIST = 30


class ForgerError(Exception):
    """A failure that forger names itself; the command ends with ``exit_code``."""

    exit_code = 1


class ConfigError(ForgerError, ValueError):
    """The input or the config is wrong; nothing has been started."""

    exit_code = 2


class RunLocked(ForgerError):
    """Another process is at work in the run folder."""


class Diverged(ForgerError):
    """A term of an objective became NaN or infinite.

    Args:
        player: whose objective it is.
        term: the term's name.
        value: what it became.
        iteration: the round in which it happened.
    """

    exit_code = 3

    def __init__(self, player: str, term: str, value: float, iteration: int) -> None:
        super().__init__(f"diverged: the {player}'s term '{term}' is {value} at iteration {iteration}")
        self.player, self.term, self.value, self.iteration = player, term, value, iteration


class Interrupted(ForgerError):
    """A signal ended the run; its state is saved."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"interrupted by signal {signal_number}; the same command continues the run")
        self.exit_code = 128 + signal_number


def closest(name: str, valid: Iterable[str], label: str = "valid") -> str:
    """What to say after refusing a name: the closest valid one, and the list of them unless it is long."""
    names = sorted(set(valid))
    matches = get_close_matches(name, names, n=1, cutoff=0.6)
    hint = f"did you mean '{matches[0]}'? " if matches else ""
    shown = names if len(names) <= _LONGEST_LIST else [*names[:_LONGEST_LIST], "…"]
    return hint.strip() if matches and shown != names else f"{hint}({label}: {', '.join(shown) or 'none'})"
