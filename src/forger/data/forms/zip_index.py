"""The files in a zip by its own list of them, and their contents.

`zipfile` keeps an object for each of them, several times as much as is needed to find them: 1 GB for a million.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO
from zipfile import BadZipFile

#: APPNOTE.TXT 4.3: the record at the end, its 64-bit form and the locator of that; a line of the list, a file's header.
_END, _END64, _LOCATOR = struct.Struct("<4s4H2IH"), struct.Struct("<4sQ2H2I4Q"), struct.Struct("<4sIQI")
_LINE, _HEADER = struct.Struct("<4s2B5HI2I5H2I"), struct.Struct("<4s5HI2I2H")
#: Where the numbers of a file are kept: offset, sizes packed and whole, checksum, method.
_ENTRY = struct.Struct("<QQQIH")
_STORED, _DEFLATED = 0, 8


@dataclass(frozen=True)
class Member:
    """One file in a zip.

    Args:
        name: as the archive has it; a folder's ends with a slash.
        size: of its content.
        encrypted: it needs a password.
        entry: what `content` finds it by.
    """

    name: str
    size: int
    encrypted: bool
    entry: bytes


def members(file: IO[bytes]) -> Iterator[Member]:
    """The files and folders in a zip, in its order.

    Raises:
        BadZipFile: it is none, or damaged.
        UnicodeDecodeError: a name that says it is UTF-8 is not.
    """
    listed, shift = _list(file)
    at, length = 0, file.seek(0, os.SEEK_END)
    while at < len(listed):
        if at + _LINE.size > len(listed) or listed[at : at + 4] != b"PK\1\2":
            raise BadZipFile("its list of files is damaged")
        (_, _, _, _, flags, method, _, _, crc, packed, size, name_length, extra_length, comment_length, _, _, _,
         offset) = _LINE.unpack_from(listed, at)  # fmt: skip
        start = at + _LINE.size
        name = listed[start : start + name_length].decode("utf-8" if flags & 0x800 else "cp437")
        at = start + name_length + extra_length
        sizes = [size, packed, offset]
        if 0xFFFFFFFF in sizes:
            size, packed, offset = _in_64_bits(listed[start + name_length : at], sizes)
        at += comment_length
        if offset + shift + packed > length:
            raise BadZipFile("a file lies behind its end")
        entry = _ENTRY.pack(offset + shift, packed, size, crc, method)
        yield Member(name.partition("\0")[0], size, bool(flags & 1), entry)


def content(descriptor: int, entry: bytes) -> bytes:
    """The content of a file in an open zip; many threads may read at once.

    Raises:
        BadZipFile: it is damaged.
        NotImplementedError: it is packed in another way than nearly all zips are.
    """
    offset, packed, size, crc, method = _ENTRY.unpack(entry)
    header = os.pread(descriptor, _HEADER.size, offset)
    if len(header) < _HEADER.size or not header.startswith(b"PK\3\4"):
        raise BadZipFile("its header is damaged")
    *_, name_length, extra_length = _HEADER.unpack(header)
    found = os.pread(descriptor, packed, offset + _HEADER.size + name_length + extra_length)
    if method == _DEFLATED:
        found = zlib.decompressobj(-15).decompress(found, size + 1)
    elif method != _STORED:
        raise NotImplementedError(f"packed by method {method}: pack it as it is, or deflated")
    if len(found) != size or zlib.crc32(found) != crc:
        raise BadZipFile("its content is damaged")
    return found


def _list(file: IO[bytes]) -> tuple[bytes, int]:
    """The list of the files, and by how much more than it says everything lies behind the beginning."""
    length = file.seek(0, os.SEEK_END)
    start = max(0, length - _END.size - 0xFFFF)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or at + _END.size > len(tail):
        raise BadZipFile("it has no list of its files at the end")
    *_, size, offset, _ = _END.unpack_from(tail, at)
    end = start + at
    file.seek(max(0, end - _LOCATOR.size))
    if file.read(_LOCATOR.size).startswith(b"PK\6\7"):
        end -= _LOCATOR.size + _END64.size
        file.seek(max(0, end))
        record = file.read(_END64.size)
        if not record.startswith(b"PK\6\6") or len(record) < _END64.size:
            raise BadZipFile("its list of files is damaged")
        *_, size, offset = _END64.unpack(record)
    shift = end - size - offset
    if shift < 0:
        raise BadZipFile("its list of files is damaged")
    file.seek(offset + shift)
    return file.read(size), shift


def _in_64_bits(extra: bytes, values: list[int]) -> list[int]:
    """The values of which those that do not fit into 32 bits stand in the extra field."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            wide = iter(value for (value,) in struct.iter_unpack("<Q", extra[at + 4 : at + 4 + length // 8 * 8]))
            return [next(wide, value) if value == 0xFFFFFFFF else value for value in values]
        at += 4 + length
    return values
