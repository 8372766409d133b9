"""Images as resident uint8 tensors: what a data set is here, and the sets that come as whole arrays."""

import hashlib
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
from annotated_types import Ge
from torch import Tensor

from forger.data.dataset import Data, Split
from forger.randomness import generator

if TYPE_CHECKING:
    pass


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
