"""Memory while a folder of pictures grows tenfold, and how fast pictures are decoded and fed.

    python -m scripts.benchmarks.speed.large_data [--repeats 2] [--publish]

Whole runs of `forger train data=image_folder` over 2,000 and 20,000 pictures of 64×64, with the limit above which a set
is mapped from a file set to nothing, and for comparison far away. Read every few milliseconds: the process's anonymous
memory (RssAnon), since pages of a mapped file are the system's to take back. Then, in this process, 16,000 of the
pictures are fed from memory, from the map (in the page cache) and straight from their files, and photograph-sized ones
are decoded by one thread and by one for each core. Last come the hashes by which a start knows copies and damage among
100,000 pictures, though their folders are their splits: of the pixels (`data=files`), kept for later starts, and of the
bytes (`data=image_folder`). Ten minutes; needs Linux.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path
from typing import cast
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from forger.data.collection import Collection, Files, decode_noting
from forger.data.dataset import Split
from forger.data.loader import Batches
from forger.data.pixels.decoding import listing
from forger.data.pixels.layout import Layout
from forger.data.pixels.ranges import to_float
from forger.data.splits.splitting import content_hashes, partition, pixel_hashes
from forger.data.store import SHARD, Undecoded, stored
from scripts.benchmarks.speed.children import environment
from scripts.benchmarks.speed.measuring import Cost, Row, interleaved, options, per, publish, ratios, timed

SIZE, FEW, MANY, HASHED = 64, 2_000, 20_000, 100_000
#: The command line `forger` with another limit of what is held in memory.
PROGRAM = (
    "import sys; from forger.data import store; store.IN_MEMORY = int(sys.argv[1])\n"
    "from forger.cli import main; sys.exit(main(sys.argv[2:]))"
)
OVERRIDES = ("model=gan", "budget.images=6_400", "metrics=none", "logger=none", "trainer.threads=1")
FOLDER = ("data=image_folder", f"data.size={SIZE}")


def write_pictures(folder: Path, n: int, width: int = SIZE, height: int = SIZE) -> None:
    """JPEGs of smooth noise."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for index in range(n):
        small = Image.fromarray(rng.integers(256, size=(height // 8, width // 8, 3), dtype=np.uint8))
        small.resize((width, height), Image.Resampling.BICUBIC).save(folder / f"{index:06}.jpg")


def anonymous(pid: int) -> float:
    """MB of a process that no file stands behind."""
    try:
        found = re.search(r"^RssAnon:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except OSError:
        return 0.0
    return int(found.group(1)) / 1e3 if found else 0.0


def peaks(pictures: Path, limit: int, *overrides: str, cache: Path | None = None) -> tuple[float, float]:
    """MB at most of a run before its training begins, decoding included, and from then on."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = [*OVERRIDES, *overrides, f"data.root={pictures}", f"run.root={folder}/runs"]
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(limit), "train", *arguments],
            env=environment() | {"FORGER_CACHE": str(cache or f"{folder}/cache")},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        found = [0.0, 0.0]
        training = False
        while process.poll() is None:
            training = training or any(Path(folder).glob("runs/*/*/record.json"))
            found[training] = max(found[training], anonymous(process.pid))
            time.sleep(0.003)
        assert process.returncode == 0, process.returncode
        assert training
    return found[0], found[1]


def memory(few: Path, many: Path, repeats: int) -> list[Row]:
    """Tenfold the pictures: how many times the memory?"""
    rows = []
    for name, limit, goal in (("mapped from a file", 0, "≤ 1.05"), ("held in memory", 2**40, "")):
        value, note = [], ""
        for _ in range(repeats):
            (decoding_few, training_few), (decoding, training) = peaks(few, limit, *FOLDER), peaks(many, limit, *FOLDER)
            value.append(max(decoding, training) / max(decoding_few, training_few))
            note = (
                f"before training {decoding_few:.0f} and {decoding:.0f} MB, "
                f"then {training_few:.0f} and {training:.0f} MB"
            )
        what = f"peak of anonymous memory, {MANY:,} pictures, {name}"
        rows.append(Row(what, f"{FEW:,} pictures", goal, value, note=note))
    return rows


def decoding(photographs: Path, repeats: int) -> Row:
    """A thread for each core against one."""
    files, layout = Files(photographs, sorted(photographs.iterdir())), Layout.of(3, SIZE)

    def decode(cores: int) -> Cost:
        with patch("os.cpu_count", return_value=cores):
            return per(timed(lambda: decode_noting(files, layout)), len(files))

    cores = os.cpu_count() or 1
    costs = interleaved({"one thread": lambda: decode(1), f"{cores} threads": lambda: decode(cores)}, repeats)
    one, all_cores = costs.values()
    value = [a.wall / b.wall for a, b in zip(one, all_cores, strict=True)]
    return Row(
        f"decoding JPEGs of 512×384 to {SIZE}×{SIZE} with {cores} threads, times as fast", "one thread, wall time", "",
        value, costs, 1e3, "ms a picture",
    )  # fmt: skip


def feed(split: Split, batches: int) -> Cost:
    """What an image costs until it is a float in a batch."""
    stream: Iterator[dict[str, Tensor]] = iter(Batches(split, batch_size=64, seed=0, position=int))

    def read() -> None:
        for batch in islice(stream, batches):
            to_float(batch["image"])

    return per(timed(read), 64 * batches)


def feeding(pictures: Path, paths: list[Path], cache: Path, repeats: int) -> list[Row]:
    """From memory, from the map, from the files."""
    files, layout = Files(pictures, paths), Layout.of(3, SIZE)
    mapped, _ = stored(files, layout, cache)
    assert isinstance(mapped, Tensor)
    splits = {
        "memory": (Split({"image": mapped.clone()}), 1000),
        "map": (Split({"image": mapped}, block=SHARD), 1000),
        "files": (Split({"image": cast(Tensor, Undecoded(files, layout))}, block=SHARD), 60),
    }

    costs = interleaved({side: lambda about=about: feed(*about) for side, about in splits.items()}, repeats)
    rows = []
    for side, what in (("map", "from the map, shuffled by blocks"), ("files", "decoded while training")):
        value = ratios(costs[side], costs["memory"])
        sides = {side: costs[side], "memory": costs["memory"]}
        rows.append(Row(f"feeding {SIZE}×{SIZE}×3 {what}", "from memory", "", value, sides, 1e6, "µs an image"))
    return rows


def hashing(pictures: Path, cache: Path, repeats: int) -> list[Row]:
    """What a start pays for the hashes of all pictures, the first time and later; and what decoding them costs."""
    files, fresh = Files(pictures, listing(pictures)), count()

    def hashed(hashes: Callable[[Collection], object], folder: str) -> Cost:
        with patch.dict(os.environ, FORGER_CACHE=str(cache / folder)):
            return timed(lambda: hashes(files))

    hashed(pixel_hashes, "kept")
    costs = interleaved(
        {
            "decoding": lambda: timed(lambda: stored(files, Layout.of(3, SIZE), cache / str(next(fresh)))),
            "pixels": lambda: hashed(pixel_hashes, str(next(fresh))),
            "kept": lambda: hashed(pixel_hashes, "kept"),
            "bytes": lambda: hashed(content_hashes, str(next(fresh))),
        },
        repeats,
        warm_up=False,
    )
    what = f"hashes of {HASHED:,} pictures of {SIZE}×{SIZE}, of their "
    against = "decoding them into the mapped file"
    return [
        Row(what + said, against, "", ratios(costs[side], costs["decoding"]),
            {side: costs[side], "decoding": costs["decoding"]}, 1, "s")
        for side, said in (("pixels", "pixels, first start"), ("kept", "pixels, later starts"), ("bytes", "bytes"))
    ]  # fmt: skip


def main() -> None:
    given = options(__doc__, repeats=2).parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        few, many, photographs = (Path(folder) / name for name in ("few", "many", "photographs"))
        write_pictures(few, FEW)
        write_pictures(many, MANY)
        write_pictures(photographs, 400, 512, 384)
        paths = partition(many)["train"]
        rows = [
            *memory(few, many, given.repeats),
            decoding(photographs, given.repeats),
            *feeding(many, paths, Path(folder) / "cache", given.repeats),
        ]
        shares = {"train": HASHED * 8 // 10, "validation": HASHED // 10, "test": HASHED // 10}
        for name, n in shares.items():
            write_pictures(Path(folder) / "divided" / name, n)
        rows += hashing(Path(folder) / "divided", Path(folder) / "hashes", given.repeats)
    publish("large_data", rows, given)


if __name__ == "__main__":
    main()
