"""So few digits that a discriminator learns them by heart."""

from typing import Annotated

from annotated_types import Ge

from forger.data.dataset import Data, Split
from forger.data.images import digits


def few_digits(n: Annotated[int, Ge(1)]) -> Data:
    """The digits with ``n`` training images, spread evenly; validation and test stay whole."""
    whole = digits()
    index = [i * len(whole.train) // n for i in range(n)]
    train = Split({name: array[index] for name, array in whole.train.arrays.items()})
    return Data(f"digits_{n}", train=train, validation=whole.validation, test=whole.test, classes=whole.classes)
