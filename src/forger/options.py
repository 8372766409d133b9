"""Values of a command's options, as they were typed."""

from collections.abc import Mapping
from typing import Any

from forger.errors import ConfigError


def number(options: Mapping[str, str], name: str, kind: type, least: int) -> Any:
    """The number behind an option that was given.

    Raises:
        ConfigError: it is none of this kind, or below ``least``.
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
