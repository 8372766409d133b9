"""Classifiers as extractors: a network of stated shape, and the file without code that keeps it."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import safetensors
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from forger.data.pixels.ranges import BYTES, DEPTHS, ValueRange
from forger.errors import unreadable
from forger.files import write_atomically
from forger.hashing import file_sha256
from forger.metrics.features.base import Extractor
from forger.sizes import sides

#: Under which name a file's metadata are; another number is another architecture.
FORMAT = "forger classifier 1"


@dataclass(frozen=True)
class Shape:
    """What determines a `ClassifierNetwork`: channels, height and width of images, widths of stages, features, classes.

    `size` is one number for height and width, or (height, width) where they differ.
    """

    channels: int
    size: int | tuple[int, int]
    widths: tuple[int, ...]
    features: int
    classes: int

    @classmethod
    def of(cls, channels: int, size: int | Sequence[int], classes: int, *, width: int = 32, most: int = 128) -> "Shape":
        """The usual one: stages that halve the shorter side until 2 to 4 pixels are left, at least two of them."""
        high, wide = sides(size)
        stages = 2
        while min(high, wide) >> stages > 4:
            stages += 1
        widths = tuple(min(width << stage, most) for stage in range(stages))
        return cls(channels, high if high == wide else (high, wide), widths, features=64, classes=classes)

    @property
    def image(self) -> tuple[int, int, int]:
        """(channels, height, width) of an image."""
        return self.channels, *sides(self.size)


class ClassifierNetwork(nn.Module):
    """A small CNN: float (n, c, h, w) in [0, 1] → GELU features (n, d) and logits (n, k).

    GELU, since a ReLU feature that never fires makes the covariance singular.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for fan_in, width in zip((shape.channels, *shape.widths), shape.widths, strict=False):
            convolution = nn.Conv2d(fan_in, width, 4, stride=2, padding=1, bias=False)
            layers += [convolution, nn.BatchNorm2d(width), nn.GELU()]
        self.stages = nn.Sequential(*layers)
        self.body = nn.Sequential(nn.Dropout(0.1), nn.Linear(shape.widths[-1], shape.features), nn.GELU())
        self.head = nn.Sequential(nn.Dropout(0.1), nn.Linear(shape.features, shape.classes))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.body(self.stages(images).mean((2, 3)))
        return features, self.head(features)


class DigitsNetwork(nn.Module):
    """A small CNN for 8×8 grey digits: float (n, 1, 8, 8) in [0, 1] → 64 GELU features and 10 logits.

    GELU, since a ReLU feature that never fires makes the covariance singular.
    """

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.GELU(),
            nn.Conv2d(32, 64, 3, padding=1, stride=2),
            nn.BatchNorm2d(64),
            nn.GELU(),
            nn.Conv2d(64, 64, 3, padding=1, stride=2),
            nn.BatchNorm2d(64),
            nn.GELU(),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(256, 64),
            nn.GELU(),
        )
        self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(64, 10))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.body(images)
        return features, self.head(features)


class ClassifierExtractor(Extractor):
    """The extractor in a file of `forger extractor`: features and logits of a `ClassifierNetwork`.

    Takes pictures of the size and channels that it was trained on, and no others. One that was trained on more than 8
    bits takes pictures of that type, and sees the range that it was trained on, whatever theirs is. ``about`` is what
    the file says of itself: name, shape, data, fingerprint, accuracy, training.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is none of `forger extractor`'s.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise FileNotFoundError(f"no extractor at {path}: make one with forger extractor data=NAME -o {path}")
        network, self.about = _read(path)
        self.shape = Shape(**self.about["shape"])
        steps = "uint8 ({}, {}, {}) / 255".format(*self.shape.image)
        super().__init__(self.about["name"], network.eval(), file_sha256(path), steps)
        self.trained = _values(self.about.get("values"))
        if self.trained != BYTES:
            deep = super().of(self.trained)
            self.values, self.preprocessing = deep.values, deep.preprocessing

    def of(self, values: ValueRange) -> Self:
        if self.trained == BYTES:
            return super().of(values)
        if values.dtype != self.trained.dtype:
            raise ValueError(f"the {self.name} extractor was trained on {self.trained}, and these are {values}")
        return self

    def check(self, images: Tensor) -> None:
        super().check(images)
        _, channels, height, width = images.shape
        if (channels, height, width) != self.shape.image:
            sizes = f"{_pictures(*self.shape.image)}, got {_pictures(channels, height, width)}"
            raise ValueError(
                f"the {self.name} extractor takes {sizes}: make one of your own with forger extractor data=…"
            )

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.network(images.float() / 255)


def write(
    path: Path, network: ClassifierNetwork, shape: Shape, name: str, values: ValueRange = BYTES, **about: Any
) -> None:
    """Keep a network, in half precision, what it was trained on, and what else must be known about it."""
    if values != BYTES:
        about["values"] = [values.depth, values.low, values.high]
    state = {key: tensor.half() for key, tensor in network.state_dict().items() if tensor.is_floating_point()}
    # Under one name, since safetensors writes several in an order that chance decides, and the file's hash counts.
    metadata = {FORMAT: json.dumps({"name": name, "shape": asdict(shape), **about})}
    write_atomically(path, safetensors.torch.save({key: value.contiguous() for key, value in state.items()}, metadata))


def _read(path: Path) -> tuple[ClassifierNetwork, dict[str, Any]]:
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = dict(file.metadata() or {})
            state = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118 (no mapping)
    except SafetensorError as error:
        raise ValueError(f"{path}: no .safetensors file ({unreadable(error)})") from error
    if FORMAT not in metadata:
        raise ValueError(
            f"{path}: weights without a network; an extractor is a file of forger extractor, or, with these as "
            "weights, a module's import path"
        )
    try:
        about = json.loads(metadata[FORMAT])
        about["shape"] = _shape(about["shape"])
        _values(about.get("values"))
        if not re.fullmatch(r"\w{1,64}", about["name"]):
            raise ValueError(f"the name {about['name']!r}")
        with torch.device("meta"):  # takes no memory, whatever the file says of its widths
            network = ClassifierNetwork(Shape(**about["shape"]))
        whole = {key: torch.zeros((), dtype=torch.long) for key in network.state_dict() if key.endswith("_tracked")}
        network.load_state_dict(state | whole, assign=True)
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"{path} is no whole extractor of this version of forger: {unreadable(error)}") from error
    return network, about


def _shape(found: Mapping[str, Any]) -> dict[str, Any]:
    size = tuple(found["size"]) if isinstance(found["size"], list) else found["size"]
    values: Sequence[Any] = [
        *found["widths"],
        *sides(size),
        *(found[key] for key in ("channels", "features", "classes")),
    ]
    if not all(isinstance(value, int) and 0 < value <= 4096 for value in values) or len(found["widths"]) > 12:
        raise ValueError(f"the shape {found}")
    return {**found, "size": size, "widths": tuple(found["widths"])}


def _values(found: Sequence[Any] | None) -> ValueRange:
    """The values of the pixels that a network was trained on: a type, the lowest and the highest."""
    if found is None:
        return BYTES
    depth, low, high = found
    if depth not in DEPTHS or not all(isinstance(value, float) for value in (low, high)):
        raise ValueError(f"the values {found}")
    return ValueRange.of(depth, [low, high])


def _pictures(channels: int, height: int, width: int) -> str:
    colours = {1: "grey", 3: "RGB", 4: "RGBA"}.get(channels, f"{channels}-channel")
    return f"{colours} {height}x{width} images"
