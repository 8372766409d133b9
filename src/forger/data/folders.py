"""Pictures in files: a folder of any pictures, CelebA with an attribute as label, Hugging Face data sets."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
from annotated_types import Ge
from torch import Tensor

from forger.data.collection import Files
from forger.data.condition_columns import rows_of
from forger.data.conditions import Attribute, wanted
from forger.data.dataset import Data, Split
from forger.data.files import files
from forger.data.forms.hub import Rows, opened_tables, stored_hashes
from forger.data.forms.tables import ATTRIBUTES, PARTITION, table
from forger.data.pixels.layout import Channels, Fit, Layout, Size
from forger.data.splits.splitting import SPLIT_NAMES, assigned, partition, split_folders, split_meant
from forger.data.store import as_split, decoded
from forger.errors import first_few


def image_folder(
    root: str, size: Size, channels: Channels = 3, classes: Annotated[int, Ge(0)] = 0, fit: Fit = "crop"
) -> Data:
    """Any pictures below `root`, or in a file as `forger.data.files.files` reads it, of the height and width `size`.

    Splits are the subfolders train, validation and test, or else about a tenth each by the bytes of the files
    (`forger.data.splits.splitting.partition`). `files` draws them by pixels; here that would move pictures of former
    runs from training to test, give their data another fingerprint, and so end their exact resume.
    With `classes` > 0 the folder (or each split's) has that many subfolders, whose sorted names are the
    labels. Pictures are decoded once, into a file; a split of more than 256 MB is mapped from it (`forger.data.store`).

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: the folder is empty, its subfolders don't fit, or a picture, named by its path, can't be read.
    """
    folder = Path(root)
    if folder.is_file():
        return files(root, size, channels, classes, fit=fit)
    parts = partition(folder)
    depth = 1 if split_folders(folder) else 0
    names = _class_names(folder, parts, depth, classes) if classes else []
    layout = Layout.of(channels, size, fit)

    def split(paths: Sequence[Path]) -> Split:
        labels = {"label": torch.tensor([names.index(path.parts[depth]) for path in paths])} if classes else {}
        return as_split(Files(folder, paths), layout, labels, again=paths is not parts["train"])

    train, validation, test = (split(parts[name]) for name in SPLIT_NAMES)
    return Data(folder.resolve().name, train, validation, test, classes=classes)


def _class_names(root: Path, parts: dict[str, list[Path]], depth: int, classes: int) -> list[str]:
    paths = [path for part in parts.values() for path in part]
    loose = [path for path in paths if len(path.parts) < depth + 2]
    if loose:
        raise ValueError(f"{root / loose[0]} lies in no class subfolder: move it, or set data.classes=0")
    names = sorted({path.parts[depth] for path in paths})
    if len(names) != classes:
        raise ValueError(f"{root} has {len(names)} class subfolders ({first_few(names)}), but data.classes={classes}")
    return names


def celeba(root: str, size: Size = 64, label: str | list[str] | None = "Smiling", fit: Fit = "crop") -> Data:
    """CelebA (Liu et al. 2015), aligned faces of the height and width `size` by `fit`; official splits.

    `label` names one of the 40 attributes: label 1 where it holds, else 0 (classes = 2); null for none. Several are
    conditions, of values -1 and 1 as the table has them.
    `root` holds img_align_celeba/*.jpg and the tables list_eval_partition and list_attr_celeba, .txt or Kaggle's .csv.

    Raises:
        FileNotFoundError: a table is missing.
        ValueError: an unknown attribute, or a table is damaged or names a picture that is not there.
    """
    folder = Path(root)
    stems = [PARTITION, ATTRIBUTES] if label else [PARTITION]
    tables = [next(filter(Path.is_file, (folder / f"{stem}{suffix}" for suffix in (".txt", ".csv"))), None)
              for stem in stems]  # fmt: skip
    if tables[-1] is None or tables[0] is None:
        missing = " and ".join(stem for stem, table in zip(stems, tables, strict=True) if table is None)
        raise FileNotFoundError(
            f"{missing}.txt (or Kaggle's .csv) missing in {folder}: put CelebA's img_align_celeba/*.jpg, "
            "list_eval_partition.txt and list_attr_celeba.txt there (mmlab.ie.cuhk.edu.hk/projects/CelebA)"
        )
    found, layout, labels = table(tables[-1], wanted(label)), Layout.of(3, size, fit), None
    assert found.splits is not None
    assert found.column is not None
    several = label if isinstance(label, list) else []
    conditions = tuple(Attribute(name, ("-1", "1")) for name in several)
    if found.labels is not None:
        labels = torch.tensor([int(held == 1) for held in found.labels])
    elif conditions:
        columns = {condition.name: found.column(condition.name) for condition in conditions}
        labels = rows_of(conditions, columns, found.name)
    parts = []
    for split in SPLIT_NAMES:
        rows = [row for row, name in enumerate(found.splits) if name == split]
        if not rows:
            raise ValueError(f"{folder} has no picture of split {split}")
        of_rows = {} if labels is None else {"label": labels[rows]}
        parts.append(Split({"image": decoded(found.pictures.at(rows), layout), **of_rows}))
    return Data("celeba", *parts, classes=2 if isinstance(label, str) else 0, conditions=conditions)


def huggingface(
    path: str,
    size: Size,
    channels: Channels = 3,
    classes: Annotated[int, Ge(0)] = 0,
    config: str | None = None,
    split: str = "train",
    image_key: str = "image",
    label_key: str = "label",
    fit: Fit = "crop",
) -> Data:
    """A Hugging Face data set, by its name on the hub (and `config`), or a folder that `save_to_disk` wrote.

    Pictures get the height and width of `size` by `fit`. `split` is trained on; the splits validation (or valid,
    val) and test are used where the set has them, and else are about a tenth of `split` each, by the pictures' pixels
    (`forger.data.splits.splitting.assigned`). Labels 0..`classes`-1 are read from `label_key` if `classes` > 0.
    Pictures are decoded once; a split of more than 256 MB is mapped from a file (`forger.data.store`).

    Raises:
        ValueError: the set doesn't fit (the message names the column, split or row), or `datasets` is not installed.
        FileNotFoundError: the set is neither here nor to be downloaded.
    """
    tables = opened_tables(path, config)
    alike = [name for name in tables if split_meant(split) is not None and split_meant(name) == split_meant(split)]
    split = split if split in tables or not alike else alike[0]
    if split not in tables:
        raise ValueError(f"{path} has no split {split!r}; it has {', '.join(tables)}")
    layout, columns = Layout.of(channels, size, fit), tables[split].column_names
    for key in [image_key] + ([label_key] if classes else []):
        if key not in columns:
            raise ValueError(f"{path} has no column {key!r}; it has {', '.join(columns)}")
    meant = {split_meant(name): table for name, table in tables.items() if name != split} | {"train": tables[split]}
    tables = {name: meant[name] for name in SPLIT_NAMES if name in meant}
    pictures = Rows(path, tables, image_key)
    parts: dict[str, list[int]] = {name: [] for name in SPLIT_NAMES}
    for row, (part, _) in enumerate(pictures.keys):
        parts[part].append(row)
    wanting = [name for name in SPLIT_NAMES if not parts[name]]
    if wanting:
        parts |= assigned(stored_hashes(pictures.at(parts["train"])), wanting, f"{path}, {split}")
    labels = _labels(path, tables, label_key, classes) if classes else None

    def of_rows(rows: list[int], again: bool) -> Split:
        arrays = {} if labels is None else {"label": labels[rows]}
        return as_split(pictures.at(rows), layout, arrays, again=again)

    splits = (of_rows(parts[name], name != "train") for name in SPLIT_NAMES)
    return Data(Path(path).name, *splits, classes=classes)


def _labels(path: str, tables: Mapping[str, Any], key: str, classes: int) -> Tensor:
    labels = []
    for part, rows in tables.items():
        column = list(rows[key])
        unfit = [label for label in column if not isinstance(label, int) or not 0 <= label < classes]
        if unfit:
            raise ValueError(f"{path}, {part}: {key}={unfit[0]!r}, but data.classes={classes} allows 0..{classes - 1}")
        labels += column
    return torch.tensor(labels)
