"""Any exception, also Hydra's and OmegaConf's, as one line for the user and an exit code."""

import errno
import inspect
import os
import re
import sys
import traceback
from collections.abc import Iterable
from typing import Any

from forger.config.shipped import config_groups
from forger.errors import ConfigError, ForgerError, closest
from forger.redaction import redacted
from forger.standard_streams import printable

#: What to do about an operating system's error.
_REMEDIES = {
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "a part of this path is a file; name another folder",
    errno.EISDIR: "a folder has the name of a file; move it away or name another path",
    errno.EEXIST: "a file is in the way; move it or name another path",
    errno.EACCES: "get the permission or name another path",
    errno.EPERM: "get the permission or name another path",
    errno.EROFS: "this place can't be written; name another path",
    errno.ENOSPC: "make room, then give the same command again",
    errno.EDQUOT: "make room, then give the same command again",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}


def tell(error: BaseException) -> int:
    """Write the one line that explains an exception to stderr; its exit code."""
    if os.environ.get("FORGER_DEBUG") == "1":
        traceback.print_exception(error)
    line, code = explain(error, groups=config_groups())
    print(f"forger: {printable(line)}", file=sys.stderr, flush=True)
    return code


def explain(error: BaseException, groups: Iterable[str] = ()) -> tuple[str, int]:
    """The line to show for an exception, without secrets, and the exit code of the command.

    Args:
        error: what was raised.
        groups: names of config groups, offered as matches for an unknown key at the top.
    """
    line, code = _explained(error, groups)
    return redacted(line), code


def _explained(error: BaseException, groups: Iterable[str]) -> tuple[str, int]:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", 130
    if isinstance(error, ForgerError):
        return one_line(str(error)), error.exit_code
    if (line := _composition(error, list(groups))) is not None:
        return line, ConfigError.exit_code
    if _named(error, "hydra.errors.InstantiationException"):
        return _instantiation(error, groups)
    if isinstance(error, OSError):
        code = ConfigError.exit_code if isinstance(error, FileNotFoundError) else ForgerError.exit_code
        return one_line(_system(error)), code
    if isinstance(error, ValueError):
        return one_line(str(error)), ConfigError.exit_code
    if isinstance(error, MemoryError) or "allocate memory" in str(error) or "out of memory" in str(error):
        return f"out of memory: lower --n, data.batch_size or the networks' width ({one_line(str(error), 160)})", 1
    return f"failed: {type(error).__name__}: {one_line(str(error))} (FORGER_DEBUG=1 shows the traceback)", 1


def one_line(text: str, longest: int = 1000) -> str:
    """Text without line breaks or control characters, cut if it is very long."""
    line = re.sub(r"[\x00-\x1f\x7f\s]+", " ", text).strip()
    return line if len(line) <= longest else line[:longest] + " …"


def _system(error: OSError) -> str:
    """The operating system's error: which path, what is wrong, what to do."""
    if error.errno is None or error.strerror is None:
        return str(error)
    where = f"{error.filename}: " if error.filename is not None else ""
    what = error.strerror[:1].lower() + error.strerror[1:]
    remedy = _REMEDIES.get(error.errno)
    return f"{where}{what}" + (f"; {remedy}" if remedy else "")


def _named(error: BaseException, name: str) -> bool:
    # By name: if the class's module was never imported, the error can't be of that class.
    module, _, attribute = name.rpartition(".")
    kind = getattr(sys.modules.get(module), attribute, None)
    return kind is not None and isinstance(error, kind)


def _composition(error: BaseException, groups: list[str]) -> str | None:
    """The line for an error of Hydra's composition or of OmegaConf; None if it is neither."""
    unknown = error.__cause__ if _named(error, "hydra.errors.ConfigCompositionException") else error
    if _named(unknown or error, "omegaconf.errors.ConfigKeyError") or _named(
        unknown or error, "omegaconf.errors.ConfigAttributeError"
    ):
        return _unknown_key(unknown, str(error), groups)
    if _named(error, "hydra.errors.MissingConfigException"):
        return _missing_config(error)
    if _named(error, "hydra.errors.OverrideParseException"):
        return _syntax(error)
    if _named(error, "omegaconf.errors.MissingMandatoryValue"):
        key = getattr(error, "full_key", None) or "config"
        return f"{key}: a value is missing; set {key}=…"
    if _named(error, "omegaconf.errors.InterpolationResolutionError"):
        if (cause := _config_error(error)) is not None:
            return one_line(str(cause))
        child = getattr(error, "child_node", None)
        value = child._value() if child is not None else "?"
        return one_line(f"{getattr(error, 'full_key', '?')}={value}: {_unresolved(error)}")
    if _named(error, "yaml.YAMLError"):
        mark = getattr(error, "problem_mark", None)
        where = f"{mark.name}, line {mark.line + 1}: " if mark else ""
        return one_line(f"{where}not valid YAML: {getattr(error, 'problem', None) or error}")
    if several := re.match(r"Ambiguous value for argument '(.*)'\n", str(error)):
        return one_line(f"{several[1]}: several values; add -m for one job each, or write key=[a,b] for a list")
    if _named(error, "hydra.errors.HydraException") and not _named(error, "hydra.errors.InstantiationException"):
        return one_line(re.sub(r"See https://hydra\.cc\S*( for \w+)?", "", str(error)))
    if _named(error, "omegaconf.errors.OmegaConfBaseException"):
        key = getattr(error, "full_key", None)
        return one_line(f"{key}: {_first_line(error)}" if key else _first_line(error))
    return None


def _config_error(error: BaseException) -> ConfigError | None:
    """What a resolver of ours said; OmegaConf raises an error of its own in its place."""
    within = error.__cause__ or error.__context__
    return within if isinstance(within, ConfigError) or within is None else _config_error(within)


def _unresolved(error: BaseException) -> str:
    """Why an interpolation has no value, and what to do."""
    reason = re.sub(r"^\w+ raised while resolving interpolation: ", "", _first_line(error)).strip('"')
    if unknown := re.match(r"Interpolation key '(.*)' not found", reason):
        of_data = "; choose data and a model that fit" if unknown[1].startswith("data.") else ""
        return f"the config has no {unknown[1]}{of_data or '; set it, or give a value here'}"
    if variable := re.match(r"Environment variable '(.*)' not found", reason):
        return f"the environment has no {variable[1]}; set it, or give a value here"
    return f"{reason}; give a value here"


def _unknown_key(error: Any, message: str, groups: list[str]) -> str:
    key = error.full_key or error.key
    override = re.search(r"use \+(\S.*)$", message)
    named = override[1] if override and override[1].startswith(key) else key
    parent = error.parent_node
    valid = {name for name in map(str, parent or ()) if not name.startswith("_")} - {"hydra"}
    if (target := _target(parent)) is not None and error.key in target[1]:
        return one_line(f"{named}: this config leaves it out, though {target[0]} takes it; +{named} adds it")
    if "." not in key:
        valid |= set(groups)
    if not valid:
        return one_line(f"{named}: no such key")
    return one_line(f"{named}: no such key; {closest(str(error.key), valid)}")


def _target(node: Any) -> tuple[str, Iterable[str]] | None:
    """Name and parameters of what a node of the config builds; None if it builds nothing."""
    from hydra.utils import get_object
    from omegaconf import DictConfig

    name = node.get("_target_") if isinstance(node, DictConfig) else None
    if name is None:
        return None
    try:
        return name, inspect.signature(get_object(name)).parameters
    except Exception:  # whatever an import can raise: then the name alone is wrong, and is told elsewhere
        return None


def _missing_config(error: Any) -> str:
    group, _, name = (error.missing_cfg_file or "").rpartition("/")
    if error.options is None or not group:
        return one_line(str(error).partition("Config search path")[0])
    where = re.match(r"In '([^']+)': ", str(error))
    place = f"{where[1]}: " if where and where[1] != "train" else ""
    return one_line(f"{place}{group}={name}: no such config; {closest(name, error.options, 'available')}")


def _syntax(error: Any) -> str:
    lines = [line for line in error.message.splitlines() if line.strip(" ^")]
    problem = next((line for line in lines if not line.startswith(("Error parsing", "See http"))), "")
    if "Exception:" in problem or error.override in problem:
        problem = "unexpected character"
    return one_line(
        f"{error.override}: not an override ({problem}); write key=value, and quote a value with special "
        "characters: key='\"a, b\"'"
    )


def _instantiation(error: BaseException, groups: Iterable[str]) -> tuple[str, int]:
    """The constructor's message, with the key of its node in the config."""
    key = re.search(r"full_key: (\S+)", str(error))
    prefix = f"{key[1]}: " if key else ""
    if error.__cause__ is None:
        return one_line(prefix + re.sub(r"full_key: \S+", "", str(error))), ConfigError.exit_code
    line, code = explain(error.__cause__, groups)
    has_key = isinstance(error.__cause__, ForgerError) and "=" in line.partition(": ")[0]  # with its own key
    return (line if has_key else prefix + line), code


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
