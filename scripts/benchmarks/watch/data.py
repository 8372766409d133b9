"""So few pictures that a discriminator learns them by heart."""

from dataclasses import replace
from typing import Annotated

from annotated_types import Ge

from forger.data.dataset import Data, Split
from forger.data.downloads import fashion_mnist
from forger.data.images import digits


def few_digits(n: Annotated[int, Ge(1)]) -> Data:
    """The digits with ``n`` training images, spread evenly; validation and test stay whole."""
    return _with_few(digits(), n)


def few_fashion(n: Annotated[int, Ge(1)], root: str, size: int, download: bool) -> Data:
    """Fashion-MNIST with ``n`` training images, spread evenly; validation and test stay whole."""
    return _with_few(fashion_mnist(root, size, download), n)


def _with_few(whole: Data, n: int) -> Data:
    index = [i * len(whole.train) // n for i in range(n)]
    train = Split({name: array[index] for name, array in whole.train.arrays.items()})
    return replace(whole, name=f"{whole.name}_{n}", train=train)
