"""What was found at a place: pictures, and what the place says of their labels and splits."""

import logging
import posixpath
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from forger.data.collection import Collection
from forger.data.pixels.decoding import check_name
from forger.data.splits.splitting import split_meant
from forger.errors import closest, first_few

#: Columns of tables and names of arrays that are labels, where none is named.
_LABELS = ("label", "labels", "class", "target", "category")

#: Relative paths of ASCII letters that are written as plainly as can be.
_PLAIN = re.compile(r"[\w -]+(\.[\w -]+)*(/[\w -]+(\.[\w -]+)*)*", re.ASCII)
#: The column that is the label, or several, which `Found.column` gives.
Wanted = str | tuple[str, ...] | None

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """Pictures in their form of storage.

    Args:
        form: what the place is, in a few words ("zip").
        pictures: all of them, in the order of the form: by name in folders and archives, else by row.
        labels: for each picture the name or number of its class, where there are labels.
        splits: for each picture "train", "validation" or "test", where the place divides them; None for those that lie
            in none of the folders that are named for splits.
        names: of the classes, in the order of their numbers; otherwise the labels themselves, sorted.
        columns: names of the columns, where the form has such, and `column` what each picture has in one of them.
    """

    form: str
    pictures: Collection
    labels: Sequence[Any] | None = None
    splits: Sequence[str | None] | None = None
    names: Sequence[Any] = ()
    columns: Sequence[str] = ()
    column: Callable[[str], Sequence[Any]] | None = None

    def name(self, row: int) -> str:
        """What errors call a picture."""
        return self.pictures.name(self.pictures.keys[row])

    def classes(self) -> list[Any]:
        """Names of the classes: label 0, 1, …; none where there are no labels."""
        if self.labels is None or self.names:
            return list(self.names)
        return ordered(set(self.labels))

    def numbers(self) -> list[int]:
        """The label of each picture.

        Raises:
            ValueError: a label is none of the named classes.
        """
        assert self.labels is not None
        known: dict[Any, int] = {name: number for number, name in enumerate(self.classes())}
        if self.names and all(isinstance(label, int) for label in self.labels):
            known = {number: number for number in range(len(self.names))}
        for key, label in zip(self.pictures.keys, self.labels, strict=True):
            if label not in known:
                raise ValueError(f"{self.pictures.name(key)}: label {label!r} is none of its {len(known)} classes")
        return [known[label] for label in self.labels]


def ordered(values: set[Any]) -> list[Any]:
    """Labels in the order of their numbers: numbers by value, whether written as text or not, other text as text."""
    decimal = all(isinstance(value, int) or (isinstance(value, str) and value.isdecimal()) for value in values)
    return sorted(values, key=int if decimal else str)


#: Folders and the splits that they are, where `data.splits` names them.
Named = tuple[tuple[str, str], ...]


def path_of(key: Any) -> str:
    """The path below its place that is in a picture's key: its own, or that of the file whose row it is."""
    inner = key[0] if isinstance(key, tuple) else key
    return inner.decode(errors="replace") if isinstance(inner, bytes) else str(inner)


def named_splits(paths: Sequence[str], named: Named, place: Path) -> list[tuple[str | None, str]]:
    """For each path its split by the folders that are named, and what is left of the path below the folder.

    Of folders in each other the inner one counts. What lies in none of them trains, or is in no split if there is a
    folder to train on.

    Raises:
        ValueError: no picture lies in a folder.
    """
    other = None if any(split == "train" for _, split in named) else "train"
    inner_first = sorted(named, key=lambda pair: -len(pair[0]))
    found: list[tuple[str | None, str]] = []
    for path in paths:
        folder, split = next((pair for pair in inner_first if path.startswith(f"{pair[0]}/")), ("", other))
        found.append((split, path[len(folder) :].lstrip("/")))
    for folder, split in named:
        if not any(path.startswith(f"{folder}/") for path in paths):
            raise ValueError(f"data.splits.{split}={folder}: {place} has no pictures in a folder {folder}")
    return found


def divided(names: Sequence[str], place: Path, named: Named = ()) -> tuple[list[str] | None, list[str | None] | None]:
    """Labels and splits that the folders of pictures mean, by their relative paths.

    A folder that holds all others says nothing. Then come the splits, if there are folders of such names or `named`
    ones, then the classes, if every picture of a split lies in one of two or more folders.

    Raises:
        ValueError: a picture lies beside the splits, or there is none to train on.
    """
    if named:
        splits = named_splits(names, named, place)
        inner = [rest.split("/") for split, rest in splits if split is not None]
        whole = bool(inner) and min(map(len, inner)) > 1 and len({path[0] for path in inner}) > 1
        return [rest.split("/")[0] for _, rest in splits] if whole else None, [split for split, _ in splits]
    paths = [name.split("/") for name in names]
    while len({path[0] for path in paths}) == 1 and min(map(len, paths)) > 1:
        paths = [path[1:] for path in paths]
    splits = [split_meant(path[0]) if len(path) > 1 else None for path in paths]
    declared = {split for split in splits if split is not None}
    if declared:
        if "train" not in declared:
            raise ValueError(f"{place} has {' and '.join(sorted(declared))}, but no folder train to train on")
        for name, split in zip(names, splits, strict=True):
            if split is None:
                raise ValueError(f"{place}: {name} lies beside the folder train: put it into train, validation or test")
        paths = [path[1:] for path in paths]
    labels = [sys.intern(path[0]) for path in paths] if min(map(len, paths)) > 1 else []
    several = len(set(labels)) > 1
    return (labels if several else None), ([str(split) for split in splits] if declared else None)


def inside(name: str, where: Path | str, root: Path | None = None) -> str:
    """The plain relative path, with slashes, that a name in an archive or a table means.

    Below a folder `root` it may be written absolute.

    Raises:
        ValueError: it leads out of the archive or the folder, or is not UTF-8; the message begins with `where`.
    """
    if _PLAIN.fullmatch(name):  # all of a million names, as a rule
        return name
    check_name(name, where)
    path = name.replace("\\", "/")
    if root is not None and path.startswith("/") and Path(path).is_relative_to(root.absolute()):
        path = Path(path).relative_to(root.absolute()).as_posix()
    if path.startswith("/") or ".." in path.split("/") or re.match("[A-Za-z]:", path):
        if root is None:
            raise ValueError(f"{where}: the path {name!r} leads out of the archive")
        raise ValueError(f"{where}: the path {name!r} leads out of {root}: move the table above all its pictures")
    return posixpath.normpath(path)


def label_column(names: Sequence[str], wanted: Wanted, place: Path) -> str | None:
    """Which of a table's columns is the label: the wanted one, else the first of a usual name; none of several.

    Raises:
        ValueError: there is no such column.
    """
    for name in (wanted,) if isinstance(wanted, str) else wanted or ():
        if name not in names:
            raise ValueError(f"data.label={name}: {place} has no such column {closest(name, names)}")
    if isinstance(wanted, tuple):
        return None
    found = wanted or next((name for usual in _LABELS for name in names if name.lower() == usual), None)
    if found is None and names:
        log.info("%s: no column is named label; data.label=NAME takes one of %s", place, first_few(names))
    return found


def fitting(
    values: Sequence[Any], wanted: Wanted, where: Callable[[int], str], missing: Sequence[Any] = ("",)
) -> Sequence[Any] | None:
    """A column as labels: whole numbers or text; none, as the log says, if it has others and nobody asked for it.

    Raises:
        ValueError: the column is the wanted one, and has others.
    """
    unfit = [row for row, value in enumerate(values) if not isinstance(value, int | str) or value in missing]
    if not unfit:
        return values
    line = f"{where(unfit[0])}: {values[unfit[0]]!r} is no label"
    if wanted is not None:
        raise ValueError(line)
    log.info("%s (%d such), so there are no labels", line, len(unfit))
    return None


def package(name: str, extra: str, place: Path) -> Any:
    """A module of a package that only some forms need.

    Raises:
        ValueError: it is not installed.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError:
        raise ValueError(f"{place} needs the package {name.partition('.')[0]}: pip install 'forger[{extra}]'") from None
