"""Pictures, decoded once: small sets into a file that is read whole, large ones into one that is mapped."""

import hashlib
import json
import logging
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from forger.console import console
from forger.data.collection import Collection, decode_each, decode_noting
from forger.data.dataset import Split
from forger.data.pixels.decoding import log_conversions
from forger.data.pixels.layout import Layout
from forger.files import append_row, atomic_file, read_rows, write_atomically
from forger.locking import locked

#: Up to here a set is decoded into memory: that takes seconds, and fits everywhere.
IN_MEMORY = 256 * 2**20
#: Images of a shard: what a kill while decoding may cost, and what lies together when batches are dealt.
SHARD = 1024
SCHEMA = 2  # raise it when decoding or the layout changes

log = logging.getLogger(__name__)


class Undecoded:
    """A stand-in for a tensor (n, channels, height, width) whose rows are decoded when they are asked for."""

    ndim = 4
    device = torch.device("cpu")

    def __init__(self, pictures: Collection, layout: Layout) -> None:
        self.pictures, self.layout, self.dtype = pictures, layout, layout.dtype
        self.shape = torch.Size((len(pictures), *layout.shape))

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, rows: Any) -> Tensor:
        return self.index_select(0, torch.arange(len(self))[rows])

    def split(self, size: int) -> Iterator[Tensor]:
        return (self[start : start + size] for start in range(0, len(self), size))

    def index_select(self, dim: int, index: Tensor) -> Tensor:
        assert dim == 0
        result = torch.empty(len(index), *self.shape[1:], dtype=self.dtype)
        pictures = self.pictures.at(index.tolist())
        for row, (pixels, _) in enumerate(decode_each(pictures, self.layout)):
            result[row] = pixels
        return result


def as_split(pictures: Collection, layout: Layout, labels: Mapping[str, Tensor], *, again: bool = False) -> Split:
    """Pictures and what belongs to them as one split of a data set, in memory or, of more than 256 MB, on disk.

    Where the disk has no room for a large one that is read `again` and again, as scores do, it is decoded into memory.
    """
    if len(pictures) * layout.bytes <= IN_MEMORY:
        return Split({"image": decoded(pictures, layout), **labels})
    images, digest = stored(pictures, layout)
    if isinstance(images, Undecoded) and again:
        images = images[:]
    return Split({"image": cast(Tensor, images), **labels}, known={"image": digest}, block=SHARD)


def decoded(pictures: Collection, layout: Layout) -> Tensor:
    """Pictures decoded into memory; the second time from the cache."""
    made = kept(pictures, ("squares", *layout.key), lambda: decode_noting(pictures, layout))
    log_conversions(made[1], len(pictures), pictures.container)
    return made[0]


def kept(
    pictures: Collection, how: Sequence[Any], make: Callable[[], tuple[Tensor, Mapping[str, int]]]
) -> tuple[Tensor, Mapping[str, int]]:
    """Pixels that ``make`` makes of pictures, and its notes; from a file in the cache if it did so before.

    ``how`` says what is made of them. They are known again as `Collection.known_by` says. A file of the cache
    whose pixels are not those that were written is made anew. Where the cache can't be used, nothing is kept.

    Raises:
        FileNotFoundError: a file is missing.
    """
    cache = default_cache() / f"{pictures.known_by(SCHEMA, *how)}.u8"
    made = None
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        with locked(cache.with_suffix(".lock")):  # one process decodes, the others wait
            made = _read(cache)
            if made is None:
                made = make()
                _write(cache, *made)
    except OSError as error:
        log.info("decoded pictures can't be kept in %s (%s)", cache.parent, error)
    return make() if made is None else made


def _write(cache: Path, pixels: Tensor, notes: Mapping[str, int]) -> None:
    content = pixels.contiguous().numpy().data
    dtype = str(pixels.dtype).removeprefix("torch.")
    about = {"shape": pixels.shape, "dtype": dtype, "notes": notes, "sha256": hashlib.sha256(content).hexdigest()}
    with atomic_file(cache) as file:
        file.write(json.dumps(about).encode() + b"\n")
        file.write(content)


def _read(cache: Path) -> tuple[Tensor, Mapping[str, int]] | None:
    """What `_write` wrote; None if there is nothing, or something else."""
    if not cache.is_file():
        return None
    try:
        with cache.open("rb") as file:
            about = json.loads(file.readline())
            content = np.fromfile(file, np.uint8)
        if hashlib.sha256(content.data).hexdigest() == about["sha256"]:
            pixels = torch.from_numpy(content.view(about.get("dtype", "uint8")))
            return pixels.reshape(about["shape"]), about["notes"]
    except (ValueError, KeyError, TypeError, RuntimeError):
        pass
    log.warning("%s is damaged: decoding again", cache)
    return None


def stored(pictures: Collection, layout: Layout, cache: Path | None = None) -> tuple[Tensor | Undecoded, str]:
    """Pictures (n, channels, height, width), and the SHA-256 that stands for their pixels.

    The tensor is a map of a file in ``cache``, decoded there by whoever asks first, shard by shard: a decoding
    that was ended goes on where it stopped, other processes wait for it. It is known again by the paths, sizes and
    times of its files. Where the disk has no room for it, the rows are decoded whenever they are asked for, and
    the SHA-256 is that of the files' paths and sizes.

    Raises:
        ValueError: a picture can't be read.
    """
    folder = (cache or default_cache()) / pictures.known_by(SCHEMA, *layout.key)
    shape = (len(pictures), *layout.shape)
    need = len(pictures) * layout.bytes
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / "lock"):
            digest = _decode(folder, pictures, layout)
    except OSError as error:
        log.warning(
            "decoding %s while training, since %s can't keep its %.1f GB (%s)",
            pictures.place,
            folder,
            need / 1e9,
            error,
        )
        sizes = [(pictures.place / path).stat().st_size for path in pictures.files()]
        return Undecoded(pictures, layout), _digest([str(key) for key in pictures.keys], sizes, *layout.key[2:])
    pixels = torch.from_file(str(folder / "images.u8"), shared=False, size=need, dtype=torch.uint8)
    return pixels.view(layout.dtype).reshape(shape), digest


def default_cache() -> Path:
    """`$FORGER_CACHE/decoded`, else `~/.cache/forger/decoded`."""
    return Path(os.environ.get("FORGER_CACHE") or Path.home() / ".cache" / "forger") / "decoded"


def _decode(folder: Path, pictures: Collection, layout: Layout) -> str:
    """Fill the file with what is missing; SHA-256 over the shards'."""
    need = len(pictures) * layout.bytes
    manifest, pixels_file = folder / "manifest.json", folder / "images.u8"
    if manifest.exists():
        if (
            pixels_file.exists() and pixels_file.stat().st_size == need
        ):  # 50 GB are not read again to be sure of each byte
            return json.loads(manifest.read_text())["sha256"]
        log.warning("%s is damaged: decoding again", folder)
        for left in (manifest, folder / "shards.jsonl"):
            left.unlink(missing_ok=True)
    done = {row["shard"]: row for row in read_rows(folder / "shards.jsonl")}
    shards = range(0, len(pictures), SHARD)
    room = torch.empty(min(SHARD, len(pictures)), *layout.shape, dtype=layout.dtype)
    with pixels_file.open("r+b" if done else "wb") as file, _bar(len(pictures)) as advance:
        if not done:
            _reserve(file, need, folder)
        for shard, start in enumerate(shards):
            part = pictures.at(range(start, min(start + SHARD, len(pictures))))
            if shard not in done:
                pixels, notes = room[: len(part)], Counter[str]()
                for row, (picture, note) in enumerate(decode_each(part, layout)):
                    pixels[row] = picture
                    notes.update(note)
                content = pixels.numpy().data
                file.seek(start * layout.bytes)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                done[shard] = {"shard": shard, "sha256": hashlib.sha256(content).hexdigest(), "notes": notes}
                append_row(folder / "shards.jsonl", done[shard])
            advance(len(part))
    notes = Counter[str]()
    for row in done.values():
        notes.update(row["notes"])
    log_conversions(notes, len(pictures), pictures.container)
    digest = _digest([done[shard]["sha256"] for shard in range(len(shards))])
    write_atomically(manifest, json.dumps({"sha256": digest, "shape": [len(pictures), *layout.shape]}))
    return digest


def _reserve(file: IO[bytes], need: int, folder: Path) -> None:
    """Reserve the space on the disk before pictures are decoded; all of it or none."""
    if shutil.disk_usage(folder).free < need:
        raise OSError("no space left")
    try:
        os.posix_fallocate(file.fileno(), 0, need)
    except OSError:
        file.truncate(0)
        raise


@contextmanager
def _bar(total: int) -> Iterator[Any]:
    columns = [TextColumn("decoding pictures, once"), BarColumn(20), MofNCompleteColumn(), TimeRemainingColumn()]
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=total)
        yield lambda count: progress.update(task, advance=count)


def _digest(*facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
