"""Exported programs (`torch.export.save`) of strangers: read as data, refused where they could run code."""

import io
import json
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from forger.archives import whole_archive
from forger.errors import ConfigError

#: Files that `torch.export.save` writes; no others, since torch would load compiled code without asking.
_ENTRY = re.compile(
    r"([\w.-]+/)?(models/\w+\.json|data/sample_inputs/\w+\.pt|data/(weights|constants)/[\w.]+|extra/.*|"
    r"archive_format|archive_version|byteorder|version|\.data/\w+|\.format_version|\.storage_alignment)"
)
#: Constants of other kinds than tensors are pickles that torch reads whatever `weights_only` says.
_PAYLOAD = re.compile(r"(weight|tensor)_\w+")
#: Structures of arguments, JSON in a text; torch imports what these words go with.
_STRUCTURE = re.compile(r"(?!.*(default_factory|__enum__|\\u)).*", re.S)
#: Operators that a graph may call; torch looks other names up in its own modules, `torch.hub.load` among them.
_OPERATOR = re.compile(
    r"torch\.ops\.(aten|prims|higher_order)\.\w+(\.\w+)?|_operator\.\w+|math\.\w+|torch\.sym_\w+|#.*"
)
#: Expressions of sizes, which torch hands to an `eval`: numbers, names in quotes, and these functions.
_FUNCTIONS = (
    "Symbol|Integer|Rational|Float|Add|Mul|Pow|Max|Min|Mod|PythonMod|FloorDiv|CleanDiv|CeilDiv|ModularIndexing|"
    "TruncToInt|IntTrueDiv|FloatTrueDiv|ToFloat|Eq|Ne|Lt|Le|Gt|Ge|And|Or|Not|Equality|Unequality|StrictLessThan|"
    "LessThan|StrictGreaterThan|GreaterThan|oo|int_oo|true|false|True|False|None|"
    "positive|nonnegative|negative|nonpositive|zero|integer|real|finite|precision"
)
_EXPRESSION = re.compile(rf"(?:(?:[su]\d+|\d+(?:\.\d+)?|{_FUNCTIONS})\b|'[\w.]+'|\*\*|[-+*/%(),<>=&|~\s])*")
#: What the texts under these keys of a JSON document must be, wherever they stand.
_ALLOWED = {
    "target": _OPERATOR,
    "expr_str": _EXPRESSION,
    "path_name": _PAYLOAD,
    "in_spec": _STRUCTURE,
    "out_spec": _STRUCTURE,
}


def load_exported(path: Path, texts: dict[str, str] | None = None) -> torch.export.ExportedProgram:
    """The program of a file that `torch.export.save` wrote.

    Args:
        path: the file.
        texts: gets its extra files, by name.

    Raises:
        ConfigError: any other file, or one that would run code when it is read or called (pickles of more than
            tensors, operators that are not torch's own, expressions that are more than arithmetic).
    """
    try:
        content = path.read_bytes()
        _refuse_code(content, path)
        with _data_only():
            # From the bytes that were checked, since the file may have changed since.
            found = {"": ""}  # torch fills no empty dictionary
            program = torch.export.load(io.BytesIO(content), extra_files=found)
        if texts is not None:
            texts.update(found)
        return program
    except ConfigError:
        raise
    except Exception as error:  # whatever a damaged or foreign archive brings up
        detail = " ".join(str(error).split())[:200]
        raise ConfigError(f"{path}: can't be read as an exported program ({detail})") from error


def _refuse_code(content: bytes, path: Path) -> None:
    try:
        archive = whole_archive(content)
    except ValueError as error:
        raise ConfigError(f"{path}: no exported program ({error}); write one with torch.export.save") from None
    for name in archive.namelist():
        if not _ENTRY.fullmatch(name):
            raise ConfigError(f"{path}: holds {name[:80]!r}, which could run code; write it with torch.export.save")
        if name.endswith(".json"):
            for key, text in _texts(json.loads(archive.read(name).decode())):
                if key in _ALLOWED and not _ALLOWED[key].fullmatch(text):
                    raise ConfigError(f"{path}: refused, {text[:80]!r} could run code")


def _texts(node: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Each text in a JSON document with the key that it stands under."""
    if isinstance(node, dict):
        # Inputs and outputs have a `target` as well: the name of a parameter.
        operator = "inputs" in node and "outputs" in node
        for name, value in node.items():
            yield from _texts(value, "" if name == "target" and not operator else name)
    elif isinstance(node, list):
        for value in node:
            yield from _texts(value, key)
    elif isinstance(node, str):
        yield key, node


@contextmanager
def _data_only() -> Iterator[None]:
    """Have every `torch.load` refuse code, those too that ask for it, and torch say nothing of its attempts."""
    name, log = "TORCH_FORCE_WEIGHTS_ONLY_LOAD", logging.getLogger("torch.export")
    former, disabled = os.environ.get(name), log.disabled
    os.environ[name], log.disabled = "1", True
    try:
        yield
    finally:
        log.disabled = disabled
        if former is None:
            del os.environ[name]
        else:
            os.environ[name] = former
