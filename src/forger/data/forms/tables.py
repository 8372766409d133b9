"""Picture files that a CSV or a JSON-lines table names, with their labels and splits."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from forger.data.collection import Files
from forger.data.decoding import listing, suffixes
from forger.data.forms.found import Found, fitting, label_column
from forger.data.splitting import split_meant


def table(place: Path, label: str | None) -> Found:
    """The pictures that a table names: paths below its folder, or names of files anywhere below.

    The first column whose value is the name of a picture is that of the paths; `label`, or a column of a usual name,
    the label; a column `split`, if there is one, divides.

    Raises:
        ValueError: it can't be read, or a row doesn't fit; the message has its number.
    """
    rows = list(_rows(place))
    if not rows:
        raise ValueError(f"{place} has no rows")
    columns = list(rows[0][1])
    path_column = next((name for name in columns if _is_picture(rows[0][1][name])), None)
    if path_column is None:
        raise ValueError(f"{place}: no column holds names of pictures ({', '.join(columns)})")
    rest = [name for name in columns if name not in (path_column, "split")]
    chosen = label_column(rest, label, place)
    paths, labels, splits = [], [], []
    below: dict[str, list[Path]] = {}
    for where, row in rows:
        name = row.get(path_column)
        if not isinstance(name, str) or not _is_picture(name):
            raise ValueError(f"{where}: {path_column}={name!r} is no name of a picture")
        path = Path(name)
        if not (place.parent / path).is_file():
            below = below or _by_name(place.parent)
            found = below.get(name, [])
            if len(found) != 1:
                raise ValueError(f"{where}: {name} is {'there several times' if found else 'missing'}")
            path = found[0]
        paths.append(path)
        if chosen is not None:
            labels.append(row.get(chosen))
        if "split" in columns:
            split = split_meant(str(row["split"]))
            if split is None:
                raise ValueError(f"{where}: split={row['split']!r} is none of train, validation and test")
            splits.append(split)
    fit = fitting(labels, label, lambda row: f"{rows[row][0]}: {chosen}")
    return Found("table", Files(place.parent, paths), _alike(fit) if fit else None, splits or None)


def _is_picture(value: Any) -> bool:
    return isinstance(value, str) and Path(value).suffix.lower() in suffixes()


def _rows(place: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Where each row stands, and its values by column."""
    try:
        with place.open(encoding="utf-8-sig", newline="") as file:
            if place.suffix.lower() == ".jsonl":
                for number, line in enumerate(file, 1):
                    if line.strip():
                        where, row = f"{place}, line {number}", json.loads(line)
                        if not isinstance(row, dict):
                            raise ValueError(f"line {number} is no object")
                        yield where, row
                return
            reader = csv.DictReader(file, delimiter="\t" if place.suffix.lower() == ".tsv" else ",", strict=True)
            for row in reader:
                if None in row or None in row.values():
                    raise ValueError(f"line {reader.line_num} has not as many values as the first")
                yield f"{place}, line {reader.line_num}", row
    except (ValueError, csv.Error) as error:  # UnicodeDecodeError and JSONDecodeError too
        raise ValueError(f"{place}: can't be read as a table ({' '.join(str(error).split())})") from error


def _by_name(folder: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in listing(folder):
        found.setdefault(path.name, []).append(path)
    return found


def _alike(labels: Sequence[Any]) -> list[Any]:
    """Numbers as numbers, -1 and 1 too, if all of them are; else text."""
    try:
        return [int(label) for label in labels]
    except ValueError:
        return [str(label) for label in labels]
