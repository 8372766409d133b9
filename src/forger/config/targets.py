"""The signature is the schema: config nodes with `_target_`, checked against what they name."""

import dataclasses
import inspect
import typing
from collections.abc import Mapping
from functools import cache
from pkgutil import iter_modules
from types import ModuleType, NoneType
from typing import Annotated, Any, NamedTuple, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt

from forger.config.former_names import present_name
from forger.config.trust import EXTRACTORS, is_place, trusted_target
from forger.config.typecheck import core, fitting, join, plain_number, short
from forger.errors import ConfigError, closest
from forger.importing import own_module

_SPECIAL = {"_target_", "_partial_", "_convert_", "_recursive_", "_args_"}


class Node(dict[str, Any]):
    """As an annotation: a group of keys with `_target_`, which stays a plain mapping."""


class TargetParameter(NamedTuple):
    annotation: Any
    required: bool


class Signature(NamedTuple):
    parameters: dict[str, TargetParameter]
    takes_any: bool


# Ranges that torch's annotations do not have and its constructors do not check.
_Fraction = Annotated[float, Ge(0), Lt(1)]
_OPTIMIZER_RANGES: dict[str, Any] = {
    "lr": Annotated[float, Gt(0), Le(10)],
    "betas": tuple[_Fraction, _Fraction],
    "eps": Annotated[float, Gt(0)],
    "weight_decay": Annotated[float, Ge(0)],
    "momentum": _Fraction,
}


def checked(value: Any, annotation: Any, key: str, *, untrusted: bool = False) -> Any:
    """The value of a config key, checked with every node below it; whole floats for integers become integers.

    Args:
        value: plain containers and scalars.
        annotation: a type, with ranges from `annotated_types`; dataclasses are groups of keys, `Node` is a
            group with `_target_`, `Any` checks only the nodes inside.
        key: the value's full dotted key, for messages.
        untrusted: accept only targets of `forger.config.trust.trusted_target`.

    Raises:
        ConfigError: one line with the key, the value, what is allowed and the closest valid name.
    """
    if isinstance(value, Mapping) and "_target_" in value:
        if value.get("_partial_") is True and plain_number(annotation):
            raise ConfigError(f"{key}={short(value['_target_'])}: must be a number; no schedule can take its place")
        return _checked_node(value, key, untrusted)
    kind = core(annotation)
    absent = value is None and NoneType in get_args(annotation)
    if kind is Node and not absent:
        raise ConfigError(f"{key}={short(value)}: must be a group of keys with _target_")
    if dataclasses.is_dataclass(kind) and not absent and not isinstance(value, Mapping):
        raise ConfigError(f"{key}={short(value)}: must be a group of keys")
    if isinstance(value, Mapping):
        if dataclasses.is_dataclass(kind):
            return checked_arguments(value, _signature(kind), key, key or "the config", untrusted=untrusted)
        of_values = _element(kind, (dict, Mapping))
        if of_values is not None or _has_node(value):
            return {k: checked(v, of_values or Any, join(key, k), untrusted=untrusted) for k, v in value.items()}
    elif isinstance(value, list) and _has_node(value):
        of_items = _element(kind, (list, tuple)) or Any
        return [checked(v, of_items, join(key, i), untrusted=untrusted) for i, v in enumerate(value)]
    return fitting(value, annotation, key)


def checked_arguments(
    arguments: Mapping[str, Any],
    signature: Signature,
    key: str,
    owner: str,
    *,
    given: int | None = 0,
    untrusted: bool = False,
) -> dict[str, Any]:
    """Keyword arguments checked against a signature.

    Args:
        arguments: by name.
        signature: of what they are for.
        key: dotted key of their group.
        owner: what they are for, in messages.
        given: number of leading parameters that are given by position; None if any may still come.
        untrusted: as for `checked`.
    """
    parameters = signature.parameters
    result = {}
    # In the order of the signature, so that a key is refused before those that were interpolated from it.
    places = {name: place for place, name in enumerate(parameters)}
    for name, value in sorted(arguments.items(), key=lambda item: places.get(item[0], -1)):
        if name not in parameters and not signature.takes_any:
            shown = f"{join(key, name)}={short(value)}"
            raise ConfigError(f"{shown}: no such key of {owner}; {closest(str(name), parameters)}")
        annotation = parameters[name].annotation if name in parameters else Any
        result[name] = checked(value, annotation, join(key, name), untrusted=untrusted)
    if given is not None:
        for name, parameter in list(parameters.items())[given:]:
            if parameter.required and name not in arguments:
                raise ConfigError(f"{join(key, name)}: missing; {owner} needs it")
    return {name: result[name] for name in arguments}


def _checked_node(node: Mapping[str, Any], key: str, untrusted: bool) -> dict[str, Any]:
    path = node["_target_"]
    if not (isinstance(path, str) and all(map(str.isidentifier, path.split(".")))):
        raise ConfigError(f"{key}._target_={short(path)}: must be the dotted name of a class or function")
    path = present_name(path)
    if untrusted and not trusted_target(path):
        raise ConfigError(f"{key}._target_={path}: not allowed in a config that is not your own")
    target = _located(path, f"{key}._target_")
    if not untrusted:
        _authorize(path, f"{key}._target_")
    partial = node.get("_partial_", False)
    if not isinstance(partial, bool):
        raise ConfigError(f"{key}._partial_={short(partial)}: must be true or false")
    positional = node.get("_args_", [])
    if not isinstance(positional, list):
        raise ConfigError(f"{key}._args_={short(positional)}: must be a list")
    if untrusted and positional and not path.startswith("torch.nn."):
        raise ConfigError(f"{key}._args_: arguments without names are not allowed in a config that is not your own")
    arguments = {name: value for name, value in node.items() if name not in _SPECIAL}
    if untrusted:
        _refuse_names(path, arguments, key)
    given = None if partial else len(positional)
    checked_arguments_ = checked_arguments(arguments, _signature(target), key, path, given=given, untrusted=untrusted)
    special = {name: node[name] for name in node if name in _SPECIAL} | {"_target_": path}
    if positional:
        special["_args_"] = checked(positional, Any, f"{key}._args_", untrusted=untrusted)
    return special | checked_arguments_


def _refuse_names(path: str, arguments: Mapping[str, Any], key: str) -> None:
    """Refuse what a trusted target would itself import by a name among its arguments, and files and folders.

    Those of the data are asked for when they are needed (`forger.lifecycle.ownership`).
    """
    for name, value in arguments.items():
        shown = f"{join(key, name)}={short(value)}"
        if is_place(name, value) and key != "data.source":
            raise ConfigError(f"{shown}: a file's name is not allowed in a config that is not your own")
        extractor = path.startswith("forger.metrics.") and name == "extractor" and isinstance(value, str)
        if extractor and value not in EXTRACTORS:
            raise ConfigError(f"{shown}: not allowed in a config that is not your own")


# Names ------------------------------------------------------------------------------------------------------


@cache
def _located(path: str, key: str) -> Any:
    """The object of a dotted name."""
    parts = path.split(".")
    found: Any = None
    for index, part in enumerate(parts):
        if index and hasattr(found, part):
            found = getattr(found, part)
            continue
        module = ".".join(parts[: index + 1])
        try:
            found = own_module(module)
        except ModuleNotFoundError as error:
            needed = str(error.name)
            if not f"{module}.".startswith(f"{needed}."):
                raise ConfigError(f"{key}={path}: needs the package '{needed}', not installed") from None
            parent = ".".join(parts[:index])
            hint = f"; {closest(part, _names(found))}" if index else "; is its package installed?"
            where = f"in {parent}" if index else "to import"
            raise ConfigError(f"{key}={path}: nothing called '{part}' {where}{hint}") from None
        except Exception as error:  # whatever the user's own module raises
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise ConfigError(f"{key}={path}: {module} can't be imported ({reason})") from error
    if not callable(found):
        raise ConfigError(f"{key}={path}: neither a class nor a function")
    return found


def _names(owner: Any) -> list[str]:
    """Public names that a user may have meant: submodules, and classes and functions that are defined here."""
    if not isinstance(owner, ModuleType):
        return [name for name in dir(owner) if not name.startswith("_")]
    modules = [module.name for module in iter_modules(getattr(owner, "__path__", []))]
    package = owner.__name__.partition(".")[0]
    for name, value in vars(owner).items():
        if callable(value) and str(getattr(value, "__module__", "")).partition(".")[0] == package:
            modules.append(name)
    return [name for name in modules if not name.startswith("_")]


@cache
def _authorize(path: str, key: str) -> None:
    """Check Hydra's own block list before any work starts, since Hydra does so only when it calls a target."""
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    try:
        instantiate({"_target_": path, "_partial_": True})
    except InstantiationException as error:
        raise ConfigError(f"{key}={path}: refused by Hydra ({' '.join(str(error).split())[:200]})") from None


@cache
def _signature(target: Any) -> Signature:
    """Parameters by name, with their resolved annotations; any are allowed if Python has no signature."""
    try:
        parameters = inspect.signature(target).parameters
    except (TypeError, ValueError):
        return Signature({}, takes_any=True)
    hints = _hints(target)
    result = {}
    for name, parameter in parameters.items():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY):
            continue
        raw = Any if isinstance(parameter.annotation, str) else parameter.annotation
        annotation = hints.get(name, Any if raw is parameter.empty else raw)
        result[name] = TargetParameter(annotation, parameter.default is parameter.empty)
    if _is_optimizer(target):
        result |= {
            name: TargetParameter(annotation, result[name].required)
            for name, annotation in _OPTIMIZER_RANGES.items()
            if name in result
        }
    return Signature(result, any(p.kind is p.VAR_KEYWORD for p in parameters.values()))


def _hints(target: Any) -> dict[str, Any]:
    source = target.__init__ if inspect.isclass(target) and not dataclasses.is_dataclass(target) else target
    try:
        return typing.get_type_hints(source, include_extras=True)
    except (NameError, TypeError, AttributeError):
        return {}  # an annotation that exists for type checkers only


def _is_optimizer(target: Any) -> bool:
    return inspect.isclass(target) and any(
        base.__module__ == "torch.optim.optimizer" and base.__name__ == "Optimizer" for base in target.__mro__
    )


# Types ------------------------------------------------------------------------------------------------------


def _element(kind: Any, origins: tuple[Any, ...]) -> Any:
    """The annotation of a container's values; None if it is no such container."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in origins or (inspect.isclass(origin) and issubclass(origin, typing.Sequence | Mapping)):
        return next((a for a in reversed(arguments) if a is not Ellipsis), None)
    return None


def _has_node(value: Any) -> bool:
    if isinstance(value, Mapping):
        return "_target_" in value or any(map(_has_node, value.values()))
    return isinstance(value, list) and any(map(_has_node, value))
