"""Pieces that several networks share: sizes, norms, labels, minibatch statistics, spectral normalisation."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Ge, Le, MaxLen, MinLen
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from forger.sizes import LARGEST, SMALLEST

Count = Annotated[int, Ge(1)]
#: How many classes or, of several labels, what each is: {name, values} or {name, mean, deviation, …}.
Classes = Annotated[int, Ge(0)] | list[dict[str, Any]]
Side = Annotated[int, Ge(SMALLEST), Le(LARGEST)]
Size = Side | Annotated[list[Side], MinLen(2), MaxLen(2)]
Norm = Literal["batch", "layer", "instance", "none"]
DiscriminatorNorm = Literal["batch", "layer", "instance", "none", "spectral"]
Smallest = Annotated[int, Ge(2), Le(4)]
Condition = Literal["projection", "embedding"]


def widths(width: int, count: int, max_width: int) -> list[int]:
    """`count` channel counts from the image inwards: `width`, doubled at each halving up to `max_width`."""
    return [min(width << i, max(width, max_width)) for i in range(count)]


def norms(kind: DiscriminatorNorm, channels: int) -> list[nn.Module]:
    """The normalisation layer for (N, channels, h, w), or none (spectral normalisation is no layer)."""
    if kind == "batch":
        return [nn.BatchNorm2d(channels)]
    if kind == "layer":
        return [nn.GroupNorm(1, channels)]
    if kind == "instance":
        return [nn.InstanceNorm2d(channels, affine=True)]
    return []


def label_embedding(classes: Classes, features: int) -> nn.Embedding | None:
    """Labels to (N, features); None where there are no classes."""
    if isinstance(classes, int):
        return nn.Embedding(classes, features) if classes else None
    return ConditionEmbedding(classes, features)


class ConditionEmbedding(nn.Embedding):
    """Several labels (N, k) to (N, features): the sum of a vector for each attribute's value and each number's.

    A number's vector is a learned one times its distance from the mean in standard deviations, so that the logit of
    `Projection` is what tells apart Gaussians with this number as their mean.
    """

    column: Tensor
    is_number: Tensor
    origin: Tensor
    unit: Tensor

    def __init__(self, conditions: Sequence[Mapping[str, Any]], features: int):
        rows = [row for column, condition in enumerate(conditions) for row in _rows(column, condition)]
        super().__init__(len(rows), features)
        column, is_number, origin, unit = (torch.tensor(constant) for constant in zip(*rows, strict=True))
        for name, constant in {"column": column, "is_number": is_number, "origin": origin, "unit": unit}.items():
            self.register_buffer(name, constant, persistent=False)

    def forward(self, input: Tensor) -> Tensor:
        given = input[:, self.column]
        weights = torch.where(self.is_number, (given - self.origin) / self.unit, (given == self.origin).to(given.dtype))
        return weights.to(self.weight.dtype) @ self.weight


def _rows(column: int, condition: Mapping[str, Any]) -> list[tuple[int, bool, float, float]]:
    """For each vector that a condition has: its column, whether it is of a number, and that one's origin and unit."""
    if "values" in condition:
        return [(column, False, float(number), 1.0) for number in range(len(condition["values"]))]
    return [(column, True, float(condition["mean"]), float(condition["deviation"]))]


def with_label(x: Tensor, labels: Tensor | None, embedding: nn.Embedding | None) -> Tensor:
    """Mirza & Osindero 2014: the embedded label as further inputs, to (N, d) or (N, c, h, w)."""
    if embedding is None:
        return x
    assert labels is not None, "a conditional network needs labels"
    e = embedding(labels)
    e = e.reshape(*e.shape, *[1] * (x.ndim - 2)).expand(-1, -1, *x.shape[2:])
    return torch.cat([x, e.to(x.dtype)], dim=1)


class Projection(nn.Module):
    """Miyato & Koyama 2018, eq. 3: the label's part of the logit, embed(y) · φ(x)."""

    def __init__(self, classes: Classes, features: int):
        super().__init__()
        embedding = label_embedding(classes, features)
        assert embedding is not None
        self.embedding = embedding
        nn.init.normal_(self.embedding.weight, 0, 0.02)

    def forward(self, features: Tensor, labels: Tensor | None) -> Tensor:
        """Features (N, d) and labels (N,) or (N, k) to (N,)."""
        assert labels is not None, "a conditional network needs labels"
        return (self.embedding(labels) * features).sum(1)


class MinibatchStd(nn.Module):
    """Karras et al. 2018 (ProGAN), section 3: the batch's mean standard deviation as one more channel.

    Of features (N, c, h, w) or (N, c), over the whole batch. Couples the samples of a batch, as batch norm.
    """

    takes_whole_batches: ClassVar[bool] = True

    def forward(self, x: Tensor) -> Tensor:
        # the small term keeps the slope of the root finite where all samples agree
        deviation = (x.float().var(0, correction=0) + 1e-8).sqrt().mean().to(x.dtype)
        return torch.cat([x, deviation.expand(len(x), 1, *x.shape[2:])], dim=1)


class SelfAttention(nn.Module):
    """Zhang et al. 2019 (SAGAN), eq. 1-3: x + γ · attention over all positions, γ = 0 at the start.

    As in the authors' code, keys and values are pooled 2×2 to save memory. (N, c, h, w) to the same.
    """

    def __init__(self, channels: int):
        super().__init__()
        inner = max(channels // 8, 1)
        self.query = nn.Conv2d(channels, inner, 1, bias=False)
        self.key = nn.Conv2d(channels, inner, 1, bias=False)
        self.value = nn.Conv2d(channels, max(channels // 2, 1), 1, bias=False)
        self.output = nn.Conv2d(max(channels // 2, 1), channels, 1, bias=False)
        self.gain = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        query = self.query(x).flatten(2)
        key = nn.functional.max_pool2d(self.key(x), 2).flatten(2)
        value = nn.functional.max_pool2d(self.value(x), 2).flatten(2)
        weights = torch.softmax(query.transpose(1, 2) @ key, dim=-1)  # (N, positions, pooled positions)
        attended = (value @ weights.transpose(1, 2)).reshape(x.shape[0], -1, *x.shape[2:])
        return x + self.gain * self.output(attended)


def spectral(network: nn.Module) -> None:
    """Miyato et al. 2018: divide every weight matrix of the network by its largest singular value, in place.

    After initialisation, since a parametrised weight can no longer be filled in place.
    """
    for module in list(network.modules()):
        if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding):
            parametrizations.spectral_norm(module)
