"""Where exported files go: nothing is overwritten, and nothing is left half written."""

import os
import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from forger.errors import ConfigError
from forger.files import atomic_file, fsync_folder

# No torch here: what is wrong with a command must be said at once.

Format = Literal["onnx", "pt2", "safetensors"]
#: What the exporter to ONNX needs, which nothing else does.
_PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def check_packages(form: Format) -> None:
    """Refuse a format for which something is not installed.

    Raises:
        ConfigError: what is missing, and how to get it.
    """
    missing = [package for package in _PACKAGES if find_spec(package) is None] if form == "onnx" else []
    if missing:
        raise ConfigError(
            f"--format onnx: needs {', '.join(missing)}: pip install 'forger[export]'; or take --format pt2"
        )


def check_free(place: Path) -> None:
    """Refuse a place where something is: nothing is overwritten.

    Raises:
        ConfigError: a file or a link, or a folder that is not empty.
    """
    if place.is_dir() and not place.is_symlink() and not any(place.iterdir()):
        return
    if place.exists() or place.is_symlink():
        kind = "a folder with other files" if place.is_dir() else "there already"
        raise ConfigError(f"{place}: {kind}, and nothing is overwritten; name another place, -o OUT, or remove it")


def write_file(place: Path, content: bytes) -> None:
    """The file, whole or not at all."""
    place.parent.mkdir(parents=True, exist_ok=True)
    check_free(place)
    with atomic_file(place) as file:
        file.write(content)


def write_folder(place: Path, files: Mapping[str, bytes]) -> None:
    """The folder with these files, all of them or none."""
    place = place.absolute()
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        temporary.mkdir()
        for name, content in files.items():
            with atomic_file(temporary / name) as file:
                file.write(content)
        check_free(place)
        temporary.rename(place)
        fsync_folder(place.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
