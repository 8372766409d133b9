"""Files written atomically, and JSON Lines that stay readable after a kill."""

import errno
import json
import math
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from re import Pattern
from typing import IO, Any

from forger.errors import Unfit

#: Largest file of a run in bytes; forger writes smaller ones.
MOST_BYTES = 1 << 30
#: Of the longest number of 64 bits, with its sign.
_DIGITS = 20


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


def content_of(path: Path, most: int) -> bytes:
    """The bytes of a file from an untrusted folder: pipes are not waited for, and size is limited.

    Args:
        path: the file.
        most: bytes that it may have.

    Raises:
        OSError: it can't be read, is no regular file (but a pipe, a device or a folder), or is larger.
    """
    # Opening a pipe would wait for a writer.
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        check_plain(path, os.fstat(file.fileno()), most)
        return file.read(most)


def check_regular(path: Path) -> None:
    """Refuse what is no regular file: opening a pipe waits for a writer, and a device may never end.

    Raises:
        Unfit: it is another kind of file.
        OSError: there is none.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kinds = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFDIR: "a folder"}
        raise Unfit(f"{kinds.get(stat.S_IFMT(mode), 'a device')} and no regular file: remove it")


def check_plain(path: Path, found: os.stat_result, most: int = MOST_BYTES) -> None:
    """Refuse what is no regular file of at most so many bytes, by an OSError that says so."""
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    if found.st_size > most:
        raise OSError(errno.EFBIG, f"larger than {most:,} bytes", str(path))


def parsed_json(content: bytes) -> Any:
    """JSON in which every number is finite, no whole one needs more than 64 bits, and every text is Unicode.

    Raises:
        ValueError, RecursionError: it is no such JSON.
    """
    value = json.loads(content, parse_constant=_no_number, parse_float=_float, parse_int=_int)
    if b"\\ud" in content or b"\\uD" in content:
        json.dumps(value, ensure_ascii=False).encode()  # half of a pair can't be written anywhere
    return value


def _no_number(text: str) -> Any:
    raise ValueError(f"{text[:20]} is no number of JSON")


def _float(text: str) -> float:
    return value if math.isfinite(value := float(text)) else _no_number(text)


def _int(text: str) -> int:
    return value if len(text) <= _DIGITS and -(2**63) <= (value := int(text)) < 2**64 else _no_number(text)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Rows of a JSON Lines file, [] if there is none; a line that a kill left unfinished is no row.

    Raises:
        OSError: it is there and can't be read, or is no regular file.
    """
    return [row for _, row in rows_with_bytes(path)]


def rows_with_bytes(path: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Each whole row with the line it was read from."""
    try:
        content = content_of(path, MOST_BYTES)
    except FileNotFoundError:
        return
    for line in content.splitlines(keepends=True):
        try:
            row = parsed_json(line)
        except (ValueError, RecursionError):
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
