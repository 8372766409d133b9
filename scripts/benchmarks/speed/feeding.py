"""Feeding batches of 64 from 60,000 × 28×28 to float in [-1, 1]: torchvision's way against forger's.

    python -m scripts.benchmarks.speed.feeding [--repeats 7] [--publish]

The peer is what tutorials do: `torchvision.datasets.MNIST` with ToTensor and Normalize for each item, shuffled by a
DataLoader without workers (they gain little here), on files of random pixels in MNIST's format. forger's side is the
stream that `fit` reads, by itself and through a DataLoader as Lightning's own loop would have it, with the conversion
that a game makes. One thread, in turn; 20 s.
"""

import itertools
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset
from torchvision import datasets, transforms

from forger.data.dataset import Split
from forger.data.downloads import mnist
from forger.data.loader import Batches, Stream
from forger.data.pixels.ranges import to_float
from scripts.benchmarks.speed.measuring import Cost, Row, interleaved, options, per, publish, ratios, timed

BATCH = 64
#: Batches of a turn: part of an epoch for the peer, several whole ones, their shuffling included, for forger.
THEIRS, OURS = 300, 5 * (60_000 // BATCH)


def written(root: Path) -> None:
    """60,000 and 10,000 random images with labels, as yann.lecun.com/exdb/mnist describes the files."""
    rng = np.random.default_rng(0)
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, n in (("train", 60_000), ("t10k", 10_000)):
        images = rng.integers(256, size=(n, 28, 28), dtype=np.uint8)
        labels = rng.integers(10, size=n, dtype=np.uint8)
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = struct.pack(f">{1 + array.ndim}I", 0x0800 | array.ndim, *array.shape)
            (raw / f"{part}-{name}-ubyte").write_bytes(header + array.tobytes())


class Iterable(IterableDataset[dict[str, Tensor]]):
    """The stream as what a DataLoader takes."""

    def __init__(self, batches: Batches) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        return iter(self.batches)


def torchvision_items(root: Path) -> Cost:
    """An image by torchvision."""
    steps = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
    loader = DataLoader(datasets.MNIST(str(root), transform=steps), batch_size=BATCH, shuffle=True)

    def read() -> None:
        for images, _ in itertools.islice(loader, THEIRS):
            assert images.dtype == torch.float32

    return per(timed(read), THEIRS * BATCH)


def ours(stream: Iterator[dict[str, Tensor]]) -> Cost:
    """An image by forger."""

    def read() -> None:
        for batch in itertools.islice(stream, OURS):
            to_float(batch["image"])

    return per(timed(read), OURS * BATCH)


def main() -> None:
    given = options(__doc__, repeats=7).parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        written(root)
        parts = mnist(str(root), download=False, validation=1).splits
        arrays = {name: torch.cat([parts[part].arrays[name] for part in ("train", "validation")])
                  for name in ("image", "label")}  # fmt: skip
        batches = Batches(Split(arrays), batch_size=BATCH, seed=0, position=int)
        through = DataLoader(Iterable(batches), batch_size=None)
        costs = interleaved(
            {
                "torchvision": lambda: torchvision_items(root),
                "DataLoader": lambda: ours(iter(through)),
                "stream": lambda: ours(next(iter(Stream(batches)))),
            },
            given.repeats,
        )
    rows = []
    for name, goal in (("DataLoader", "≥ 38"), ("stream", "≥ 100")):
        sides = {"torchvision": costs["torchvision"], "forger": costs[name]}
        rows.append(
            Row(
                f"feeding 60,000 × 28×28, forger's {name if name == 'stream' else 'data through a DataLoader'}",
                "torchvision MNIST, ToTensor and Normalize per item",
                goal,
                ratios(costs["torchvision"], costs[name]),
                sides,
                scale=1e6,
                unit="µs an image",
            )
        )
    publish("feeding", rows, given)


if __name__ == "__main__":
    main()
