"""What is at a place, seen before anybody trains on it, in one document.

``python -m forger.data.survey`` writes its JSON schema (`docs/data.schema.json`).
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

from annotated_types import Ge

from forger.data.collection import Collection, in_threads
from forger.data.conditions import Label, wanted
from forger.data.domains import domains
from forger.data.forms import look
from forger.data.forms.found import path_of
from forger.data.pixels.depth import depth_of
from forger.data.pixels.planes import Planes, unseen_channels
from forger.data.splits.division import divide, typed_splits
from forger.data.splits.splitting import SPLIT_NAMES
from forger.json_schema import schema_of

#: Version of the document.
SCHEMA = 1

Count = Annotated[int, Ge(0)]


class Size(TypedDict):
    """Pictures of one size."""

    width: Count
    height: Count
    pictures: Count


class Kind(TypedDict):
    """Pictures of one kind of pixels."""

    mode: Annotated[str, "as Pillow calls it: L, RGB, RGBA, P, I;16, …; planes where it has no name"]
    channels: Count
    depth: Annotated[str, "of a channel: uint8, uint16, float32, …"]
    pictures: Count


class Class(TypedDict):
    """A class of pictures."""

    label: Annotated[Count, "its number"]
    name: str
    pictures: Count


class Domain(TypedDict):
    """Pictures to translate from or to."""

    name: str
    folders: Annotated[list[str], "below the path, that of the tests last"]
    splits: Annotated[dict[str, Count], "its pictures of train, validation and test"]


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What `forger data PATH --json` prints. A picture is named as it is called below the path."""

    schema: Annotated[Literal[1], "version of this schema"]
    path: str
    form: Annotated[str, "folder, zip, tar, npy, npz, table, Parquet, saved data set, LMDB, …"]
    pictures: Annotated[Count, "all that are there, damaged ones too"]
    sizes: Annotated[list[Size], "of the readable ones, the most frequent first"]
    kinds: Annotated[list[Kind], "of the readable ones, the most frequent first"]
    classes: Annotated[list[Class], "in the order of their numbers; empty where there are no labels"]
    splits: Annotated[dict[str, Count], "pictures of train, validation and test"]
    own_splits: Annotated[list[str], "those that the place itself or data.splits names; the others are drawn"]
    translation: Annotated[str | None, "the data config that reads the folder as two domains, where it may be such"]
    domains: Annotated[list[Domain], "what that config makes of A and of B"]
    left_out: Annotated[Count, "pictures in none of the folders that are splits"]
    repeated: Annotated[Count, "pictures that are copies of another one"]
    copies: Annotated[list[list[str]], "names of pictures that are the same, two or more together"]
    shared: Annotated[list[dict[str, str]], "copies in several of the place's own splits: split to name"]
    damaged: Annotated[dict[str, str], "name of each picture that can't be read, and why"]
    training: Annotated[dict[str, Any], "data.size, data.channels, data.depth and data.classes of a run"]
    commands: Annotated[list[str], "command lines that train on it, each with a preset that fits"]

    def document(self) -> dict[str, Any]:
        """In plain containers."""
        return asdict(self)


def survey(
    root: str,
    label: Label = None,
    splits: Mapping[str, float | str] | None = None,
    group: str | None = None,
    *,
    training: Mapping[str, Any],
) -> Survey:
    """Look at every picture of a place; `label`, `splits` and `group` as `forger.data.files.files` takes them.

    Raises:
        FileNotFoundError: there is nothing.
        ValueError: it is in no known form, can't be divided, or no picture can be read.
    """
    place = Path(root)
    found = look(place, wanted(label), typed_splits(splits)[1])
    typed = label is not None or splits is not None or group is not None
    paths = [path_of(key) for key in found.pictures.keys]
    two = domains(place, paths) if found.form == "folder" and not typed else None
    certain = two is not None and two.certain
    if two is not None and certain:
        found = replace(found, labels=None, names=(), splits=list(map(two.split_of, paths)))
    pictures, division = found.pictures, divide(found, place, splits, group)
    name = [pictures.below(key) for key in pictures.keys]
    readable = [row for row in range(len(pictures)) if row not in division.damaged]
    sizes, kinds = _headers(pictures.at(readable))
    labels = Counter(found.numbers()[row] for row in readable) if found.labels is not None else Counter[int]()
    of_domains = two.splits() if two is not None else []
    counts = {split: len(division.rows[split]) for split in SPLIT_NAMES}
    if certain:
        counts = {split: sum(each[split] for each in of_domains) for split in SPLIT_NAMES}
    split_of = {row: split for split, rows in division.rows.items() for row in rows}
    return Survey(
        schema=SCHEMA,
        path=root,
        form=found.form,
        pictures=len(pictures),
        sizes=[Size(width=w, height=h, pictures=n) for (w, h), n in sizes.most_common()],
        kinds=[Kind(mode=mode, channels=c, depth=d, pictures=n) for (mode, c, d), n in kinds.most_common()],
        classes=[Class(label=i, name=str(each), pictures=labels[i]) for i, each in enumerate(found.classes())],
        splits=counts,
        own_splits=[split for split in SPLIT_NAMES if split in (found.splits or ())],
        translation=two and two.source,
        domains=[Domain(name="AB"[i], folders=two.folders_of(i), splits=of_domains[i]) for i in (0, 1) if two],
        left_out=division.left_out,
        repeated=sum(len(rows) - 1 for rows in division.alike),
        copies=[[name[row] for row in rows] for rows in division.alike],
        shared=[{split_of[row]: name[row] for row in rows} for rows in division.shared],
        damaged={name[row]: why for row, why in division.damaged.items()},
        training=dict(training) | ({"classes": 0} if certain else {}),
        commands=[],
    )


def _headers(pictures: Collection) -> tuple[Counter[tuple[int, int]], Counter[tuple[str, int, str]]]:
    """How many pictures have each size (width, height), and each mode, channels and depth."""

    def one(key: Any) -> tuple[tuple[int, int], tuple[str, int, str]]:
        with pictures.opened(key) as picture:
            if isinstance(picture, Planes):
                return picture.size, ("planes", picture.channels, str(picture.pixels.dtype))
            return picture.size, (picture.mode, unseen_channels(picture) or len(picture.getbands()), depth_of(picture))

    found = list(in_threads(one, pictures.keys))
    return Counter(size for size, _ in found), Counter(kind for _, kind in found)


def json_schema() -> dict[str, Any]:
    """The JSON schema of the document."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "forger data survey",
        **schema_of(Survey),
    }


if __name__ == "__main__":
    print(json.dumps(json_schema(), indent=2))
