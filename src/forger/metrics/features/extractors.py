"""The extractors: `digits`, `fashion` (shipped), `inception`, `dinov2`, `random`, a file, any module by import path."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import safetensors.torch
import torch
from annotated_types import Ge, Le
from torch import Tensor, nn

from forger.config.trust import EXTRACTORS
from forger.console import say
from forger.data.pixels.ranges import BYTES, ValueRange
from forger.errors import unreadable
from forger.hashing import file_sha256, weights_sha256
from forger.importing import own_module
from forger.metrics.features.base import Extractor
from forger.metrics.features.classifier import ClassifierExtractor, DigitsNetwork
from forger.metrics.features.dinov2 import DINOv2Extractor
from forger.metrics.features.exported import load_exported
from forger.metrics.features.inception import InceptionExtractor, standard_file
from forger.metrics.features.untrained import RandomExtractor

#: Names of forger's own extractors, which no other may have.
NAMES = EXTRACTORS

DIGITS_WEIGHTS = Path(__file__).with_name("digits.safetensors")
FASHION_WEIGHTS = Path(__file__).with_name("fashion.safetensors")
# Another file is another extractor, whose scores do not compare.
DIGITS_SHA256 = "7ad524e22796ba86894b27e6d5016cb0c578128548a47c368b3c0acc77066c53"
# Printed by `forger extractor data=fashion_mnist`, which made the file.
FASHION_SHA256 = "90f7e9fbac5299f9868a7213b85598c758ee0379415f8c0ba54ef7ae83df44e3"
#: What forger ships: the file, and its SHA-256.
SHIPPED = {"digits": (DIGITS_WEIGHTS, DIGITS_SHA256), "fashion": (FASHION_WEIGHTS, FASHION_SHA256)}
#: Data sets on whose images, or on some like them, a shipped extractor was trained.
_TRAINED_ON = {"digits": "digits", "digits_inverted": "digits", "digits_rotated": "digits", "fashion_mnist": "fashion"}


class DigitsExtractor(Extractor):
    """The extractor behind `fd_digits`: DigitsNetwork, trained on the training split and shipped with forger.

    Takes grey 8×8 images only.

    Raises:
        ValueError: the file of weights has another hash than the shipped one.
    """

    def __init__(self) -> None:
        _whole(DIGITS_WEIGHTS, DIGITS_SHA256)
        network = DigitsNetwork()
        network.load_state_dict(safetensors.torch.load_file(DIGITS_WEIGHTS))
        super().__init__("digits", network.eval(), DIGITS_SHA256, "uint8 (1, 8, 8) / 255")

    def check(self, images: Tensor) -> None:
        super().check(images)
        if images.shape[1:] != (1, 8, 8):
            channels, height, width = images.shape[1:]
            raise ValueError(
                f"the digits extractor takes grey 8x8 images, got {channels} channels of {height}x{width}: "
                "use the inception extractor or a module of your own"
            )

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.network(images.float() / 255)


class FashionExtractor(ClassifierExtractor):
    """The extractor behind `fd_fashion`: a `ClassifierNetwork` trained on Fashion-MNIST, shipped with forger.

    Takes grey 28×28 images only.

    Raises:
        ValueError: the file has another hash.
    """

    def __init__(self) -> None:
        _whole(FASHION_WEIGHTS, FASHION_SHA256)
        super().__init__(FASHION_WEIGHTS)


class ModuleExtractor(Extractor):
    """Any `torch.nn.Module` as an extractor, with its preprocessing stated.

    `target`: an import path (`package.module.Class`, or a function that returns a module), called with
    `arguments`; or a `.pt2` file written by `torch.export.save` with a dynamic batch dimension. The module
    gets float32 images and returns features (n, ...), which are flattened, or the pair (features, logits).
    Preprocessing, in this order: pixels → [0, 1]; one channel repeated to `channels`; resized to `size`×`size`
    bilinearly, with `antialias` or without (0 keeps the size); stretched to `range`, as (-1, 1), or else
    (x − mean) / std per channel. `weights`: a state dict, `.safetensors` or a file that
    `torch.load(weights_only=True)` reads. `name`: names the scores; by default the last part of `target`.

    Raises:
        ValueError: module, weights or preprocessing do not fit each other.
    """

    def __init__(
        self,
        target: str,
        *,
        weights: str | Path | None = None,
        arguments: Mapping[str, Any] | None = None,
        size: Annotated[int, Ge(0)] = 0,
        antialias: bool = True,
        channels: Annotated[int, Ge(1), Le(16)] = 3,
        range: Sequence[float] | None = None,
        mean: Sequence[float] = (0.0,),
        std: Sequence[float] = (1.0,),
        name: str | None = None,
    ) -> None:
        exported = target.endswith(".pt2")
        stem = Path(target).stem if exported else target.rpartition(".")[2]
        name = name or re.sub(r"\W+", "_", stem).lower()
        if name in NAMES:
            raise ValueError(f"{name} is the name of forger's own extractor: give {target} another name")
        if range is not None:
            if len(range) != 2 or range[0] >= range[1] or (tuple(mean), tuple(std)) != ((0.0,), (1.0,)):
                raise ValueError(f"range of the {name} extractor: two values, the lower first, and no mean and std")
            low, high = range
            mean, std = (-low / (high - low),), (1 / (high - low),)
        if any(len(values) not in (1, channels) for values in (mean, std)) or min(std) <= 0:
            raise ValueError(f"mean and std of the {name} extractor need 1 or {channels} values each, std above 0")
        if size < 0 or not 1 <= channels <= 16:
            raise ValueError(f"the {name} extractor: size must be 0 or more, channels 1 to 16")
        if exported and (weights or arguments):
            raise ValueError(f"{target} holds its own weights: it takes neither weights nor arguments")
        network, sha256 = _exported(Path(target)) if exported else _imported(target, arguments or {}, weights)
        resize = f"bilinear to {size} {'with' if antialias else 'without'} antialias" if size else "no resize"
        scale = f"mean {tuple(mean)}, std {tuple(std)}" if range is None else f"range {tuple(range)}"
        steps = f"uint8 / 255, {channels} channels, {resize}, {scale}"
        super().__init__(name, network, sha256, steps)
        self.size, self.antialias, self.channels = size, antialias, channels
        for key, values in (("mean", mean), ("std", std)):
            self.register_buffer(key, torch.tensor(values, dtype=torch.float32).reshape(-1, 1, 1), persistent=False)

    def check(self, images: Tensor) -> None:
        super().check(images)
        if images.shape[1] not in (1, self.channels):
            raise ValueError(f"the {self.name} extractor takes {self.channels} channels, got {images.shape[1]}")

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        pixels = images.expand(-1, self.channels, -1, -1).float() / 255
        if self.size:
            pixels = nn.functional.interpolate(
                pixels, (self.size, self.size), mode="bilinear", antialias=self.antialias, align_corners=False
            )
        output = self.network((pixels - self.get_buffer("mean")) / self.get_buffer("std"))
        features, logits = output if isinstance(output, tuple | list) else (output, None)
        return features.flatten(1), logits


def suited(data: str, images: Tensor, asked_by: str, values: ValueRange = BYTES) -> str:
    """The name of the extractor to score a data set by, of those that are here: its own, else Inception, else random.

    ``images`` are some of it, (n, c, h, w) of these values. A line, which begins with ``asked_by``, says why it is not
    its own.
    """
    _, channels, height, width = images.shape
    if values != BYTES:
        say(f"{asked_by}: random, which sees all of {values}")
        return "random"
    if own := _TRAINED_ON.get(data):
        extractor = build(own)
        with suppress(ValueError):  # images of another shape than it takes
            extractor.check(images)
            return own
    facts = f"forger ships no extractor for {data} ({channels} x {height} x {width})"
    if channels in (1, 3) and standard_file().is_file():
        say(f"{asked_by}: inception, whose weights are here; {facts}")
        return "inception"
    why = "Inception's weights are not here" if channels in (1, 3) else "Inception takes grey or RGB"
    say(f"{asked_by}: random, since {facts}, and {why}")
    return "random"


def refuse_depth(target: str, values: ValueRange) -> None:
    """Raise ValueError where the extractor of this name, which need not be here, can't see all of these pixels."""
    if target in _WITH_WEIGHTS:
        _WITH_WEIGHTS[target].refuse_depth(target, values)


def build(target: str, weights: str | Path | None = None, **preprocessing: Any) -> Extractor:
    """The extractor of a name.

    `digits`, `fashion` and `random` take neither weights nor preprocessing, `dinov2` takes weights, `inception` those
    and `resize` and `precision`. A `.safetensors` file is one of `forger extractor`; any other import path or `.pt2`
    file is a ModuleExtractor, which takes both.

    Raises:
        ValueError: there is no such extractor, or it does not fit its weights or preprocessing.
        FileNotFoundError: a file is missing.
    """
    file = target.endswith(".safetensors")
    if (target in OWN or file) and (weights is not None or preprocessing):
        raise ValueError(f"the {target} extractor is whole: it takes neither weights nor preprocessing")
    if target in OWN:
        return OWN[target]()
    if file:
        extractor = ClassifierExtractor(Path(target))
        if extractor.name in NAMES and extractor.weights_sha256 != FASHION_SHA256:
            raise ValueError(f"{target} calls itself {extractor.name}, which is the name of forger's own extractor")
        return extractor
    if target == "dinov2" and preprocessing:
        raise ValueError(f"the {target} extractor does its own preprocessing: take out {', '.join(preprocessing)}")
    if "." not in target and target not in NAMES:
        raise ValueError(
            f"no extractor {target}: there are {', '.join(NAMES)}, any .safetensors file of forger extractor, "
            "any import path (package.module.Class) and any .pt2 file"
        )
    try:
        if target in NAMES:
            return _WITH_WEIGHTS[target](weights, **preprocessing)
        return ModuleExtractor(target, weights=weights, **preprocessing)
    except TypeError as error:
        raise ValueError(f"the extractor {target} takes no such preprocessing: {error}") from error


#: Those that need nothing but their name.
OWN = {"digits": DigitsExtractor, "fashion": FashionExtractor, "random": RandomExtractor}
#: Those with a published file of weights.
_WITH_WEIGHTS = {"inception": InceptionExtractor, "dinov2": DINOv2Extractor}


def _whole(path: Path, sha256: str) -> None:
    if not path.is_file() or file_sha256(path) != sha256:
        raise ValueError(f"{path} is not the file that forger ships: install forger again")


def _imported(target: str, arguments: Mapping[str, Any], weights: str | Path | None) -> tuple[nn.Module, str]:
    module, _, attribute = target.rpartition(".")
    try:
        network = getattr(own_module(module), attribute)(**arguments)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise ValueError(f"the extractor {target} can't be made: {error}") from error
    if not isinstance(network, nn.Module):
        raise ValueError(f"the extractor {target} gives a {type(network).__name__}, not a torch.nn.Module")
    if weights is not None:
        try:
            if Path(weights).suffix == ".safetensors":
                state = safetensors.torch.load_file(weights)
            else:
                state = torch.load(weights, map_location="cpu", weights_only=True)
            network.load_state_dict(state)
        except Exception as error:  # unpickling, zip, safetensors and key errors alike
            raise ValueError(f"{weights} holds no weights for {target}: {unreadable(error)}") from error
    network.eval().requires_grad_(False).float()
    return network, weights_sha256(network.state_dict())


def _exported(path: Path) -> tuple[nn.Module, str]:
    if not path.is_file():
        raise FileNotFoundError(f"no exported program at {path}: write one with torch.export.save")
    return load_exported(path).module(), file_sha256(path)
