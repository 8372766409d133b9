"""JSON schemas made from dataclasses and typed dictionaries, and what is wrong with a document by such a schema."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from annotated_types import Ge, MinLen

_PLAIN: dict[Any, dict[str, Any]] = {
    Any: {},
    NoneType: {"type": "null"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
}
_TYPES: dict[str, tuple[type, ...]] = {
    "null": (NoneType,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "object": (dict,),
    "array": (list,),
}


def schema_of(kind: Any) -> dict[str, Any]:
    """The JSON schema of a type: plain ones, `Annotated`, ``| None``, `Literal`, lists, dictionaries, records.

    Texts in `Annotated` are descriptions. What has a default, or is `NotRequired`, may be missing.
    """
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return schema_of(inner[0]) | dict(map(_constraint, inner[1:]))
    if origin is NotRequired:
        return schema_of(inner[0])
    if origin in (Union, UnionType):
        return {"anyOf": [schema_of(each) for each in inner]}
    if origin is Literal:
        return {"enum": list(inner)}
    if origin is list:
        return {"type": "array", "items": schema_of(inner[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": schema_of(inner[1])}
    if kind in _PLAIN:
        return dict(_PLAIN[kind])
    if is_typeddict(kind):
        required = [name for name in kind.__annotations__ if name in kind.__required_keys__]
    else:
        assert is_dataclass(kind), kind
        required = [f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING]
    hints = get_type_hints(kind, include_extras=True)
    properties = {name: schema_of(hint) for name, hint in hints.items()}
    return {"type": "object", "description": inspect.getdoc(kind), "required": required, "properties": properties}


def _constraint(metadata: Any) -> tuple[str, Any]:
    match metadata:
        case Ge(ge=least):
            return "minimum", least
        case MinLen(min_length=least):
            return "minLength", least
        case re.Pattern():
            return "pattern", metadata.pattern
        case _:
            return "description", str(metadata)


def problem(document: Any, schema: dict[str, Any]) -> str | None:
    """What is first wrong with a document, in a few words; patterns are not looked at."""
    return next(_problems(document, schema, ""), None)


def _problems(value: Any, schema: dict[str, Any], place: str) -> Iterator[str]:
    if "anyOf" in schema:
        if all(any(_problems(value, each, place)) for each in schema["anyOf"]):
            yield from _problems(value, schema["anyOf"][0], place)
        return
    if "enum" in schema:
        if not any(value == each and type(value) is type(each) for each in schema["enum"]):
            yield f"field '{place}' is {value!r}, not one of {', '.join(map(repr, schema['enum']))}"
        return
    kinds = _TYPES[schema["type"]] if "type" in schema else (object,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and int in kinds):
        yield f"field '{place}' is no {schema['type']}"
        return
    if "minimum" in schema and value < schema["minimum"]:
        yield f"field '{place}' is less than {schema['minimum']}"
    if isinstance(value, str) and len(value) < schema.get("minLength", 0):
        yield f"field '{place}' is too short"
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _problems(item, schema["items"], f"{place}.{index}")
    if isinstance(value, dict):
        known, other = schema.get("properties", {}), schema.get("additionalProperties", {})
        for name in schema.get("required", []):
            if name not in value:
                yield f"field '{f'{place}.{name}'.strip('.')}' is missing"
        for name, item in value.items() if known or other else ():
            yield from _problems(item, known.get(name, other), f"{place}.{name}".strip("."))
