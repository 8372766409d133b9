"""Picture files that CSV or JSON-lines tables name, with their labels and splits."""

import csv
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import IO, Any

from forger.data.collection import Files
from forger.data.forms.found import Found, Wanted, fitting, inside, label_column
from forger.data.pixels.decoding import listing, suffixes
from forger.data.splits.splitting import SPLIT_NAMES, split_meant

#: Columns that say of which split a row is, by name or as CelebA's 0, 1 and 2.
_SPLITS = ("split", "partition")
#: CelebA's splits are a table of their own.
ATTRIBUTES, PARTITION = "list_attr_celeba", "list_eval_partition"
TABLES = (".csv", ".tsv", ".jsonl")


def table(place: Path, label: Wanted) -> Found:
    """The pictures that a table names: paths below its folder, or names of files anywhere below, also without suffix.

    The first column whose value is the name of a picture is that of the paths; `label`, or a column of a usual name,
    the label; a column `split` or `partition`, if there is one, divides, for CelebA's attributes the table of their
    splits.

    Raises:
        ValueError: it can't be read, or a row doesn't fit; the message has its number.
    """
    return _found({place: None}, place.parent, label, place)


def in_folder(folder: Path) -> list[Path]:
    """The tables in a folder that describe its pictures: metadata or labels, one for each split, or CelebA's.

    Tables of splits count where there is one of training pictures, whatever their names' capitals.
    """
    tables = sorted(path for path in folder.iterdir() if path.suffix.lower() in (*TABLES, ".txt") and path.is_file())
    for stem in ("metadata", "labels", ATTRIBUTES, PARTITION):
        named = [path for path in tables if path.stem == stem and (path.suffix != ".txt" or stem.startswith("list_"))]
        if named:
            return named[:1]
    splits = [path for path in tables if path.suffix != ".txt" and split_meant(path.stem) is not None]
    return splits if "train" in [split_meant(path.stem) for path in splits] else []


def folder_tables(tables: Sequence[Path], folder: Path, label: Wanted) -> Found:
    """The pictures that the tables of a folder name, as `table`.

    Raises:
        ValueError: as `table`.
    """
    return _found({path: split_meant(path.stem) for path in tables}, folder, label, folder)


def _found(tables: Mapping[Path, str | None], root: Path, label: Wanted, place: Path) -> Found:
    of_celeba = next(iter(tables)).stem in (ATTRIBUTES, PARTITION)
    files = _Named(root, "img_align_celeba" if of_celeba and (root / "img_align_celeba").is_dir() else "")
    paths, splits, lines = [], [], []
    chosen, columns = None, []
    cells: dict[str, list[Any]] = {}  # of the columns that are asked for, all kept at the first reading
    for number, (file, whole) in enumerate(tables.items()):
        rows = _lines(file)
        _, columns = next(rows, (0, []))
        first = next(rows, None)
        if first is None:
            raise ValueError(f"{file} has no rows")
        path_at = files.column(first[1])
        if path_at is None:
            raise ValueError(f"{file}: no column holds names of pictures ({', '.join(columns)})")
        divides = next((name for name in _SPLITS if name in columns), None) if whole is None else None
        if number == 0:
            chosen = label_column([name for name in columns if name not in (columns[path_at], divides)], label, place)
            cells = {name: [] for name in (label if isinstance(label, tuple) else [chosen]) if name is not None}
        split_at = None if divides is None else _place(divides, columns, file)
        kept = [(values, _place(name, columns, file)) for name, values in cells.items()]
        for line, row in chain([first], rows):
            where = f"{file}, line {line}"
            paths.append(files.path(row[path_at], f"{where}: {columns[path_at]}"))
            lines.append((file, line))
            for values, at in kept:
                values.append(sys.intern(row[at]) if type(row[at]) is str else row[at])
            if split_at is not None:
                splits.append(_split(row[split_at], f"{where}: {divides}"))
            elif whole is not None:
                splits.append(whole)
    if not splits:
        splits = _partition(next(iter(tables)), paths)
    fit = fitting(cells.get(chosen or "", []), label, lambda row: f"{lines[row][0]}, line {lines[row][1]}: {chosen}")
    return Found(
        "table",
        Files(root, paths),
        _alike(fit) if fit else None,
        splits or None,
        columns=columns,
        column=lambda name: cells.get(name) or [value for file in tables for value in _column(file, name)],
    )


def _column(file: Path, name: str) -> list[Any]:
    """What a table has in a column, read once more."""
    rows = _lines(file)
    _, columns = next(rows)
    at = _place(name, columns, file)
    return [row[at] for _, row in rows]


def _place(name: str, columns: Sequence[str], file: Path) -> int:
    places = {known: at for at, known in enumerate(columns)}
    if name not in places:
        raise ValueError(f"{file} has no column {name}; it has {', '.join(columns)}")
    return places[name]


class _Named:
    """The picture files below a folder, by what a table calls them; names alone are looked for below `inner`."""

    def __init__(self, root: Path, inner: str) -> None:
        self.root, self.inner = root, inner
        self._by_name: dict[str, list[Path]] | None = None

    def column(self, values: Sequence[Any]) -> int | None:
        """Which of a row's values is the name of a picture."""
        named = (at for at, value in enumerate(values) if _is_picture(value))
        known = (at for at, value in enumerate(values) if str(value) in self._below())
        return next(chain(named, known), None)

    def path(self, name: Any, where: str) -> Path:
        """The file below the folder that a value means.

        Raises:
            ValueError: it is no name of a picture, leads out of the folder, is missing or there several times.
        """
        if not isinstance(name, str | int) or not (_is_picture(name) or str(name) in self._below()):
            raise ValueError(f"{where}={name!r} is no name of a picture, or that one is missing")
        path = Path(inside(str(name), where, self.root))
        if (self.root / path).is_file():
            return path
        found = self._below().get(str(name), [])
        if len(found) != 1:
            raise ValueError(f"{where}={name} is {'there several times' if found else 'missing'}")
        return found[0]

    def _below(self) -> dict[str, list[Path]]:
        if self._by_name is None:
            self._by_name = {}
            for below in listing(self.root / self.inner):
                path = self.inner / below
                for name in (path.name, path.stem):
                    self._by_name.setdefault(name, []).append(path)
        return self._by_name


def _is_picture(value: Any) -> bool:
    return isinstance(value, str) and Path(value).suffix.lower() in suffixes()


def _split(value: Any, where: str) -> str:
    split = split_meant(str(value)) or dict(zip("012", SPLIT_NAMES, strict=True)).get(str(value))
    if split is None:
        raise ValueError(f"{where}={value!r} is none of train, validation and test")
    return split


def _partition(file: Path, paths: Sequence[Path]) -> list[str]:
    """The splits of CelebA's pictures, if this is the table of their attributes and that of the splits is there."""
    names = (f"{PARTITION}{suffix}" for suffix in (file.suffix, ".csv", ".txt"))
    other = next(filter(Path.is_file, map(file.with_name, names)), None)
    if file.stem != ATTRIBUTES or other is None:
        return []
    rows = _lines(other)
    next(rows, None)
    split_of = {str(row[0]): _split(row[1], f"{other}, line {line}") for line, row in rows if len(row) == 2}
    missing = next((path.name for path in paths if path.name not in split_of), None)
    if missing is not None:
        raise ValueError(f"{other} has no split of {missing}")
    return [split_of[path.name] for path in paths]


def _lines(place: Path) -> Iterator[tuple[int, list[Any]]]:
    """The names of the columns, and then the values of each row; with the numbers of their lines.

    Raises:
        ValueError: it can't be read, or a row has more or fewer values than the first.
    """
    reader = {".jsonl": _objects, ".txt": _words}.get(place.suffix.lower(), _separated)
    try:
        with place.open(encoding="utf-8-sig", newline="") as file:
            length = None
            for line, values in reader(file):
                length = length or len(values)
                if len(values) != length:
                    raise ValueError(f"line {line} has not as many values as the first")
                yield line, values
    except (ValueError, RecursionError, csv.Error) as error:  # UnicodeDecodeError and JSONDecodeError too
        raise ValueError(f"{place}: can't be read as a table ({' '.join(str(error).split())})") from error


def _separated(file: IO[str]) -> Iterator[tuple[int, list[Any]]]:
    reader = csv.reader(file, delimiter="\t" if str(file.name).lower().endswith(".tsv") else ",", strict=True)
    return ((reader.line_num, row) for row in reader if row)


def _objects(file: IO[str]) -> Iterator[tuple[int, list[Any]]]:
    columns = None
    for number, line in enumerate(file, 1):
        if line.strip():
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError(f"line {number} is no object")
            if columns is None:
                columns = list(row)
                yield number, columns
            yield number, [row.get(name) for name in columns]


def _words(file: IO[str]) -> Iterator[tuple[int, list[Any]]]:
    """CelebA's own layout: the number of pictures and the names of the attributes come first, or nothing does."""
    for number, line in enumerate(file, 1):
        words = line.split()
        if number == 1 and len(words) == 2:
            yield 0, ["image_id", "partition"]
        if number == 2 and words and not _is_picture(words[0]):
            yield number, ["image_id", *words]
        elif len(words) > 1:
            yield number, words


def _alike(labels: Sequence[Any]) -> list[Any]:
    """Numbers as numbers, -1 and 1 too, if all of them are; else text."""
    try:
        return [int(label) for label in labels]
    except ValueError:
        return [str(label) for label in labels]
