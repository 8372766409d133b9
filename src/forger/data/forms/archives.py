"""Pictures in a .zip or .tar, read where they lie; nothing is unpacked."""

import json
import posixpath
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from forger.data.collection import Collection
from forger.data.forms import zip_index
from forger.data.forms.found import Found, Named, divided, inside
from forger.data.forms.listing import Listed, listed
from forger.data.pixels import npy
from forger.data.pixels.decoding import suffixes, tell_others
from forger.data.pixels.planes import Planes

#: Most bytes of one file of an archive; Pillow takes no picture of so many pixels.
_MOST = 1 << 29
#: How files begin that hide a tar in a stream, in which no picture can be reached alone.
_COMPRESSED = {b"\x1f\x8b": "gunzip", b"BZh": "bunzip2", b"\xfd7zXZ\0": "unxz", b"\x28\xb5\x2f\xfd": "unzstd"}


class Archive(Collection):
    """A key is the path of a member; `axes` are those of members that are arrays."""

    keys: Sequence[str]
    axes: str | None = None

    def opened(self, key: str) -> Image.Image | Planes:
        return npy.opened(self.content(key), self.axes) if key.lower().endswith(".npy") else super().opened(key)


class Zip(Archive):
    """A key is a member's plain path."""

    def __init__(self, place: Path, keys: Sequence[str], members: Mapping[str, bytes]) -> None:
        super().__init__(place, keys)
        self.members = members

    def content(self, key: str) -> bytes:
        with self.place.open("rb", buffering=0) as file:
            return zip_index.content(file.fileno(), self.members[key])


class Tar(Archive):
    """A key is a member's name."""

    def __init__(self, place: Path, keys: Sequence[str], members: Mapping[str, tuple[int, int]]) -> None:
        super().__init__(place, keys)
        self.members = members

    def content(self, key: str) -> bytes:
        start, size = self.members[key]
        with self.place.open("rb") as file:
            file.seek(start)
            content = file.read(size)
        if len(content) < size:
            raise EOFError("the archive ends before it")
        return content


def zipped(place: Path, named: Named = ()) -> Found:
    """The pictures in a .zip; `named` folders are splits.

    Raises:
        ValueError: it can't be read, or has members that no archive of pictures has.
    """
    members: dict[str, bytes] = {}
    with _readable(place, "zip"), place.open("rb") as archive:
        for member in zip_index.members(archive):
            if not member.name.endswith("/"):
                if member.encrypted:
                    raise ValueError(f"{member.name!r} is encrypted: pack it without a password")
                _add(members, member.name, member.size, member.entry, place)
    pictures = Zip(place, [], members)
    return _found("zip", place, members, pictures.content, lambda keys: Zip(place, keys, members), named)


def tarred(place: Path, named: Named = ()) -> Found:
    """The pictures in a .tar that is not compressed; `named` folders are splits.

    Raises:
        ValueError: it can't be read, or has members that no archive of pictures has.
    """
    with place.open("rb") as file:
        begin = file.read(8)
    for magic, program in _COMPRESSED.items():
        if begin.startswith(magic):
            raise ValueError(
                f"{place}: in a compressed tar no picture can be reached alone: {program} it, or pack a .zip instead"
            )
    members: dict[str, tuple[int, int]] = {}
    with _readable(place, "tar"), tarfile.open(place, "r:") as archive:
        for entry in archive:
            if entry.issym() or entry.islnk():
                raise ValueError(f"{entry.name!r} is a link to {entry.linkname!r}: pack the pictures themselves")
            if not entry.isdir():
                if not entry.isreg() or entry.issparse():
                    raise ValueError(f"{entry.name!r} is no plain file")
                _add(members, entry.name, entry.size, (entry.offset_data, entry.size), place)
        with place.open("rb") as file:  # a damaged header ends the list in silence
            file.seek(archive.offset)
            if any(file.read(512)):
                raise ValueError(f"damaged at byte {archive.offset}")
    pictures = Tar(place, [], members)
    return _found("tar", place, members, pictures.content, lambda keys: Tar(place, keys, members), named)


@contextmanager
def _readable(place: Path, form: str) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise ValueError(f"{place}: the name {error.object!r} is not UTF-8: pack it under another") from None
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, ValueError, NotImplementedError) as error:
        why = " ".join(str(error).removeprefix(f"{place}: ").split())
        raise ValueError(f"{place}: can't be read as a {form} ({why})") from error


def _add(members: dict[str, Any], name: str, size: int, entry: Any, place: Path) -> None:
    """One file of an archive, under its plain path.

    Raises:
        ValueError: its name leads out of the archive, is not UTF-8 or there twice; or it is far too large.
    """
    path = inside(name, place)
    if path in members:
        raise ValueError(f"{place}: {name!r} is in the archive twice")
    if size > _MOST:
        raise ValueError(f"{place}: {name!r} would be {size / 2**30:.1f} GiB; no picture is so large")
    members[path] = entry


def _found(
    form: str,
    place: Path,
    members: Mapping[str, Any],
    content: Callable[[str], bytes],
    of: Callable[..., Archive],
    named: Named,
) -> Found:
    known = suffixes()
    names: list[str] = []
    arrays: list[str] = []
    others = Counter[str]()
    for name in members:
        suffix = posixpath.splitext(name)[1].lower()
        if name.startswith((".", "__MACOSX/")) or "/." in name:
            continue
        if suffix in known:
            names.append(name)
        elif suffix == ".npy":
            arrays.append(name)
        elif name != "dataset.json":
            others[suffix or "without a suffix"] += 1
    if arrays and names:
        others[".npy"] = len(arrays)
    names = names or arrays  # an array beside pictures may be anything
    tell_others(place, bool(names), others)
    names.sort()
    labels, splits = divided(names, place, named)
    told = Listed(labels)
    if "dataset.json" in members:
        try:
            document = json.loads(content("dataset.json"))
        except Exception as error:  # a damaged member fails in many ways
            raise ValueError(f"{place}: dataset.json can't be read ({error})") from error
        told = listed(document, names, place)
    pictures = of(names)
    pictures.axes = told.axes
    return Found(form, pictures, told.labels, splits, told.names, [*told.columns], told.columns.__getitem__)
