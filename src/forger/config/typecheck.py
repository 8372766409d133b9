"""Values of a config checked against Python annotations: types, ranges, choices, with readable errors."""

import inspect
import json
import math
import re
import typing
from collections.abc import Callable, Iterator
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import PydanticUserError, TypeAdapter, ValidationError

from forger.errors import ConfigError, closest


def fitting(value: Any, annotation: Any, key: str) -> Any:
    """The value, if it is of the annotated type and range; 1e5 may stand for an integer."""
    _refuse_non_finite(value, key)
    if value is not None and _needs_node(core(annotation)):
        raise ConfigError(f"{key}={short(value)}: must be a group of keys with _target_")
    adapter = _adapter(annotation)
    if adapter is None or (error := _refusal(adapter, value)) is None:
        return value
    if isinstance(value, float) and value.is_integer() and _refusal(adapter, int(value)) is None:
        return int(value)
    raise ConfigError(f"{key}={short(value)}: {_reason(error, value)}")


def core(annotation: Any) -> Any:
    """The annotation without its metadata, and without None beside one other type."""
    if get_origin(annotation) is Annotated:
        return core(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        others = [member for member in get_args(annotation) if member is not NoneType]
        return core(others[0]) if len(others) == 1 else annotation
    return annotation


def plain_number(annotation: Any) -> bool:
    """Whether a value of this type is a number, or nothing, and never a function."""
    kind = core(annotation)
    members = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    return all(core(member) in (int, float, NoneType) for member in members)


def _refuse_non_finite(value: Any, key: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{key}={short(value)}: must be a finite number")
    if isinstance(value, list):
        for index, item in enumerate(value):
            _refuse_non_finite(item, join(key, index))


def _needs_node(kind: Any) -> bool:
    """Whether only an object that a node builds can be of this type."""
    if get_origin(kind) is Callable or kind is Callable:
        return True
    return inspect.isclass(kind) and any(
        base.__module__ == "torch.nn.modules.module" and base.__name__ == "Module" for base in kind.__mro__
    )


def _refusal(adapter: TypeAdapter[Any], value: Any) -> ValidationError | None:
    # Strict JSON rules fit YAML: a list may stand for a tuple, but "3" and true are no integers.
    try:
        adapter.validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        return error
    return None


@cache
def _adapter_of_hashable(annotation: Any) -> TypeAdapter[Any] | None:
    simple = _simplified(annotation)
    return None if simple is Any else TypeAdapter(simple)


def _adapter(annotation: Any) -> TypeAdapter[Any] | None:
    """The validator of an annotation, made once; None if it can't be checked."""
    try:
        return _adapter_of_hashable(annotation)
    except TypeError:  # metadata that can't be hashed
        return _adapter_of_hashable.__wrapped__(annotation)


def _simplified(annotation: Any) -> Any:
    """The annotation with `Any` where a type has no meaning in a config, such as tensors and callables."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is Any or annotation is object or isinstance(annotation, typing.TypeVar | str):
        return Any
    if origin is Callable or annotation is Callable or origin is type:
        return Any
    if origin in (Union, UnionType):
        members = [simple for member in arguments if (simple := _simplified(member)) is not Any]
        return Union[tuple(members)] if any(m is not NoneType for m in members) else Any  # noqa: UP007
    if origin is Annotated:
        inner = _simplified(arguments[0])
        return Any if inner is Any else Annotated[(inner, *annotation.__metadata__)]
    if origin is not None and origin is not Literal and arguments:
        simple = tuple(Ellipsis if a is Ellipsis else _simplified(a) for a in arguments)
        if simple != arguments:
            annotation = origin[simple]
    try:
        TypeAdapter(annotation)
    except (PydanticUserError, TypeError, NameError):
        return Any
    return annotation


def join(key: str, name: object) -> str:
    """The dotted key of a name inside a group; the whole config's key is empty."""
    return f"{key}.{name}" if key else str(name)


def short(value: Any, longest: int = 60) -> str:
    """A config value as one would type it, cut where it is long."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    text = re.sub(r"\s+", " ", text)
    return text if len(text) <= longest else text[:longest] + "…"


def _reason(error: ValidationError, value: Any) -> str:
    details = error.errors(include_url=False)
    literals = [detail for detail in details if detail["type"] == "literal_error"]
    if literals and isinstance(value, str):
        choices = [c for detail in literals for c in re.findall(r"'([^']*)'", detail.get("ctx", {})["expected"])]
        return f"no such choice; {closest(value, choices)}"
    absent = [detail for detail in details if detail["type"] == "missing"]
    if absent:
        return f"too short a list; item {absent[0]['loc'][-1]} (counted from 0) is missing"
    phrases_at: dict[str, list[str]] = {}
    for place, phrase in _phrases(details):
        if phrase not in phrases_at.setdefault(place, []):
            phrases_at[place].append(phrase)
    return ", or ".join(f"{place}must {' or '.join(phrases)}" for place, phrases in phrases_at.items())


def _phrases(details: Any) -> Iterator[tuple[str, str]]:
    """For each fault its item in a list ("item 1 ", or nothing) and what it must be or have."""
    for detail in details:
        context = detail.get("ctx", {})
        place = "".join(f"item {part} " for part in detail["loc"] if isinstance(part, int))
        text = _PHRASES.get(detail["type"])
        if text is None:
            message = re.sub(r"^(Input|Value|List|Tuple|String) should ", "", detail["msg"])
            text = re.sub(r"[{}]", "", message.removeprefix("Value error, "))
        elif not text.startswith("have "):
            text = f"be {text}"
        yield place, text.format(**context)


_PHRASES = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a group of keys",
    "mapping_type": "a group of keys",
    "dataclass_type": "a group of keys",
    "none_required": "null",
    "literal_error": "one of {expected}",
    "greater_than_equal": "at least {ge}",
    "greater_than": "greater than {gt}",
    "less_than_equal": "at most {le}",
    "less_than": "less than {lt}",
    "string_too_short": "text of at least {min_length} characters",
    "string_pattern_mismatch": "text that matches {pattern}",
    "too_short": "have at least {min_length} items",
    "too_long": "have at most {max_length} items",
}
