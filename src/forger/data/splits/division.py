"""How the pictures of a place are divided: by the place, by what is typed, and by what belongs together."""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forger.data.forms.found import Found, path_of
from forger.data.splits.copies import across, tell_copies
from forger.data.splits.splitting import FRACTION, SPLIT_NAMES, assigned, content_hash, pixel_hashes, split_meant
from forger.errors import closest

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Division:
    """The pictures of a place, divided.

    Args:
        rows: the rows of each split.
        damaged: what is wrong with those that can't be read, by row; they are in no split.
        alike: rows of pictures that are the same, two or more together.
        shared: those that the place itself has in several splits: a row of each.
        left_out: how many lie in none of the folders that `data.splits` names.
    """

    rows: Mapping[str, list[int]]
    damaged: Mapping[int, str]
    alike: list[list[int]]
    shared: list[list[int]]
    left_out: int


def typed_splits(splits: Mapping[str, float | str] | None) -> tuple[dict[str, float], tuple[tuple[str, str], ...]]:
    """What `data.splits` says: the share of each split that is drawn, and (folder, split) where it names folders.

    Raises:
        ValueError: no such split, a share that can't be, or one folder twice.
    """
    shares = {"validation": FRACTION, "test": FRACTION}
    typed: dict[str, float] = {}
    folders: dict[str, str] = {}
    if not isinstance(splits or {}, Mapping):
        raise ValueError(f"data.splits={splits}: must be like {{validation: .1, test: .1}}")
    for name, value in (splits or {}).items():
        split = split_meant(str(name))
        if split is None:
            raise ValueError(f"data.splits.{name}: no such split; {closest(str(name), SPLIT_NAMES)}")
        if isinstance(value, str):
            folder = value.strip("/")
            if folder in folders:
                raise ValueError(f"data.splits.{name}={value}: two splits can't be one folder")
            folders[folder] = split
        elif isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
            raise ValueError(f"data.splits.{name}={value}: a share lies between 0 and 1, or names a folder")
        else:
            typed[split] = value
    shares |= typed
    rest = 1 - shares["validation"] - shares["test"]
    if rest <= 0 or abs(typed.get("train", rest) - rest) > 1e-6:
        raise ValueError(
            f"data.splits: validation and test are {shares['validation']:g} and {shares['test']:g}, which leaves "
            f"{rest:.3g} to train on; give these two shares, and leave train out"
        )
    return typed, tuple(folders.items())


def divide(
    found: Found, place: Path, splits: Mapping[str, float | str] | None = None, group: str | None = None
) -> Division:
    """The rows of each split: as the place says, or else by the pictures' pixels and what belongs together.

    Copies of one picture, and pictures of one `group` (a column, or a regular expression whose group is looked for in
    the path), are never drawn into different splits. A line of the log counts copies; another one tells what the
    place's own splits share.

    Raises:
        ValueError: `splits` or `group` do not fit, or there are too few pictures.
    """
    typed, _ = typed_splits(splits)
    groups = None if group is None else _groups(found, place, group)
    hashes, damaged = pixel_hashes(found.pictures)
    declared = found.splits or ["train"] * len(found.pictures)
    parts: dict[str, list[int]] = {name: [] for name in SPLIT_NAMES}
    for row, name in enumerate(declared):
        if name is not None and row not in damaged:
            parts[name].append(row)
    for name in typed:
        if name != "train" and parts[name]:
            raise ValueError(f"data.splits.{name}={typed[name]}: {place} has {name} pictures of its own; leave it out")
    wanting = [name for name in SPLIT_NAMES if not parts[name] and name != "train"]
    if wanting:
        candidates = parts["train"]
        together = hashes if groups is None else _together(hashes, groups, candidates)
        drawn = assigned([together[row] for row in candidates], wanting, str(place), typed)
        parts |= {name: [candidates[row] for row in rows] for name, rows in drawn.items()}
    split_of: list[str | None] = [None] * len(hashes)
    for name, rows in parts.items():
        for row in rows:
            split_of[row] = name
    pictures = found.pictures
    alike = tell_copies(hashes, split_of, lambda row: pictures.below(pictures.keys[row]), place)
    if groups is not None:
        _tell_groups(place, groups, split_of)
    left_out = sum(name is None for name in declared)
    if left_out:
        log.info("%s: %s pictures lie in none of the folders of data.splits", place, f"{left_out:,}")
    return Division(parts, damaged, alike, across(alike, split_of), left_out)


def _tell_groups(place: Path, groups: Sequence[str], splits: Sequence[str | None]) -> None:
    """Say how many groups there are, and which the place's own splits share."""
    of_group: dict[str, set[str]] = {}
    for name, split in zip(groups, splits, strict=True):
        if split is not None:
            of_group.setdefault(name, set()).add(split)
    torn = [name for name, parts in of_group.items() if len(parts) > 1]
    log.info("%s: %s groups (%s, …)", place, f"{len(of_group):,}", ", ".join(list(of_group)[:3]))
    if torn:
        log.warning("%s: its own splits share %s groups (%s, …)", place, f"{len(torn):,}", ", ".join(torn[:3]))


def _groups(found: Found, place: Path, group: str) -> list[str]:
    """The group of each picture."""
    if found.column is not None and group in found.columns:
        values = [str(value) if value is not None else "" for value in found.column(group)]
        where = f"data.group={group}: "
    else:
        try:
            pattern = re.compile(group)
        except re.error as error:
            raise ValueError(f"data.group={group}: no regular expression ({error})") from None
        if pattern.groups != 1:
            columns = f"{place} has no such column {closest(group, found.columns)}, and " if found.columns else ""
            raise ValueError(f"data.group={group}: {columns}a regular expression needs one group in parentheses")
        matches = (pattern.search(path_of(key)) for key in found.pictures.keys)
        values = [(match[1] or "") if match else "" for match in matches]
        where = f"data.group={group} finds no group in "
    for key, value in zip(found.pictures.keys, values, strict=True):
        if not value:
            raise ValueError(f"{where}{found.pictures.name(key)}")
    return values


def _together(hashes: Sequence[int], groups: Sequence[str], rows: Sequence[int]) -> list[int]:
    """For each picture a hash that it has in common with those of its group, their copies, and the groups of these."""
    leader: dict[Any, Any] = {}

    def top(node: Any) -> Any:
        while leader.setdefault(node, node) != node:
            leader[node] = node = leader[leader[node]]
        return node

    for row in rows:
        leader[top(hashes[row])] = top(groups[row])
    lowest: dict[Any, int] = {}
    for name in {groups[row] for row in rows}:
        value, node = content_hash(name.encode()), top(name)
        lowest[node] = min(lowest.get(node, value), value)
    chosen = set(rows)
    return [lowest[top(groups[row])] if row in chosen else 0 for row in range(len(hashes))]
