"""Which pictures train, which validate, which test: by the folders they lie in, or each by what is in its file."""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from forger.data.collection import Collection, Files, in_threads
from forger.data.pixels.decoding import listing, read
from forger.data.splits.copies import tell_copies
from forger.data.store import IN_MEMORY, default_cache
from forger.files import write_atomically

SPLIT_NAMES = ("train", "validation", "test")
#: What names of splits mean, in any capitals.
_MEANING = {
    "train": "train", "training": "train",
    "val": "validation", "valid": "validation", "validation": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip
#: Share of the pictures that a split gets which is not given.
FRACTION = 0.1

log = logging.getLogger(__name__)


def split_meant(name: str) -> str | None:
    """The split that a name means (`Training`, `val`, …): one of `SPLIT_NAMES`, or None."""
    return _MEANING.get(name.lower())


def split_folders(root: Path) -> dict[str, str]:
    """The subfolders that are splits, by name, and which; empty for a folder without splits of its own.

    Raises:
        ValueError: there is one to validate or to test, but none to train on.
    """
    names = sorted(path.name for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    found = {name: split for name in names if (split := split_meant(name)) is not None}
    if found and "train" not in found.values():
        raise ValueError(
            f"{root} has {' and '.join(found)}, but no folder train: put the pictures to train on there, "
            f"or rename {' and '.join(found)}"
        )
    return found


def partition(root: Path, paths: Sequence[Path] | None = None) -> dict[str, list[Path]]:
    """The pictures below a folder as "train", "validation" and "test", relative paths.

    A folder with subfolders of such names (training, valid, val, testing too, in any capitals) is split by them.
    A split that has no subfolder gets those of the training pictures that `assigned` gives it, by a hash of each
    file's content: whatever is added to the folder later, no training picture becomes one of the others.

    Args:
        root: the folder.
        paths: its `listing`, where that is known.

    Raises:
        ValueError: a picture lies beside the splits, or a split would be empty.
    """
    paths = listing(root) if paths is None else paths
    parts: dict[str, list[Path]] = {name: [] for name in SPLIT_NAMES}
    declared = split_folders(root)
    for path in paths:
        if declared and path.parts[0] not in declared:
            train = next(name for name, split in declared.items() if split == "train")
            raise ValueError(f"{root / path} lies beside {root / train}: put it into train, validation or test")
        parts[declared[path.parts[0]] if declared else "train"].append(path)
    hashes = dict(zip(paths, content_hashes(Files(root, paths)), strict=True))
    wanting = [name for name in SPLIT_NAMES if not parts[name] and name != "train"]
    if wanting:
        candidates = parts["train"]
        rows = assigned([hashes[path] for path in candidates], wanting, str(root))
        parts |= {name: [candidates[row] for row in found] for name, found in rows.items()}
    split_of = {path: name for name, part in parts.items() for path in part}
    tell_copies(list(hashes.values()), [split_of[path] for path in paths], lambda row: str(paths[row]), root)
    return parts


def assigned(
    hashes: Sequence[int], wanting: Sequence[str], where: str, shares: Mapping[str, float] | None = None
) -> dict[str, list[int]]:
    """Rows of pictures for the splits that are wanting, and for "train" what is left.

    A picture's hash alone decides, so that pictures of equal hashes stay together: the lowest tenth of all possible
    ones is test, the next tenth validation. Where nothing falls into a split, it gets the training pictures of the
    lowest hash, so that adding pictures can bring these back to training, but none the other way.

    Args:
        hashes: of the pictures' contents, as `content_hash` gives them.
        wanting: "test", "validation" or both.
        where: the pictures' place, for the error.
        shares: of "test" and "validation", where they are not a tenth.

    Raises:
        ValueError: too few pictures.
    """
    test, validation = ((shares or {}).get(name, FRACTION) for name in ("test", "validation"))
    bounds = {"test": (0.0, test), "validation": (test, test + validation)}
    rows: dict[str, list[int]] = {}
    left = set(range(len(hashes)))
    for name in wanting:
        low, high = bounds[name]
        rows[name] = [row for row, value in enumerate(hashes) if low <= value / 2**64 < high]
        left -= set(rows[name])
    for name in sorted(wanting):  # test first
        if not rows[name] and left:
            lowest = min(hashes[row] for row in left)
            rows[name] = sorted(row for row in left if hashes[row] == lowest)
            left -= set(rows[name])
    rows["train"] = sorted(left)
    if not all(rows.values()):
        raise ValueError(
            f"{where} has {len(hashes)} pictures; train, validation and test need at least one each, and not all "
            "alike: add some, or give each split a folder of its own"
        )
    return rows


def content_hash(content: bytes) -> int:
    """64 bits of what is in a picture, the same for ever."""
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big")


def content_hashes(pictures: Collection) -> list[int]:
    """`content_hash` of the bytes of each; of many bytes it is kept on disk, known again by the files."""

    def make() -> list[int]:
        return list(in_threads(lambda key: content_hash(pictures.content(key)), pictures.keys, 16))

    large = sum((pictures.place / path).stat().st_size for path in pictures.files()) > IN_MEMORY
    return kept_hashes(pictures.known_by(), len(pictures), make) if large else make()


def pixel_hashes(pictures: Collection) -> tuple[list[int], dict[int, str]]:
    """`content_hash` of the pixels of each, the same in any form of storage, kept on disk; and what is wrong with those
    that can't be read, by row (their hash is 0)."""
    damaged: dict[int, str] = {}

    def one(row: int) -> int:
        key = pictures.keys[row]
        try:
            pixels, _ = read(pictures.name(key), lambda: pictures.opened(key), None)
        except (ValueError, FileNotFoundError) as error:
            damaged[row] = str(error)
            return 0
        return content_hash(repr(tuple(pixels.shape)).encode() + pixels.contiguous().numpy().tobytes())

    def make() -> list[int]:
        return list(in_threads(one, range(len(pictures))))

    hashes = kept_hashes(pictures.known_by("pixels"), len(pictures), make)
    for row, value in enumerate(hashes):
        if not value and row not in damaged:  # of a former start, which kept no reasons
            hashes[row] = one(row)
    return hashes, dict(sorted(damaged.items()))


def kept_hashes(known_by: str, n: int, make: Callable[[], list[int]]) -> list[int]:
    """The hashes from the file that has them, or made and written there."""
    kept = default_cache().with_name("splits") / f"{known_by}.u64"
    if kept.is_file() and kept.stat().st_size == 8 * n:
        return np.fromfile(kept, ">u8").tolist()
    hashes = make()
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(kept, np.array(hashes, ">u8").tobytes())
    except OSError as error:
        log.warning("which picture is in which split can't be kept in %s (%s)", kept, error)
    return hashes
