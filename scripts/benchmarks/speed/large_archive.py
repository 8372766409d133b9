"""A zip of 100,000 pictures: memory while their number grows tenfold, the time until a run begins, and feeding.

    python -m scripts.benchmarks.speed.large_archive [--repeats 3] [--publish]

Memory is that of whole runs of `forger train data=files` on zips of 10,000 and 100,000 JPEGs of 32×32, decoding
included, measured as in `large_data` with the limit above which a set is mapped from a file set to nothing. Then each
repeat starts a process that looks at the zip, opens what is decoded and computes its fingerprint, as a run does that is
not the first, and another one that does so with one `.npy` of the same pictures; and feeds batches of both in this
process. Ten minutes; needs Linux.
"""

import io
import os
import sys
import tempfile
import zipfile
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image

from forger.data import store
from forger.data.files import files
from scripts.benchmarks.speed.children import command
from scripts.benchmarks.speed.large_data import feed, peaks
from scripts.benchmarks.speed.measuring import Cost, Row, interleaved, options, publish, ratios

SIZE, FEW, MANY = 32, 10_000, 100_000
#: What a run does of its data before it begins.
START = (
    "import sys; from forger.data import store; store.IN_MEMORY = 0\n"
    "from forger.data.files import files, seen\n"
    "files(sys.argv[1], **seen(sys.argv[1])).fingerprint"
)


def write_zip(place: Path, n: int) -> None:
    """JPEGs of smooth noise, in ten folders."""
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(place, "w") as archive:
        for index in range(n):
            file = io.BytesIO()
            small = Image.fromarray(rng.integers(256, size=(4, 4, 3), dtype=np.uint8))
            small.resize((SIZE, SIZE), Image.Resampling.BICUBIC).save(file, "jpeg")
            archive.writestr(f"{index % 10}/{index:06}.jpg", file.getvalue())


def memory(few: Path, many: Path, cache: Path) -> Row:
    """Tenfold the pictures: how many times the memory?"""
    (decoding_few, training_few), (decoding, training) = (
        peaks(place, 0, "data=files", cache=cache) for place in (few, many)
    )
    return Row(
        f"peak of anonymous memory, {MANY:,} pictures in a zip", f"{FEW:,} pictures in a zip", "≤ 1.1",
        [max(decoding, training) / max(decoding_few, training_few)],
        note=f"before training {decoding_few:.0f} and {decoding:.0f} MB, then {training_few:.0f} and {training:.0f} MB",
    )  # fmt: skip


def starting(many: Path, array: Path, repeats: int) -> Row:
    """Seconds more than with one file."""

    def start(place: Path) -> Cost:
        return command([sys.executable, "-c", START, str(place)])

    costs = interleaved({place.suffix: lambda place=place: start(place) for place in (many, array)}, repeats)
    value = [a.cpu - b.cpu for a, b in zip(costs[".zip"], costs[".npy"], strict=True)]
    return Row(
        f"start on {MANY:,} decoded pictures of a zip, seconds more", "one `.npy` of them", "≤ 3", value, costs, 1, "s",
    )  # fmt: skip


def feeding(many: Path, array: Path, repeats: int) -> Row:
    """From what was decoded of each."""
    splits = {"zip": files(str(many), SIZE, 3).train, "npy": files(str(array), SIZE, 3).train}
    costs = interleaved({name: lambda split=split: feed(split, 1000) for name, split in splits.items()}, repeats)
    value = ratios(costs["zip"], costs["npy"])
    what = f"feeding {SIZE}×{SIZE}×3 of a zip"
    return Row(what, "from the mapped file of a `.npy`", "≤ 1.1", value, costs, 1e6, "µs an image")


def main() -> None:
    given = options(__doc__, repeats=3).parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name, patch.object(store, "IN_MEMORY", 0):
        folder = Path(name)
        os.environ["FORGER_CACHE"] = str(folder / "cache")
        few, many, array = (folder / file for file in ("few.zip", "many.zip", "many.npy"))
        write_zip(few, FEW)
        write_zip(many, MANY)
        rows = [memory(few, many, folder / "cache")]
        parts = files(str(many), SIZE, 3).splits.values()
        np.save(array, torch.cat([part.arrays["image"] for part in parts]).numpy())
        rows += [starting(many, array, given.repeats), feeding(many, array, given.repeats)]
    publish("large_archive", rows, given)


if __name__ == "__main__":
    main()
