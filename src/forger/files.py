"""Files that are whole or absent, and JSON Lines that a kill can't spoil."""

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from re import Pattern
from typing import IO, Any


def fsync_folder(folder: Path) -> None:
    """Make a rename in the folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def links_out(folder: Path, spare: Pattern[str]) -> Iterator[Path]:
    """The symbolic links below a folder that lead out of it.

    Args:
        folder: itself a link or not.
        spare: paths below the folder that may, whole.
    """
    home = os.path.realpath(folder)
    for place, folders, files in os.walk(home):
        for path in (Path(place, name) for name in [*folders, *files]):
            inside = path.relative_to(home)
            leads_out = path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(home)
            if leads_out and not spare.fullmatch(inside.as_posix()):
                yield folder / inside


@contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """A binary file to write to; it appears under ``path`` whole, or not at all.

    The temporary file lies in the same folder and is hidden: whoever next locks the run removes left-overs.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.unlink(missing_ok=True)  # of a dead process with the same number
        with temporary.open("xb") as file:  # new: whatever else has this name is not written to
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        fsync_folder(path.parent)
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        # A full disk does not say which file it was.
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes | str) -> None:
    """Replace the file's content: temporary file in the same folder, fsync, rename, fsync of the folder."""
    with atomic_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Rows of a JSON Lines file, [] if there is none; a line that a kill left unfinished is no row."""
    return [row for _, row in rows_with_bytes(path)]


def rows_with_bytes(path: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Each whole row with the line it was read from."""
    if path.exists():
        for line in path.read_bytes().splitlines(keepends=True):
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict) and line.endswith(b"\n"):
                yield line, row


def append_row(path: Path, row: Mapping[str, Any]) -> None:
    """Add a row in one write; NaN and infinity become null.

    Raises:
        OSError: it could not be written whole.
    """
    line = as_line(row)
    with path.open("ab", buffering=0) as file:
        written = file.write(line)
    if written != len(line):
        raise OSError(f"{path}: only {written} of {len(line)} bytes could be written; is the disk full?")


def as_line(row: Mapping[str, Any]) -> bytes:
    """A row as a line of JSON; NaN and infinity become null."""
    return (json.dumps(finite(row), allow_nan=False) + "\n").encode()


def finite(value: Any) -> Any:
    """The same value with None for NaN and infinity, which JSON does not have.

    null reads as NaN in every table library.
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value
