"""How pairs of pictures become splits for translation: hidden from training, or shown."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from PIL import Image, ImageOps
from torch import Tensor

from forger.data.collection import Collection, Files
from forger.data.dataset import Data, Split
from forger.data.images import permutation, stratified
from forger.data.pixels.decoding import read
from forger.data.pixels.layout import Layout, Pixels
from forger.data.pixels.planes import Planes
from forger.data.splits.splitting import SPLIT_NAMES
from forger.data.store import decoded
from forger.errors import Unfit


def as_they_are(images: Tensor) -> Tensor:
    """The images."""
    return images


def with_translations(
    source: Data,
    how: str,
    paired: bool,
    a: Callable[[Tensor], Tensor] = as_they_are,
    b: Callable[[Tensor], Tensor] = as_they_are,
) -> Data:
    """Domain A is what `a` makes of pictures, domain B what `b` makes of them.

    Training has one half of the pictures in A ("image") and the other half in B ("target"), none in both; or, if
    `paired`, all of them with their right translation, "truth". In validation and test "truth" is known in either case,
    and "target" are the same translations in another order.
    """
    name = f"{source.name}_{how}"
    images, labels = source.train.arrays["image"], source.train.arrays["label"]

    def with_truth(split: Split) -> Split:
        truth, order = b(split.arrays["image"]), permutation(len(split), name)
        return Split(
            {**split.arrays, "image": a(split.arrays["image"]), "truth": truth},
            {"target": truth[order], "target_label": split.arrays["label"][order]},
        )

    if paired:
        train = Split({"image": a(images), "label": labels, "truth": b(images)})
    else:
        here, there = (half.sort().values for half in stratified(labels, name).chunk(2))
        train = Split(
            {"image": a(images[here]), "label": labels[here]},
            {"target": b(images[there]), "target_label": labels[there]},
        )
    return Data(name, train, with_truth(source.validation), with_truth(source.test), classes=source.classes)


def halves(n: int) -> tuple[Tensor, ...]:
    """Of n pairs to train on, those of which A is shown, and those of which B is."""
    return permutation(n, "paired_folder").tensor_split(2)


def of_pairs(
    folder: Path,
    parts: Mapping[str, Sequence[Path]],
    domains: Sequence[Callable[[Sequence[Path]], Collection]],
    layout: Layout,
    paired: bool,
) -> Data:
    """Pairs of pictures, each known by a path; `paired` as of `with_translations`.

    Args:
        folder: where they are.
        parts: the paths of each split.
        domains: for A and for B, the pictures of some paths.
        layout: of every picture.
        paired: whether training is shown the pairs.

    Raises:
        ValueError: there are too few, or a picture can't be read.
    """

    def split(paths: Sequence[Path], hidden: bool) -> Split:
        order = permutation(len(paths), "paired_folder")
        rows = halves(len(paths)) if hidden else (torch.arange(len(paths)), order)
        a, b = (
            decoded(domain([paths[i] for i in of.tolist()]), layout) for domain, of in zip(domains, rows, strict=True)
        )
        if hidden:
            return Split({"image": a}, {"target": b})
        return Split({"image": a, "truth": b[order.argsort()]}, {"target": b})

    if not paired and len(parts["train"]) < 2:
        n = sum(map(len, parts.values()))
        raise ValueError(f"{folder} has {n} pairs; it needs two to train on, and one each to measure")
    train, validation, test = (split(parts[name], hidden=name == "train" and not paired) for name in SPLIT_NAMES)
    if paired:
        train = Split(train.arrays)  # nothing beside the pairs
    return Data(folder.resolve().name, train, validation, test)


class Half(Files):
    """The left (0) or right (1) halves of picture files that hold two of the same width, side by side."""

    def __init__(self, place: Path, keys: Sequence[Path], side: int) -> None:
        super().__init__(place, keys)
        self.side = side

    def decode(self, key: Path, layout: Layout | Pixels) -> tuple[Tensor, list[str]]:
        return read(self.name(key), lambda: self.opened(key), layout)

    def opened(self, key: Path) -> Image.Image | Planes:
        both = super().opened(key)
        if isinstance(both, Image.Image):
            both = ImageOps.exif_transpose(both)
        if both.width % 2:
            raise Unfit(f"{both.width}x{both.height}, and two pictures side by side have an even width")
        middle = both.width // 2
        if isinstance(both, Planes):
            return Planes(both.pixels[:, self.side * middle :][:, :middle])
        return both.crop((self.side * middle, 0, (self.side + 1) * middle, both.height))

    def _add_keys(self, digest: "hashlib._Hash") -> None:
        digest.update(f"half {self.side}\0".encode())
