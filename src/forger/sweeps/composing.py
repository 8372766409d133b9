"""Hydra's composition for sweeps: the user's own folder of configs in front, overrides one at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from forger.config.shipped import conf_folder
from forger.errors import ConfigError


@contextmanager
def configs(config_folder: str | None) -> Iterator[Any]:
    """Hydra's `compose`, with the user's own folder of configs in front."""
    shipped = conf_folder()
    if config_folder is None:
        with initialize_config_dir(str(shipped), version_base="1.3"):
            yield compose
        return
    folder = Path(config_folder).resolve()
    if not folder.is_dir():
        raise ConfigError(f"--config-dir {config_folder}: no such folder")
    with initialize_config_dir(str(folder), version_base="1.3"):
        # Hydra looks for a primary config in the first folder and in its own search path, which it reads once.
        search_path = create_config_search_path(str(folder))
        search_path.prepend("shipped", f"file://{shipped}", anchor="schema")
        GlobalHydra.instance().clear()
        Hydra.create_main_hydra2(task_name="forger", config_search_path=search_path)
        yield compose


def parsed_override(text: str) -> Override:
    try:
        override = OverridesParser.create().parse_override(text)
    except HydraException as error:
        line = next((line for line in str(error).splitlines() if line.strip()), "")
        raise ConfigError(f"{text}: not an override ({line}); write key=value") from None
    return override
