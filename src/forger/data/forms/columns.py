"""Pictures in a column of Parquet files, or of the Arrow files of a folder that `datasets` saved."""

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from threading import Lock
from typing import Any

from forger.data.collection import Collection, Files
from forger.data.forms.found import Found, Wanted, fitting, inside, label_column, package
from forger.data.splits.splitting import split_meant
from forger.files import MOST_BYTES, check_regular, content_of

#: What reads one value of a file: (column, row) to bytes, {bytes, path} or a label.
_Cell = Callable[[str, int], Any]


class Column(Collection):
    """A key is a file's path below the place and a row of it."""

    keys: Sequence[tuple[str, int]]

    def __init__(self, place: Path, keys: Sequence[tuple[str, int]], column: str, cells: Mapping[str, _Cell]) -> None:
        super().__init__(place, keys)
        self.column, self.cells = column, cells

    def name(self, key: tuple[str, int]) -> str:
        return f"{self.place / key[0]}, row {key[1]}"

    def content(self, key: tuple[str, int]) -> bytes:
        value = self.cells[key[0]](self.column, key[1])
        if isinstance(value, Mapping):
            value = value.get("bytes")
        if not isinstance(value, bytes):
            raise ValueError(f"{self.column} is empty")
        return value

    def files(self) -> Sequence[Path]:
        return [Path(name) for name in self.cells]


def parquet(place: Path, label: Wanted) -> Found:
    """A Parquet file, or all of those in a folder; names of files and folders say of which split they are.

    Raises:
        ValueError: they can't be read, don't fit, or pyarrow is not installed.
    """
    root = place if place.is_dir() else place.parent
    paths = parquet_files(place) if place.is_dir() else [place]
    splits = {path: _split(path.relative_to(root)) for path in paths} if place.is_dir() else {}
    return _found("Parquet", root, paths, splits, label, place)


def parquet_files(folder: Path) -> list[Path]:
    """Those in a folder and in its subfolders, sorted."""
    return sorted([*folder.glob("*.parquet"), *folder.glob("*/*.parquet")])


def saved_set(place: Path, label: Wanted) -> Found:
    """A folder that `save_to_disk` of `datasets` wrote.

    Raises:
        ValueError: it can't be read, doesn't fit, or pyarrow is not installed.
    """
    splits: dict[Path, str | None] = {}
    try:
        names = [""]
        if (place / "dataset_dict.json").is_file():
            names = json.loads((place / "dataset_dict.json").read_text(encoding="utf-8"))["splits"]
        for name in [inside(name, place, place) for name in names]:
            state = json.loads(content_of(place / name / "state.json", MOST_BYTES))
            if state.get("_indices_files"):
                raise ValueError("it is a selection of rows: flatten_indices() before saving")
            splits |= {place / name / Path(file["filename"]).name: split_meant(name) for file in state["_data_files"]}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{place}: can't be read as a saved data set ({' '.join(str(error).split())})") from error
    return _found("saved data set", place, list(splits), splits, label, place)


def _found(
    form: str, root: Path, paths: Sequence[Path], splits: Mapping[Path, str | None], label: Wanted, place: Path
) -> Found:
    if not paths:
        raise ValueError(f"{place} has no rows")
    tables = {path: _opened(path) for path in paths}
    meaning: dict[Path, str] = {path: split for path, split in splits.items() if split is not None}
    if meaning and (len(meaning) < len(paths) or "train" not in meaning.values()):
        raise ValueError(f"{place} has {', '.join(sorted(set(meaning.values())))}, but not every file is of a split, "
                         "or none is to train on")  # fmt: skip
    first = tables[paths[0]]
    column, features = _picture_column(first, place)
    chosen = label_column([name for name in first.names if name != column], label, place)
    keys, labels = [], []
    for path, table in tables.items():
        lacking = [name for name in (column, chosen) if name is not None and name not in table.names]
        if lacking:
            raise ValueError(f"{path} has no column {lacking[0]}; it has {', '.join(table.names)}")
        name = path.relative_to(root).as_posix()
        keys += [(name, row) for row in range(table.rows)]
        labels += table.column(chosen) if chosen else []
    if not keys:
        raise ValueError(f"{place} has no rows")
    cells = {path.relative_to(root).as_posix(): table.cell for path, table in tables.items()}
    pictures = _beside(root, keys, column, tables) or Column(root, keys, column, cells)
    names = features.get(chosen or "", {}).get("names") or ()
    missing = ("", -1) if names else ("",)  # how `datasets` writes that a row has none
    fit = fitting(labels, label, lambda row: f"{root / keys[row][0]}, row {keys[row][1]}: {chosen}", missing)
    divided = [meaning[root / name] for name, _ in keys] if meaning else None

    def values(name: str) -> list[Any]:
        cells = [value for table in tables.values() for value in table.column(name)]
        if known := features.get(name, {}).get("names"):  # what `datasets` calls numbers; -1 is none
            return [known[cell] if isinstance(cell, int) and 0 <= cell < len(known) else None for cell in cells]
        return cells

    others = [name for name in first.names if name != column]
    return Found(form, pictures, fit or None, divided, names if fit else (), others, values)


def _beside(
    root: Path, keys: Sequence[tuple[str, int]], column: str, tables: Mapping[Path, "_Table"]
) -> Collection | None:
    """The picture files that the cells name, where they hold no bytes but paths below their table's folder.

    Raises:
        ValueError: a path leads out of `root`, or a row has none.
    """
    values = (value for table in tables.values() for value in table.column(column))
    with _readable(root / keys[0][0]):
        first = tables[root / keys[0][0]].cell(column, keys[0][1])
    if not isinstance(first, Mapping) or first.get("bytes") is not None or not first.get("path"):
        return None
    paths = []
    for (name, row), value in zip(keys, values, strict=True):
        where = f"{root / name}, row {row}: {column}"
        if not value or not value.get("path"):
            raise ValueError(f"{where} has neither bytes nor a path")
        folder = (root / name).parent
        paths.append(folder.relative_to(root) / inside(value["path"], where, folder))
    return Files(root, paths)


def _split(path: Path) -> str | None:
    """Of which split a file is: `train-00000-of-00002.parquet`, `validation/0.parquet`."""
    words = [*path.parts[:-1], re.split(r"[-_.]", path.stem)[0]]
    return next((split for word in words if (split := split_meant(word))), None)


class _Table:
    """One open file; what pyarrow raises is a ValueError with its name."""

    def __init__(self, path: Path, schema: Any, rows: int, column: Callable[[str], list[Any]], cell: _Cell) -> None:
        self.path, self.schema, self.rows, self._column, self.cell = path, schema, rows, column, cell
        self.names: list[str] = schema.names

    def column(self, name: str) -> list[Any]:
        with _readable(self.path):
            return self._column(name)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # pyarrow's own are among them
        raise ValueError(f"{path}: can't be read ({' '.join(str(error).split())})") from error


def _opened(path: Path) -> _Table:
    pyarrow, arrow_parquet = (package(name, "parquet", path) for name in ("pyarrow", "pyarrow.parquet"))
    with _readable(path):
        check_regular(path)
        if path.suffix.lower() != ".parquet":
            table = pyarrow.ipc.open_stream(pyarrow.memory_map(str(path))).read_all()
            return _Table(path, table.schema, table.num_rows, lambda name: table[name].to_pylist(),
                          lambda name, row: table[name][row].as_py())  # fmt: skip
        file = arrow_parquet.ParquetFile(path, memory_map=True)
        ends = [*accumulate(file.metadata.row_group(i).num_rows for i in range(file.num_row_groups))]
        lock = Lock()

        @lru_cache(maxsize=2)
        def group(name: str, number: int) -> Any:
            return file.read_row_group(number, columns=[name]).column(name)

        def cell(name: str, row: int) -> Any:
            number = bisect_right(ends, row)
            with lock:  # else every thread reads the group that all of them wait for
                values = group(name, number)
            return values[row - (ends[number - 1] if number else 0)].as_py()

        return _Table(path, file.schema_arrow, file.metadata.num_rows,
                      lambda name: file.read(columns=[name]).column(name).to_pylist(), cell)  # fmt: skip


def _picture_column(table: _Table, place: Path) -> tuple[str, Mapping[str, Any]]:
    """The column of pictures, `image` if several are, and what `datasets` noted of all columns."""
    types = package("pyarrow.types", "parquet", place)
    try:
        noted = json.loads((table.schema.metadata or {})[b"huggingface"])["info"]["features"]
    except (KeyError, TypeError, ValueError):
        noted = {}

    def holds_pictures(field: Any) -> bool:
        inner = [sub.name for sub in field.type] if types.is_struct(field.type) else []
        return types.is_binary(field.type) or types.is_large_binary(field.type) or "bytes" in inner

    found = [field.name for field in table.schema if holds_pictures(field)]
    if not found:
        raise ValueError(f"{place}: no column holds the bytes of pictures ({', '.join(table.names)})")
    return ("image" if "image" in found else found[0]), noted
