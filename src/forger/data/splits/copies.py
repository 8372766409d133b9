"""Copies of pictures: which are the same by their hashes, and what the log says of them."""

import logging
from collections.abc import Callable, Iterable, Sequence

import numpy as np

log = logging.getLogger(__name__)


def copies(hashes: Sequence[int], rows: Iterable[int]) -> list[list[int]]:
    """Rows of pictures that are the same, two or more together, in order."""
    chosen = list(rows)
    values, counts = np.unique(np.array([hashes[row] for row in chosen], np.uint64), return_counts=True)
    of_hash: dict[int, list[int]] = {value: [] for value in values[counts > 1].tolist()}  # few, where all are many
    for row in chosen:
        if hashes[row] in of_hash:
            of_hash[hashes[row]].append(row)
    return sorted(of_hash.values())


def across(alike: Iterable[list[int]], splits: Sequence[str | None]) -> list[list[int]]:
    """Those of which one lies in another split than the first: of each split its first row."""
    firsts = [{splits[row]: row for row in reversed(rows)} for rows in alike]
    return [sorted(first.values()) for first in firsts if len(first) > 1]


def tell_copies(
    hashes: Sequence[int], splits: Sequence[str | None], name: Callable[[int], str], place: object
) -> list[list[int]]:
    """Say in one line of the log how many pictures of a place repeat others, and in another one what splits share.

    Returns the `copies` among those that are in a split.

    Args:
        hashes: of each row.
        splits: of each row; None where it is in none.
        name: what to call a row.
        place: theirs.
    """
    alike = copies(hashes, (row for row, split in enumerate(splits) if split is not None))
    if alike:
        repeated = sum(map(len, alike)) - len(alike)
        first = " = ".join(map(name, alike[0][:2]))
        log.info("%s: %s of %s pictures repeat others (%s, …)", place, f"{repeated:,}", f"{len(splits):,}", first)
    if shared := across(alike, splits):
        first = " = ".join(f"{name(row)} ({splits[row]})" for row in shared[0])
        line = "%s: its own splits share %s pictures, so that scores look at what was trained on: %s"
        log.warning(line, place, f"{len(shared):,}", first)
    return alike
