"""Forms in which people have their pictures: what a place is, is seen by looking at it."""

import json
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from forger.data.collection import Files
from forger.data.forms.archives import tarred, zipped
from forger.data.forms.arrays import archive_of_arrays, array_file
from forger.data.forms.columns import parquet, parquet_files, saved_set
from forger.data.forms.database import database
from forger.data.forms.found import Found, Named, Wanted, divided, named_splits, path_of
from forger.data.forms.listing import Listed, listed
from forger.data.forms.tables import TABLES, folder_tables, in_folder, table
from forger.data.pixels.decoding import listing, suffixes
from forger.errors import closest

_PACKED = {".zip": zipped, ".tar": tarred}
_ARRAYS = {".npy": array_file, ".npz": archive_of_arrays}
#: Forms whose folders are splits and classes.
_DIVIDED = ("folder", "zip", "tar")
#: Other suffixes of tars, for which the reader has a line of advice.
_COMPRESSED = (".tgz", ".gz", ".bz2", ".tbz2", ".xz", ".txz", ".zst")


def look(place: Path, label: Wanted = None, named: Named = ()) -> Found:
    """The pictures at a place, whatever its form.

    Args:
        place: a folder of pictures, a .zip or .tar of them, a .npy, .npz or .parquet, a .csv, .tsv or .jsonl of paths,
            a folder of .parquet files, one that `save_to_disk` of `datasets` wrote, or an LMDB.
        label: the column of a table that is the label, or several that are conditions, which an .npz has too.
        named: folders that are splits.

    Raises:
        FileNotFoundError: there is nothing.
        ValueError: it is damaged or in no known form; the message has its name.
    """
    if not place.exists():
        raise FileNotFoundError(f"there is no {place}: put the pictures there, or name another place")
    if not (place.is_dir() or place.is_file()):
        raise ValueError(f"{place}: a pipe, a socket or a device; name a file or a folder")
    facts = place.stat()
    changed = (facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
    found = _folder(place, label, named) if place.is_dir() else _file(place, label, named, changed)
    if label is not None and found.form not in ("table", "Parquet", "saved data set"):
        several = label if isinstance(label, tuple) else ()
        if not several or not found.columns:
            raise ValueError(f"data.label={','.join(several) or label}: {place} has no columns; leave it out")
        for name in several:
            if name not in found.columns:
                raise ValueError(f"data.label={name}: {place} has no such column {closest(name, found.columns)}")
    if named and found.form not in _DIVIDED:
        if found.form not in ("table", "Parquet", "saved data set"):
            raise ValueError(f"data.splits: {place} has no folders; give shares of validation and test")
        splits = named_splits([path_of(key) for key in found.pictures.keys], named, place)
        found = replace(found, splits=[split for split, _ in splits])
    return found


@lru_cache(maxsize=1)
def _file(place: Path, label: Wanted, named: Named, changed: object) -> Found:
    """What a file holds; known until it has changed, since a run looks twice and an archive has a long list."""
    suffix = place.suffix.lower()
    if suffix in _PACKED:
        return _PACKED[suffix](place, named)
    if suffix in _ARRAYS:
        return _ARRAYS[suffix](place)
    if suffix in TABLES:
        return table(place, label)
    if suffix == ".parquet":
        return parquet(place, label)
    if suffix in _COMPRESSED:
        return tarred(place)
    known = " ".join([*_PACKED, *_ARRAYS, ".parquet", *TABLES])
    raise ValueError(f"{place}: neither a folder of pictures nor one of {known}")


def _folder(place: Path, label: Wanted, named: Named) -> Found:
    if any((place / name).is_file() for name in ("dataset_dict.json", "state.json")):
        return saved_set(place, label)
    if (place / "data.mdb").is_file():
        return database(place)
    tables = in_folder(place)
    if tables:
        return folder_tables(tables, place, label)
    if parquet_files(place) and not any(path.suffix.lower() in suffixes() for path in place.iterdir()):
        return parquet(place, label)
    paths = listing(place)
    relative = [path.as_posix() for path in paths]
    labels, splits = divided(relative, place, named)
    told = Listed(labels)
    file = place / "dataset.json"
    if file.is_file():
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{file}: can't be read ({error})") from error
        told = listed(document, relative, place)
    columns = told.columns
    return Found("folder", Files(place, paths), told.labels, splits, told.names, [*columns], columns.__getitem__)
