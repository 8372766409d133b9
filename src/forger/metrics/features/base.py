"""The base of extractors: uint8 images to features and logits, by weights that training does not change."""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from forger.data.pixels.ranges import BYTES, ValueRange


class Features(NamedTuple):
    """Output for n images: features float32 (n, d), and from a classifier logits float32 (n, k)."""

    features: Tensor
    logits: Tensor | None = None

    def each(self, change: Callable[[Tensor], Tensor]) -> "Features":
        """`change` of both tables, where there are both."""
        return Features(change(self.features), None if self.logits is None else change(self.logits))


def as_pixels(images: Tensor, values: ValueRange = BYTES) -> Tensor:
    """What a game made, float in [-1, 1], as scores take it: pixels like those of the data.

    Raises:
        ValueError: values that are not finite, which no picture can show.
    """
    if not bool(torch.isfinite(images).all()):
        raise ValueError("the images to score hold NaN or infinity: the generator has diverged")
    return values.to_pixels(images)


class FixedPrecision:
    """A mixin for modules and metrics: `.to()` moves tensors between devices but never changes their type.

    `half()`, `to(torch.bfloat16)` and a trainer's precision setting reach every submodule through `_apply`.
    """

    def _apply(self, fn: Callable[[Tensor], Tensor], *args: Any, **kwargs: Any) -> Any:
        def moved(tensor: Tensor) -> Tensor:
            result = fn(tensor)
            return result if result.dtype == tensor.dtype else tensor.to(result.device)

        return super()._apply(moved, *args, **kwargs)  # pyright: ignore[reportAttributeAccessIssue]


class Extractor(FixedPrecision, nn.Module):
    """Base of all extractors. `forward(images)`: pixels (n, c, h, w) of its `values` → Features, always in float32.

    Those are uint8 from 0 to 255; one that is `deep`, of which `of` makes others, may be told to take other depths.

    `train()` has no effect, no gradient flows, autocast and half precision do not reach inside.
    `name` goes into the names of scores, `weights_sha256` and `preprocessing` into their passport.
    Subclasses say in `extract` how, and in `check` which images they take.
    """

    #: Whether it sees differences below one of 256 levels.
    deep = True

    def __init__(self, name: str, network: nn.Module, weights_sha256: str, preprocessing: str) -> None:
        super().__init__()
        self.name = name
        self.network = network
        self.weights_sha256 = weights_sha256
        self.preprocessing = preprocessing
        self.values = BYTES
        self.training = False

    def of(self, values: ValueRange) -> Self:
        """The same for pixels of another depth or range, which it sees as floats from 0 to 255.

        Raises:
            ValueError: it takes 8 bits only.
        """
        if values == self.values:
            return self
        self.refuse_depth(self.name, values)
        other = copy.copy(self)
        other.values = values
        other.preprocessing = f"{values} as 0 to 255, not rounded; {self.preprocessing}"
        return other

    @classmethod
    def refuse_depth(cls, name: str, values: ValueRange) -> None:
        """Raise ValueError, before weights are looked for, where one of this class can't see all of these pixels."""
        if not cls.deep and values != BYTES:
            raise ValueError(
                f"the {name} extractor takes pictures of 8 bits, and these are {values}: take random, or a module of "
                "your own"
            )

    def train(self, mode: bool = True) -> "Extractor":
        return self

    def check(self, images: Tensor) -> None:
        """Raise ValueError unless these are images that this extractor takes."""
        if images.dtype != self.values.dtype:
            raise ValueError(
                f"the {self.name} extractor takes {self.values.depth} images in [{self.values.low:g}, "
                f"{self.values.high:g}], got {images.dtype}: scale, round and convert them first"
            )
        if images.ndim != 4:
            raise ValueError(f"images must have shape (n, channels, height, width), got {tuple(images.shape)}")

    @torch.no_grad()
    def forward(self, images: Tensor) -> Features:
        self.check(images)
        with torch.autocast(images.device.type, enabled=False):
            features, logits = self.extract(self.values.of_255(images))
        for output in (features, logits):
            if output is not None and not bool(torch.isfinite(output).all()):
                raise ValueError(f"the {self.name} extractor put out NaN or infinity: are its weights whole?")
        return Features(features.float(), None if logits is None else logits.float())

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Features (n, d) and logits (n, k) or None of images that passed `check`: uint8, or floats from 0 to 255."""
        raise NotImplementedError


def extract(extractor: Extractor, images: Tensor, batch_size: int = 256) -> Features:
    """Features of many images, a batch at a time, collected on the CPU; the images may lie on any device."""
    tensors = (*extractor.parameters(), *extractor.buffers())
    device = tensors[0].device if tensors else images.device
    parts = [extractor(batch.to(device)) for batch in images.split(batch_size)]
    logits = [part.logits.cpu() for part in parts if part.logits is not None]
    return Features(torch.cat([part.features.cpu() for part in parts]), torch.cat(logits) if logits else None)
