"""A command's options, as they were typed."""

from collections.abc import Mapping, Sequence
from typing import Any

from forger.errors import ConfigError, closest


def number(options: Mapping[str, str], name: str, kind: type, least: int) -> Any:
    """The number behind an option that was given.

    Raises:
        ConfigError: it is no number of this kind, or below ``least``.
    """
    text = options[name]
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not least <= value < 2**63:
        whole = "a whole number" if kind is int else "a number"
        raise ConfigError(f"--{name} {text}: must be {whole} of at least {least}")
    return value


def local(path: str) -> str:
    """A path that the user gave.

    Raises:
        ConfigError: it is a URL; nothing is downloaded and then built or unpickled by accident.
    """
    if "://" in path:
        raise ConfigError(f"{path}: a URL, and only local files are read; download it and give its path")
    return path


def places_among(arguments: Sequence[str], keys: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The other arguments, and the places that are named in the manner of overrides (``data.root=FOLDER``) by key."""
    places = {key: value for key, sign, value in (a.partition("=") for a in arguments) if sign and key in keys}
    return [argument for argument in arguments if argument.partition("=")[0] not in places], places


def without_flags(command: str, arguments: list[str], flags: set[str], most: int) -> list[str]:
    """The arguments that are no flags."""
    others = [argument for argument in arguments if argument not in flags]
    for argument in others:
        if argument.startswith("-"):
            raise ConfigError(f"{command} {argument}: no such option; {closest(argument, flags)}")
    if len(others) > most:
        raise ConfigError(f"{command} {others[most]}: one argument too many (forger {command} --help)")
    return others


def with_options(
    command: str, arguments: list[str], names: Sequence[str], flags: set[str], most: int
) -> tuple[list[str], dict[str, str]]:
    """The arguments that are neither flags nor options, and the options (``--n 9`` or ``--n=9``) by name."""
    from forger.errors import ConfigError

    rest: list[str] = []
    options: dict[str, str] = {}
    queue = list(arguments)
    while queue:
        argument = queue.pop(0)
        name, has_value, value = argument.removeprefix("--").partition("=")
        if not argument.startswith("--") or name not in names:
            rest.append(argument)
        elif has_value or queue:
            options[name] = value if has_value else queue.pop(0)
        else:
            raise ConfigError(f"{command} {argument}: needs a value")
    others = without_flags(command, rest, flags | {f"--{name}" for name in names}, most)
    return others, options
