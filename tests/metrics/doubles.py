"""Small stand-ins that the tests of scores share."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from forger.metrics.features.base import Extractor


class Projection(Extractor):
    """A random linear map of the pixels: 6 features, 4 logits, any number of channels."""

    def __init__(self, shape: tuple[int, ...] = (1, 4, 4)) -> None:
        pixels = torch.Size(shape).numel()
        network = nn.Linear(pixels, 10, bias=False)
        rng = torch.Generator().manual_seed(0)
        nn.init.normal_(network.weight, std=pixels**-0.5, generator=rng)
        super().__init__("projection", network, "0" * 64, "uint8 / 255")

    def extract(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.network(images.flatten(1).float() / 255).split([6, 4], dim=1)


class Small(nn.Module):
    """A network for ModuleExtractor, with parts that training would change."""

    def __init__(self, width: int = 5, channels: int = 3, logits: bool = False) -> None:
        super().__init__()
        self.logits = logits
        self.body = nn.Sequential(nn.Conv2d(channels, width, 3), nn.BatchNorm2d(width), nn.Dropout(0.5))

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        features = self.body(images).mean((2, 3))
        return (features, features * 2) if self.logits else features


class Recorder(nn.Module):
    """Hands back its input, flat: what a network sees after preprocessing."""

    def forward(self, images: Tensor) -> Tensor:
        return images


def not_a_module() -> Mapping[str, int]:
    return {}


def pictures(n: int, shape: tuple[int, ...] = (1, 4, 4), seed: int = 0, low: int = 0, high: int = 256) -> Tensor:
    return torch.randint(low, high, (n, *shape), generator=torch.Generator().manual_seed(seed)).byte()


def random_inception(folder: Path) -> Path:
    """A weights file for the Inception network: random, of He's scale so that features do not vanish."""

    class Random(FeatureExtractorInceptionV3):
        def load_state_dict(self, *_, **__):
            rng = torch.Generator().manual_seed(0)
            for module in self.modules():
                if isinstance(module, nn.Conv2d | nn.Linear):
                    nn.init.kaiming_normal_(module.weight, generator=rng)

    torch.save({}, folder / "empty.pth")
    network = Random("random", ["2048"], feature_extractor_weights_path=str(folder / "empty.pth"))
    torch.save(network.state_dict(), folder / "inception.pth")
    return folder / "inception.pth"
