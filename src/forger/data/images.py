"""Images as resident uint8 tensors: what a data set is here, and the sets that come as whole arrays."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import torch
from annotated_types import Ge
from torch import Tensor

from forger.randomness import generator

if TYPE_CHECKING:
    from forger.data.points import Mixture


@dataclass(frozen=True, eq=False)
class Split:
    """One part of a data set, held as tensors.

    `arrays` are aligned by their first dimension, n: "image" is uint8 (n, c, h, w) in [0, 255], or float32
    (n, d) for points; "label" int64 (n,) where there are labels; "truth", like "image", is the right answer
    of a translation. `independent` is a second table with a length of its own that nothing pairs with the
    first: "target" (the other domain of an unpaired translation) and "target_label". `known` has the SHA-256 of
    arrays whose bytes need not be read again to know them; `block` is set where rows lie on disk, this many
    together.
    """

    arrays: Mapping[str, Tensor]
    independent: Mapping[str, Tensor] = field(default_factory=dict)
    known: Mapping[str, str] = field(default_factory=dict)
    block: int | None = None

    def __post_init__(self) -> None:
        for table in (self.arrays, self.independent):
            assert len({len(array) for array in table.values()}) <= 1, {k: len(v) for k, v in table.items()}
        assert len(self) > 0

    def __len__(self) -> int:
        return len(self.arrays["image"])

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over the names, shapes, types and bytes of every array."""
        digest = hashlib.sha256()
        self.add_to(digest)
        return digest.hexdigest()

    def add_to(self, digest: "hashlib._Hash", *tags: str) -> None:
        """Feed a digest the arrays' names, shapes, types and bytes; ``tags`` say whose they are."""
        for table_name, table in (("arrays", self.arrays), ("independent", self.independent)):
            for name, array in sorted(table.items()):
                digest.update(repr((*tags, table_name, name, str(array.dtype), tuple(array.shape))).encode())
                known = self.known.get(name) if table is self.arrays else None
                digest.update(array.contiguous().numpy().data if known is None else known.encode())


@dataclass(frozen=True, eq=False)
class Data:
    """A data set: three splits, and what the other parts may know about them.

    `classes` is 0 where there are no labels. `extra` holds named test sets that must not be mixed with
    `test`. `density` is the true density of a synthetic set of points.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    classes: int = 0
    kind: Literal["images", "points"] = "images"
    extra: Mapping[str, Split] = field(default_factory=dict)
    density: "Mixture | None" = None

    @property
    def splits(self) -> dict[str, Split]:
        return {"train": self.train, "validation": self.validation, "test": self.test, **self.extra}

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample: (channels, height, width), or (dimension,)."""
        return tuple(self.train.arrays["image"].shape[1:])

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over the names, shapes, types and bytes of every array of every split."""
        digest = hashlib.sha256()
        for name, split in sorted(self.splits.items()):
            split.add_to(digest, name)
        return digest.hexdigest()

    def check(self, declared: Mapping[str, Any]) -> None:
        """Compare what a config declares (size, channels, dimension, classes) with the data themselves.

        `classes: 0` is always right: labels are not used then.

        Raises:
            ValueError: they differ; the message has the first difference.
        """
        if self.kind == "points":
            facts = {"dimension": self.shape[0], "classes": self.classes}
        else:
            facts = {"size": self.shape[-1], "channels": self.shape[0], "classes": self.classes}
        for key, truth in facts.items():
            told = declared.get(key, truth)
            if told != truth and not (key == "classes" and told == 0):
                raise ValueError(f"data.{key}={told}, but the data set {self.name} has {key} {truth}")


def hashed(name: str) -> bytes:
    """Where a name stands in the order that splits are cut from.

    Unlike the random streams of torch and NumPy it can't change with their versions, so that an extractor
    trained on one split never meets its training images in another.
    """
    return hashlib.blake2b(name.encode(), digest_size=8).digest()


def permutation(n: int, purpose: str) -> Tensor:
    """A permutation of range(n), int64 (n,), the same for ever."""
    return torch.tensor(sorted(range(n), key=lambda index: hashed(f"{purpose}/{index}")))


def stratified(labels: Tensor, purpose: str) -> Tensor:
    """A permutation of which every consecutive part has the classes in the proportions of the whole."""
    shuffled = permutation(len(labels), purpose)
    quantile = torch.empty(len(labels), dtype=torch.float64)
    for label in labels.unique():
        members = (labels[shuffled] == label).nonzero().flatten()
        quantile[members] = (torch.arange(len(members), dtype=torch.float64) + 0.5) / len(members)
    return shuffled[quantile.argsort(stable=True)]


def labelled(images: Tensor, labels: Tensor, index: Tensor) -> Split:
    """The split of these indices, in their original order."""
    index = index.sort().values
    return Split({"image": images[index], "label": labels[index]})


def digits() -> Data:
    """scikit-learn's `load_digits`: 1,797 real handwritten digits, 8×8, part of that package.

    Stratified splits, the same for ever: 1,100 train, 200 validation, 497 test. The 17 grey levels 0..16
    become 0..255.
    """
    from sklearn.datasets import load_digits

    pixels, targets = map(np.asarray, load_digits(return_X_y=True))
    images = torch.from_numpy(np.round(pixels * 255 / 16).astype(np.uint8)).reshape(-1, 1, 8, 8)
    labels = torch.from_numpy(targets.astype(np.int64))
    test, validation, train = stratified(labels, "digits").split([497, 200, 1100])
    return Data(
        "digits",
        train=labelled(images, labels, train),
        validation=labelled(images, labels, validation),
        test=labelled(images, labels, test),
        classes=10,
    )


def stacked_digits(n: Annotated[int, Ge(1)] = 128_000) -> Data:
    """StackedMNIST's protocol (Metz et al. 2017) with the 8×8 digits: 1,000 modes.

    Three random digits are the red, green and blue channel of one image, uint8 (3, 8, 8); its label is the
    number that they spell, 0..999. Training uses `n` triples of the training digits; 10,000 and 26,000
    triples of the validation and test digits make the other splits.
    """
    source = digits()

    def stack(split: Split, count: int, name: str) -> Split:
        triples = torch.randint(len(split), (count, 3), generator=generator(0, "stacked_digits", name))
        labels = split.arrays["label"][triples] @ torch.tensor([100, 10, 1])
        return Split({"image": split.arrays["image"][triples].squeeze(2), "label": labels})

    return Data(
        "stacked_digits",
        train=stack(source.train, n, "train"),
        validation=stack(source.validation, 10_000, "validation"),
        test=stack(source.test, 26_000, "test"),
        classes=1000,
    )
