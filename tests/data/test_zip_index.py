"""The list of files in a zip against the standard library's, and what is damaged or hostile in it."""

import io
import zipfile

import numpy as np
import pytest

from forger.data.forms.zip_index import content, members


def written(place, files, *, force=False, prefix=b"", **options):
    """A zip of the standard library's, with 64-bit numbers where they are forced, behind other bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as archive:
        for name, data in files.items():
            with archive.open(name, "w", force_zip64=force) as member:
                member.write(data)
        archive.comment = b"a comment"
    place.write_bytes(prefix + file.getvalue())
    return place


def read(place):
    with place.open("rb") as file:
        return {member.name: content(file.fileno(), member.entry) for member in members(file)}


FILES = {"a/1.png": np.random.default_rng(0).bytes(3000), "b/\u00e4.png": b"x" * 100_000, "empty": b"", "c/": b""}


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("prefix", [b"", b"#!/bin/sh\n"])
@pytest.mark.parametrize("force", [False, True])
def test_it_reads_what_the_standard_library_writes(tmp_path, compression, prefix, force):
    assert read(written(tmp_path / "x.zip", FILES, compression=compression, prefix=prefix, force=force)) == FILES


def test_of_more_than_65535_files_and_of_offsets_beyond_32_bits(tmp_path, monkeypatch):
    many = {f"{i}.png": b"" for i in range(66_000)}
    assert list(read(written(tmp_path / "x.zip", many))) == list(many)
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1000)
    place = written(tmp_path / "y.zip", FILES, force=True)
    assert place.read_bytes().count(b"PK\6\6") == 1
    assert read(place) == FILES


def test_any_byte_may_be_damaged(tmp_path):
    """It is read as it was, or there is an error that `archives` makes a line of."""
    whole = written(tmp_path / "x.zip", {"a.png": b"12345" * 9, "b.png": b"678"}, compression=zipfile.ZIP_DEFLATED)
    data = whole.read_bytes()
    known = (zipfile.BadZipFile, UnicodeDecodeError, NotImplementedError, zipfile.zlib.error)
    for at in range(len(data)):
        for value in (0, 0xFF, data[at] ^ 1):
            whole.write_bytes(data[:at] + bytes([value]) + data[at + 1 :])
            try:
                found = read(whole)
            except known:
                continue
            assert all(content in (b"12345" * 9, b"678") for content in found.values()), (at, value)
    for length in range(0, len(data) - len("a comment"), 7):
        whole.write_bytes(data[:length])
        with pytest.raises(known):
            read(whole)


def test_a_content_is_never_longer_than_the_list_says(tmp_path):
    place = written(tmp_path / "x.zip", {"a.png": bytes(1 << 24)}, compression=zipfile.ZIP_DEFLATED)
    data = bytearray(place.read_bytes())
    at = data.index(b"PK\1\2")
    data[at + 24 : at + 28] = (100).to_bytes(4, "little")
    place.write_bytes(data)
    with pytest.raises(zipfile.BadZipFile, match="content is damaged"):
        read(place)
    data[at + 20 : at + 24] = (1 << 31).to_bytes(4, "little")
    place.write_bytes(data)
    with pytest.raises(zipfile.BadZipFile, match="lies behind its end"):
        read(place)
