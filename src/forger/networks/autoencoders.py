"""Autoencoders, fully connected and convolutional: plain, sparse, denoising, stacked and variational.

All have `encode(x)`, which gives the code (N, latent), or (mean, log_variance) if `variational`; `decode(z)`,
which gives images in [-1, 1]; and `forward(x)`, the reconstruction (by the mean). With `classes`, both are told labels
(N,) too. Encoder and decoder are mirrored lists of stages, `decoder[i]` undoing `encoder[i]`: with `depth=k`, `encode`
runs the first k stages and `decode` the last k, which is what greedy layer-wise training needs.
"""

import math
from itertools import pairwise
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge
from torch import Tensor, nn

from forger.networks.blocks import Count, Norm, Size, label_embedding, norms, widths, with_label
from forger.sizes import halvings

Activation = Literal["relu", "leaky_relu", "gelu"]
Output = Literal["sigmoid", "tanh", "identity"]
Code = Literal["identity", "relu"]


class Autoencoder(nn.Module):
    """The interface; subclasses fill `encoder` and `decoder` with equally many stages.

    The last encoder stage gives the code, twice as wide (means, then log-variances) if `variational`. With `classes`,
    the first encoder stage takes `embedding` numbers (or channels) more, and so does the last decoder stage, which is
    run first: those of the embedded label (Sohn et al. 2015).
    """

    def __init__(
        self,
        encoder: list[nn.Sequential],
        decoder: list[nn.Sequential],
        latent: int,
        variational: bool,
        classes: int = 0,
        embedding: int = 16,
    ):
        super().__init__()
        self.encoder = nn.ModuleList(encoder)
        self.decoder = nn.ModuleList(decoder)
        self.latent = latent
        self.variational = variational
        self.embedding = label_embedding(classes, embedding)

    def activations(self, x: Tensor, depth: int | None = None, labels: Tensor | None = None) -> list[Tensor]:
        """The output of each of the first `depth` (default: all) encoder stages; the last one is the code."""
        outputs, x = [], with_label(x, labels, self.embedding)
        for stage in self.encoder[:depth]:
            x = stage(x)
            outputs.append(x)
        return outputs

    def encode(
        self, x: Tensor, depth: int | None = None, labels: Tensor | None = None
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Images (N, ...) to codes (N, latent), or (mean, log_variance), each (N, latent), if variational.

        With `depth` below the number of stages: the activations after that many, never a distribution.
        """
        code = self.activations(x, depth, labels)[-1]
        if self.variational and (depth is None or depth == len(self.encoder)):
            mean, log_variance = code.chunk(2, dim=1)
            return mean, log_variance
        return code

    def decode(self, z: Tensor, depth: int | None = None, labels: Tensor | None = None) -> Tensor:
        """Codes (N, latent), or activations after `depth` encoder stages, to images (N, ...)."""
        z = with_label(z, labels, self.embedding)
        for stage in reversed(self.decoder[:depth]):
            z = stage(z)
        return z

    def compile(self, *arguments: Any, **options: Any) -> None:
        """As `nn.Module.compile`: the stages, since games call `encode` and `decode`."""
        for stage in (*self.encoder, *self.decoder):
            stage.compile(*arguments, **options)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        code = self.encode(x, labels=labels)
        return self.decode(code if isinstance(code, Tensor) else code[0], labels=labels)


class MLP(Autoencoder):
    """Fully connected; `widths` are the hidden layers of the encoder, the decoder mirrors them.

    Takes samples (N, *shape). `output`: "sigmoid" (as the notes, scaled to [-1, 1]), "tanh", or "identity"
    for points. `code="relu"` makes codes that can be exactly off, for the sparse autoencoder. Without hidden
    layers and with output="identity" it is linear, and at best PCA.
    """

    def __init__(
        self,
        shape: list[Count],
        latent: Count,
        widths: list[Count],
        variational: bool = False,
        activation: Activation = "relu",
        output: Output = "sigmoid",
        code: Code = "identity",
        classes: Annotated[int, Ge(0)] = 0,
        embedding: Count = 16,
    ):
        told = embedding if classes else 0
        inputs = [math.prod(shape), *widths]
        given = [inputs[0] + told, *widths]
        encoder = [nn.Sequential(nn.Flatten(), nn.Linear(a, b), _activation(activation)) for a, b in pairwise(given)]
        last = nn.Linear(given[-1], latent * (1 + variational))
        encoder.append(nn.Sequential(nn.Flatten(), last, _code(code, variational)))
        steps = [*widths, latent + told]
        first = nn.Linear(steps[0], inputs[0])
        decoder = [nn.Sequential(first, _output(output), nn.Unflatten(1, tuple(shape)))]
        decoder += [nn.Sequential(nn.Linear(b, a), _activation(activation)) for a, b in pairwise(steps)]
        super().__init__(encoder, decoder, latent, variational, classes, embedding)

    def activations(self, x: Tensor, depth: int | None = None, labels: Tensor | None = None) -> list[Tensor]:
        return super().activations(x.flatten(1), depth, labels)


class Convolutional(Autoencoder):
    """Strided and transposed convolutions (kernel 4, stride 2), as DCGAN's, and one linear layer to the code.

    Images (N, channels, height, width) of a size that `forger.sizes.halvings` takes; channels double at each
    halving up to `max_width`. Other parameters as in `MLP`.

    Raises:
        ValueError: a size that does not fit.
    """

    def __init__(
        self,
        size: Size,
        channels: Count,
        latent: Count,
        width: Count = 32,
        variational: bool = False,
        activation: Activation = "relu",
        norm: Norm = "none",
        output: Output = "sigmoid",
        code: Code = "identity",
        max_width: Count = 256,
        classes: Annotated[int, Ge(0)] = 0,
        embedding: Count = 16,
    ):
        told = embedding if classes else 0
        base, count = halvings(size)
        steps = widths(width, count, max_width)
        top = (steps[-1], *base)
        bias = norm == "none"
        encoder = [
            nn.Sequential(nn.Conv2d(a, b, 4, 2, 1, bias=bias), *norms(norm, b), _activation(activation))
            for a, b in pairwise([channels + told, *steps])
        ]
        last = nn.Linear(math.prod(top), latent * (1 + variational))
        encoder.append(nn.Sequential(nn.Flatten(), last, _code(code, variational)))
        decoder = [nn.Sequential(nn.ConvTranspose2d(steps[0], channels, 4, 2, 1), _output(output))]
        for a, b in pairwise(steps):
            up = nn.ConvTranspose2d(b, a, 4, 2, 1, bias=bias)
            decoder.append(nn.Sequential(up, *norms(norm, a), _activation(activation)))
        spread = nn.Linear(latent + told, math.prod(top))
        decoder.append(nn.Sequential(spread, _activation(activation), nn.Unflatten(1, top)))
        super().__init__(encoder, decoder, latent, variational, classes, embedding)


class ScaledSigmoid(nn.Module):
    """2 σ(x) - 1: a sigmoid's probabilities as pixels in [-1, 1]."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * torch.sigmoid(x) - 1


def _activation(name: Activation) -> nn.Module:
    return {"relu": nn.ReLU(), "leaky_relu": nn.LeakyReLU(0.2), "gelu": nn.GELU()}[name]


def _output(name: Output) -> nn.Module:
    return {"sigmoid": ScaledSigmoid(), "tanh": nn.Tanh(), "identity": nn.Identity()}[name]


def _code(name: Code, variational: bool) -> nn.Module:
    if variational and name == "relu":
        raise ValueError("code=relu: a variational code is normal and reaches below 0; use code=identity")
    return nn.ReLU() if name == "relu" else nn.Identity()
