"""Fully connected GANs (Goodfellow et al. 2014), for images and for points in any dimension."""

import math
from itertools import pairwise
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn

from forger.networks.blocks import (
    Classes,
    Condition,
    Count,
    MinibatchStd,
    Projection,
    label_embedding,
    spectral,
    with_label,
)

Shape = list[Count]
Norm = Literal["batch", "layer", "none"]
DiscriminatorNorm = Literal["batch", "layer", "none", "spectral"]


class Generator(nn.Module):
    """z (N, latent) and labels (N,) to samples (N, *shape): images in [-1, 1] by Tanh, points unbounded.

    `depth` hidden layers of `width`, LeakyReLU 0.2. With classes, the embedded label is appended to z (Mirza
    & Osindero 2014). `components` > 0 puts a learned mixture of Gaussians between z and the network
    (`MixtureLatent`), for data in separate clusters.

    Raises:
        ValueError: `components` without a second coordinate of z.
    """

    def __init__(
        self,
        latent: Count,
        shape: Shape,
        width: Count = 256,
        depth: Count = 2,
        classes: Classes = 0,
        output: Literal["tanh", "identity"] = "tanh",
        norm: Norm = "none",
        embedding: Count = 16,
        components: Annotated[int, Ge(0)] = 0,
    ):
        super().__init__()
        self.shape = tuple(shape)
        self.mixture = MixtureLatent(components, latent) if components else None
        self.embedding = label_embedding(classes, embedding)
        inputs = (latent - 1 if components else latent) + (embedding if classes else 0)
        self.blocks = _blocks(inputs, width, depth, norm)
        self.output = nn.Linear(width, math.prod(shape))
        self.activation = nn.Tanh() if output == "tanh" else nn.Identity()

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        if self.mixture is not None:
            z = self.mixture(z)
        x = self.output(self.blocks(with_label(z, labels, self.embedding)))
        return self.activation(x).unflatten(1, self.shape)


class Discriminator(nn.Module):
    """Samples (N, *shape) and labels (N,) to logits (N,).

    `depth` hidden layers of `width`, LeakyReLU 0.2. With classes: `condition="projection"` (Miyato & Koyama
    2018) on the last hidden layer, or "embedding", appended to the input. `norm="spectral"` normalises all
    weights instead of activations. `fourier` > 0 appends that many random Fourier features of the input, of
    `fourier_scale` cycles per unit: sharper decisions. For clusters of width σ it is about 1 / 2πσ.
    """

    def __init__(
        self,
        shape: Shape,
        width: Count = 256,
        depth: Count = 2,
        classes: Classes = 0,
        condition: Condition = "projection",
        norm: DiscriminatorNorm = "none",
        minibatch_std: bool = False,
        embedding: Count = 16,
        fourier: Annotated[int, Ge(0)] = 0,
        fourier_scale: Annotated[float, Gt(0)] = 1.0,
    ):
        super().__init__()
        inputs = math.prod(shape)
        self.fourier = FourierFeatures(inputs, fourier, fourier_scale) if fourier else None
        embedded = bool(classes) and condition == "embedding"
        self.embedding = label_embedding(classes, embedding) if embedded else None
        inputs += 2 * fourier + (embedding if embedded else 0)
        self.blocks = _blocks(inputs, width, depth, "none" if norm == "spectral" else norm)
        if minibatch_std:
            self.blocks.append(MinibatchStd())
        self.output = nn.Linear(width + minibatch_std, 1)
        projected = bool(classes) and condition == "projection"
        self.projection = Projection(classes, width + minibatch_std) if projected else None
        if norm == "spectral":
            spectral(self)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        x = x.flatten(1)
        if self.fourier is not None:
            x = self.fourier(x)
        features = self.blocks(with_label(x, labels, self.embedding))
        logits = self.output(features).squeeze(1)
        return logits if self.projection is None else logits + self.projection(features, labels)


class MixtureLatent(nn.Module):
    """Gurumurthy et al. 2017 (DeLiGAN), eq. 5: μ_k + σ_k ε, with learned means and deviations.

    z (N, latent) from N(0, 1) to (N, latent - 1): the first coordinate, as a quantile, picks k, the others
    are ε. So the same z always gives the same sample, and each component gets an equal share. Starts as in
    the paper, at means from U(-1, 1) and deviations of 0.2.
    """

    def __init__(self, components: Count, latent: Count):
        super().__init__()
        if latent < 2:
            raise ValueError("a mixture latent needs latent >= 2: one number picks the component")
        self.means = nn.Parameter(torch.empty(components, latent - 1).uniform_(-1, 1))
        self.deviations = nn.Parameter(torch.full((components, latent - 1), 0.2))

    def forward(self, z: Tensor) -> Tensor:
        count = len(self.means)
        quantile = torch.special.ndtr(z[:, 0].float())
        k = (quantile * count).long().clamp(max=count - 1)
        return self.means[k] + self.deviations[k] * z[:, 1:]


class FourierFeatures(nn.Module):
    """Tancik et al. 2020, eq. 5: x with a cos(2π b·x) and a sin(2π b·x) appended, b fixed from N(0, scale²).

    a = 1 / (2π‖b‖), so that every feature has slopes up to 1, as x itself has: what is coarse is learned before
    what is fine. (N, inputs) to (N, inputs + 2 count).
    """

    frequencies: Tensor

    def __init__(self, inputs: Count, count: Count, scale: float):
        super().__init__()
        self.register_buffer("frequencies", scale * torch.randn(inputs, count))

    def forward(self, x: Tensor) -> Tensor:
        # float32 even under autocast: half precision loses the phase of high frequencies
        with torch.autocast(x.device.type, enabled=False):
            b = 2 * math.pi * self.frequencies
            phase, amplitude = x.to(b.dtype) @ b, 1 / torch.linalg.vector_norm(b, dim=0)
            return torch.cat([x, amplitude * phase.cos(), amplitude * phase.sin()], dim=1)


def _blocks(inputs: int, width: int, depth: int, norm: Norm) -> nn.Sequential:
    return nn.Sequential(*[_hidden(a, b, norm) for a, b in pairwise([inputs] + depth * [width])])


def _hidden(inputs: int, outputs: int, norm: Norm) -> nn.Sequential:
    norms = {"batch": [nn.BatchNorm1d(outputs)], "layer": [nn.LayerNorm(outputs)], "none": []}[norm]
    return nn.Sequential(nn.Linear(inputs, outputs, bias=not norms), *norms, nn.LeakyReLU(0.2, inplace=True))
