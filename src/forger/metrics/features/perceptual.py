"""Distances between a picture and its truth in the features of a network: LPIPS, or the same without its weights."""

import logging
from abc import ABC, abstractmethod
from importlib.resources import files
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from forger.data.pixels.ranges import to_float
from forger.hashing import file_sha256, weights_sha256
from forger.metrics.features.base import Extractor

Backbone = Literal["alex", "vgg"]

#: torchvision's files, whose names end in the first digits of their sha256.
FILES: dict[str, str] = {"alex": "alexnet-owt-7be5be79.pth", "vgg": "vgg16-397923af.pth"}
#: Least pixels a side: with fewer nothing is left after the poolings.
LEAST: dict[str, int] = {"alex": 31, "vgg": 16}

log = logging.getLogger(__name__)


class Distance(ABC):
    """A distance of images (n, c, h, w), from 0 to 255, from their truth, float64 (n,); 0 for equal ones.

    `name` is its score's, `about` what its passport says of the network.
    """

    name: str
    about: dict[str, str]

    @abstractmethod
    def __call__(self, images: Tensor, truth: Tensor) -> Tensor: ...

    def check(self, images: Tensor) -> None:  # noqa: B027 (most take any images)
        """Raise ValueError for images that the network does not take."""


class LPIPS(Distance):
    """Zhang et al. 2018, equation 1, version 0.1: `lpips_alex` or `lpips_vgg`.

    `weights`: torchvision's file of the backbone (ImageNet); None looks where torch.hub keeps it, and nothing is
    downloaded. The weights of the layers come with torchmetrics. Grey images are repeated to three channels.

    Raises:
        FileNotFoundError: the file is missing; the message names it, its place and its hash.
        ValueError: it is another file; the message likewise.
    """

    def __init__(self, backbone: Backbone = "alex", weights: str | None = None) -> None:
        file = FILES[backbone]
        path = place(backbone) if weights is None else Path(weights)
        if not path.is_file():
            raise FileNotFoundError(f"no weights for LPIPS at {path}: put torchvision's {file} there")
        sha256, prefix = file_sha256(path), Path(file).stem.rpartition("-")[2]
        if not sha256.startswith(prefix):
            log.warning(
                "%s (sha256 %s…) is not torchvision's %s: this is no LPIPS of the papers", path, sha256[:8], file
            )
        self.backbone = backbone
        self.network, self.taps = _alexnet() if backbone == "alex" else _vgg16()
        own = files("torchmetrics") / "functional" / "image" / "lpips_models" / f"{backbone}.pth"
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            self.network.load_state_dict({name: state[f"features.{name}"] for name in self.network.state_dict()})
            with own.open("rb") as opened:
                layers = torch.load(opened, map_location="cpu", weights_only=True)
        except Exception as error:  # unpickling, zip and key errors alike
            line = " ".join(str(error).split())[:200]
            raise ValueError(
                f"{path} holds no weights of LPIPS's {backbone} ({line}): get torchvision's {file}"
            ) from error
        self.layers = [layers[f"lin{i}.model.1.weight"] for i in range(len(self.taps))]
        self.network.eval().requires_grad_(False)
        self.name = f"lpips_{backbone}"
        self.about = {"network": f"lpips {backbone}", "network_sha256": sha256}

    def check(self, images: Tensor) -> None:
        if images.dtype != torch.uint8:
            raise ValueError("LPIPS takes pictures of 8 bits: take another distance")
        if min(images.shape[2:]) < LEAST[self.backbone] or images.shape[1] not in (1, 3):
            got = f"{images.shape[1]} channels of {images.shape[3]}x{images.shape[2]}"
            raise ValueError(f"LPIPS takes grey or RGB pictures of {LEAST[self.backbone]} pixels or more, not {got}")

    @torch.no_grad()
    def __call__(self, images: Tensor, truth: Tensor) -> Tensor:
        self.check(images)
        pairs = zip(self._features(images), self._features(truth), self.layers, strict=True)
        return torch.stack([apart(x, y, weights) for x, y, weights in pairs]).sum(0)

    def _features(self, images: Tensor) -> list[Tensor]:
        # The paper's own scaling, which differs slightly from ImageNet's.
        shift, scale = torch.tensor([[-0.030, -0.088, -0.188], [0.458, 0.448, 0.450]]).reshape(2, 3, 1, 1)
        x = (to_float(images.expand(-1, 3, -1, -1)) - shift) / scale
        found = []
        for place, layer in enumerate(self.network):
            x = layer(x)
            if place in self.taps:
                found.append(x)
        return found


class FeatureDistance(Distance):
    """Zhang et al. 2018, equation 1, with equal weights, in the last features of a network: `distance_<network>`.

    Between 0 and 4. Named after its network, since distances by different networks do not compare.

    Args:
        network: an extractor, or a module of features (n, d, …) of images in [-1, 1]; its `name` names the score.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network.eval()
        known = str(getattr(network, "name", type(network).__name__.lower()))
        sha256 = network.weights_sha256 if isinstance(network, Extractor) else weights_sha256(network.state_dict())
        self.name = f"distance_{known}"
        self.about = {"network": known, "network_sha256": str(sha256)}

    def check(self, images: Tensor) -> None:
        if isinstance(self.network, Extractor):
            self.network.check(images)

    @torch.no_grad()
    def __call__(self, images: Tensor, truth: Tensor) -> Tensor:
        x, y = (self._features(each) for each in (images, truth))
        return apart(x.reshape(*x.shape[:2], -1, 1), y.reshape(*y.shape[:2], -1, 1))

    def _features(self, images: Tensor) -> Tensor:
        return self.network(images).features if isinstance(self.network, Extractor) else self.network(to_float(images))


class Perceptual(Distance):
    """LPIPS where its weights are on disk, otherwise a `FeatureDistance` of another network.

    The score's name says which.

    Args:
        network: as in `FeatureDistance`.
        lpips: backbone of LPIPS.
    """

    def __init__(self, network: nn.Module, lpips: Backbone = "alex") -> None:
        self.distance = LPIPS(lpips) if place(lpips).is_file() else FeatureDistance(network)
        self.name, self.about = self.distance.name, self.distance.about

    def check(self, images: Tensor) -> None:
        self.distance.check(images)

    def __call__(self, images: Tensor, truth: Tensor) -> Tensor:
        return self.distance(images, truth)


def place(backbone: Backbone) -> Path:
    """Where torch.hub keeps torchvision's file of a backbone."""
    return Path(torch.hub.get_dir()) / "checkpoints" / FILES[backbone]


def apart(x: Tensor, y: Tensor, weights: Tensor | None = None) -> Tensor:
    """Equation 1 for one layer: features (n, c, h, w) of unit length at each place, weights (1, c, 1, 1) or 1."""
    x, y = (each.double() / (each.double().square().sum(1, keepdim=True) + 1e-8).sqrt() for each in (x, y))
    squares = (x - y).square()
    return (squares if weights is None else squares * weights).sum(1).mean((1, 2))


def _alexnet() -> tuple[nn.Sequential, tuple[int, ...]]:
    """torchvision's `features`, and the places of the rectified layers that are looked at."""
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2)]
    layers += [nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)]
    for inputs, outputs in ((192, 384), (384, 256), (256, 256)):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers), (1, 4, 7, 9, 11)


def _vgg16() -> tuple[nn.Sequential, tuple[int, ...]]:
    layers: list[nn.Module] = []
    taps, inputs = [], 3
    for repeat, outputs in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
        if layers:
            layers.append(nn.MaxPool2d(2))
        for _ in range(repeat):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
            inputs = outputs
        taps.append(len(layers) - 1)
    return nn.Sequential(*layers), tuple(taps)
