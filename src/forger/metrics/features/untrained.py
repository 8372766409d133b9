"""An extractor that needs neither weights nor labels: a fixed convolutional network that nobody trained."""

import hashlib
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from forger.hashing import weights_sha256
from forger.metrics.features.base import Extractor

#: Channels of a stage, channels of a picture at most, and stages at most.
WIDTH, CHANNELS, STAGES = 16, 16, 6


class UntrainedNetwork(nn.Module):
    """Stages of a 3×3 convolution and a GELU, each at half the resolution of the one before.

    Float (n, c, h, w) in [-1, 1] → features (n, 32 · stages): of every channel of every stage the mean and the standard
    deviation over the picture. The last stage is the sixth or the first of less than 4 pixels (8: 3 stages, 28: 4, 32:
    5, 64 and more: 6). Weights are uniform in ±√(6 / fan-in) (He et al. 2015), without bias; a picture of c channels
    meets the first c of 16 that the first stage has.
    """

    def __init__(self) -> None:
        super().__init__()
        for stage in range(STAGES):
            weight = _uniform((WIDTH, WIDTH if stage else CHANNELS, 3, 3), f"stage {stage}")
            self.register_buffer(f"stage{stage}", weight)

    def forward(self, images: Tensor) -> Tensor:
        found = []
        for stage in range(STAGES):
            channels = images.shape[1]
            weight = self.get_buffer(f"stage{stage}")[:, :channels] * math.sqrt(6 / (9 * channels))
            images = F.gelu(F.conv2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), weight))
            found += [images.mean((2, 3)), images.std((2, 3), correction=0)]
            if min(images.shape[2:]) < 4:
                break
            images = F.avg_pool2d(images, 2)
        return torch.cat(found, dim=1)


class RandomExtractor(Extractor):
    """The extractor behind `fd_random`: an `UntrainedNetwork`, for pictures of any size and up to 16 channels.

    Naeem et al. 2020 use features of a network with random weights where Inception does not fit. It has no logits,
    hence no Inception Score. docs/scores.md says what it sees.
    """

    def __init__(self) -> None:
        network = UntrainedNetwork()
        super().__init__("random", network, weights_sha256(network.state_dict()), "uint8 / 127.5 - 1")

    def check(self, images: Tensor) -> None:
        super().check(images)
        if images.shape[1] > CHANNELS:
            raise ValueError(f"the random extractor takes up to {CHANNELS} channels, got {images.shape[1]}")

    def extract(self, images: Tensor) -> tuple[Tensor, None]:
        return self.network(images.float() / 127.5 - 1), None


def _uniform(shape: tuple[int, ...], purpose: str) -> Tensor:
    """Numbers in [-1, 1), the same with every version of every package: of SHAKE-256's stream of bits."""
    bits = hashlib.shake_256(f"forger random extractor, {purpose}".encode()).digest(4 * math.prod(shape))
    values = np.frombuffer(bits, "<u4").astype(np.float64) / 2**31 - 1
    return torch.from_numpy(values.astype(np.float32)).reshape(shape)
