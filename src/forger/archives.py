"""Checks that a zip archive can be read in one way only, so that every reader finds the same in it."""

import io
import struct
import zipfile

#: The parts of an archive, as in PKWARE's APPNOTE.TXT, 4.3: signature, then fields.
_LOCAL = struct.Struct("<4s5HIII2H")
_END = struct.Struct("<4s4HIIH")
_LOCATOR = struct.Struct("<4sIQI")
_END64 = struct.Struct("<4sQ2H2I4Q")
_ENCRYPTED, _DESCRIPTOR, _UTF8 = 0x1, 0x8, 0x800
#: Extra fields that give an entry another size and place, or another name, than its header does.
_ZIP64, _UNICODE_NAME = 0x0001, 0x7075
#: A field whose value stands in a 64-bit one.
_ELSEWHERE = 0xFFFFFFFF


def whole_archive(content: bytes) -> zipfile.ZipFile:
    """The archive of these bytes, if there is only one way to read it.

    Readers differ: some use the list at the end, some the entries' own headers; of two entries of one name some take
    the first, some the last, and some ignore capitals. So names must be unique without regard to capitals, entries and
    list must fill the file from its first byte to its last, and headers must agree with the list.

    Raises:
        ValueError: it is no zip archive, or one that could be read in another way.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except Exception as error:  # a damaged one fails in many ways
        raise ValueError(f"no zip archive, or a damaged one ({error})") from None
    seen: set[str] = set()
    for entry in archive.infolist():
        _check_entry(entry, large=len(content) >= _ELSEWHERE)
        name = entry.filename.casefold()
        if name in seen:
            raise ValueError(f"{entry.filename!r} is in the archive twice")
        seen.add(name)
    place = 0
    for entry in sorted(archive.infolist(), key=lambda entry: entry.header_offset):
        place = _end_of(entry, content, place)
    if place != archive.start_dir:
        raise ValueError("there is more in the archive than its list names")
    _check_end(archive, content)
    return archive


def _check_entry(entry: zipfile.ZipInfo, *, large: bool) -> None:
    name = entry.filename
    if name != entry.orig_filename or not name.isprintable() or "\\" in name or ":" in name:
        raise ValueError(f"{entry.orig_filename!r} is a name that readers take differently")
    if not {"", ".", ".."}.isdisjoint(name.removesuffix("/").split("/")):
        raise ValueError(f"{name!r} is no plain path")
    extra = entry.extra
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<2H", extra)
        if kind == _UNICODE_NAME or (kind == _ZIP64 and not large):
            raise ValueError(f"{name!r} has a second name or size")
        extra = extra[4 + size :]
    if entry.flag_bits & _ENCRYPTED:
        raise ValueError(f"{name!r} is encrypted")


def _end_of(entry: zipfile.ZipInfo, content: bytes, start: int) -> int:
    """Where an entry ends that must begin at ``start``."""
    if entry.header_offset != start or len(content) < start + _LOCAL.size:
        raise ValueError(f"before {entry.filename!r} there is something that the archive's list does not name")
    header = _LOCAL.unpack_from(content, start)
    signature, _, flags, method, _, _, _, packed, size, name_size, extra_size = header
    raw = entry.orig_filename.encode("utf-8" if entry.flag_bits & _UTF8 else "cp437")
    begin = start + _LOCAL.size
    described = flags & _DESCRIPTOR and (packed, size) == (0, 0)
    as_listed = packed in (entry.compress_size, _ELSEWHERE) and size in (entry.file_size, _ELSEWHERE)
    if (
        (signature, flags, method) != (b"PK\3\4", entry.flag_bits, entry.compress_type)
        or content[begin : begin + name_size] != raw
        or not (described or as_listed)
    ):
        raise ValueError(f"the header of {entry.filename!r} is not what the archive's list says")
    end = begin + name_size + extra_size + entry.compress_size
    return end + _descriptor_size(entry, content, end)


def _descriptor_size(entry: zipfile.ZipInfo, content: bytes, place: int) -> int:
    """Bytes of the checksum and sizes that follow an entry whose header left them open."""
    if not entry.flag_bits & _DESCRIPTOR:
        return 0
    for numbers in ("<IQQ", "<III") if entry.file_size < _ELSEWHERE else ("<IQQ",):
        expected = struct.pack(numbers, entry.CRC, entry.compress_size, entry.file_size)
        for whole in (b"PK\7\x08" + expected, expected):
            if content.startswith(whole, place):
                return len(whole)
    raise ValueError(f"what follows {entry.filename!r} is not what the archive's list says")


def _check_end(archive: zipfile.ZipFile, content: bytes) -> None:
    """The list ends the file, and what is said there of the list is true: no comment, nothing after it."""
    end = len(content) - _END.size
    signature, disk, list_disk, here, count, size, offset, comment = _END.unpack_from(content, end)
    fields = [here, count, size, offset]
    zeros = [disk, list_disk, comment]
    listed = [fields]
    if content.startswith(b"PK\6\7", end - _LOCATOR.size):
        end -= _LOCATOR.size
        _, locator_disk, end64, disks = _LOCATOR.unpack_from(content, end)
        end -= _END64.size
        record, _, _, _, disk64, list_disk64, *fields64 = _END64.unpack_from(content, end)
        zeros += [locator_disk, disk64, list_disk64, disks - 1, end64 - end, record != b"PK\6\6"]
        full = [0xFFFF, 0xFFFF, _ELSEWHERE, _ELSEWHERE]
        numbers = [wide if small == most else small for small, wide, most in zip(fields, fields64, full, strict=True)]
        listed = [numbers, fields64]
    entries = len(archive.infolist())
    true = [entries, entries, end - archive.start_dir, archive.start_dir]
    if signature != b"PK\5\6" or any(zeros) or any(each != true for each in listed):
        raise ValueError("there is something before or after what the archive's list names")
