"""The config that stands in a run folder, read as data that anybody may have written."""

from pathlib import Path
from typing import Any

import yaml

from forger.files import content_of

#: Largest config in bytes; forger writes smaller ones.
_MOST_BYTES = 4 << 20
#: Most levels of lists and mappings; a far deeper file would end the process in the loader.
_DEEPEST = 50
#: The C loader is ten times as fast, and just as safe.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def stored_config(file: Path) -> dict[str, Any]:
    """The mapping in a ``config.yaml``; nothing in it is looked up anywhere.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is not one; the message says why and names no file.
    """
    try:
        content = content_of(file, _MOST_BYTES)
        content.decode("utf-8")
        _check_shape(content)
        config = yaml.load(content, Loader=_Loader)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{error.encoding}: {error.reason} at byte {error.start}; save it as UTF-8") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"not readable as YAML ({' '.join(str(error).split())[:200]})") from None
    if not isinstance(config, dict):
        raise ValueError("not the config of a run")
    return config


def _check_shape(content: bytes) -> None:
    """Refuse aliases, of which a few can expand to more than memory holds, and depth; forger writes neither."""
    depth = 0
    for event in yaml.parse(content, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("it has YAML aliases, which no config of a run has")
        if depth > _DEEPEST:
            raise ValueError(f"nested more than {_DEEPEST} deep")
