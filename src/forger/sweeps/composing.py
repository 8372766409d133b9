"""Hydra's composition for sweeps: the user's own folder of configs in front, overrides one at a time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from numbers import Real
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

from forger.config.layers import in_front, own_folders
from forger.config.shipped import conf_folder
from forger.errors import ConfigError


@contextmanager
def configs(config_folders: Sequence[str]) -> Iterator[Any]:
    """Hydra's `compose`, with the user's own folders of configs in front."""
    with in_front(own_folders(config_folders)), initialize_config_dir(str(conf_folder()), version_base="1.3"):
        yield compose


def parsed_override(text: str) -> Override:
    try:
        override = OverridesParser.create().parse_override(text)
    except HydraException as error:
        line = next((line for line in str(error).splitlines() if line.strip()), "")
        raise ConfigError(f"{text}: not an override ({line}); write key=value") from None
    return override


def text_of(value: Any) -> str:
    """A value as it stands in an override: null, a number, a text in the quotes that it needs, a list, a mapping."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{','.join(map(text_of, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}: {text_of(each)}' for key, each in value.items())}}}"
    return str(value) if isinstance(value, Real) else quoted(str(value))


def quoted(text: str) -> str:
    """A text in an override: in quotes unless it is read as itself without them."""
    try:
        bare = OverridesParser.create().parse_override(f"key={text}").value() == text
    except HydraException:
        bare = False
    return text if bare else QuotedString(text, Quote.double).with_quotes()
