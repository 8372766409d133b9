"""The styles of a generator's layers, where a mapping makes them of latents (Karras et al. 2019, StyleGAN)."""

from functools import partial
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from forger.games.sampling.inference import Inference


@runtime_checkable
class Mapped(Protocol):
    """What such a generator has, besides that it takes styles (N, layers, style) in place of latents."""

    #: Layers that have a style each, and its width.
    style_shape: tuple[int, int]

    def styles(self, z: Tensor, labels: Tensor | None = None, truncation: float = 1.0) -> Tensor:
        """Styles (N, layers, style) of latents (N, latent) or of styles, as far from their mean as ``truncation``."""
        ...

    def affine(self) -> Tensor:
        """Weights (outputs, style) of the layers that a style passes first."""
        ...


class Styling(Inference):
    """The part of a game whose generator may have styles."""

    @property
    def style_shape(self) -> tuple[int, int] | None:
        """(layers, style) of a sample's styles; None where the generator knows none."""
        network = self.get_submodule("generator")
        return network.style_shape if isinstance(network, Mapped) else None

    def styles(self, z: Tensor, labels: Tensor | None = None, truncation: float = 1.0) -> Tensor:
        """Styles (n, layers, style), float32, of latents (n, latent) and labels, or of styles."""
        return self.infer("generator", z, labels, how=partial(_styles, truncation=truncation))


def _styles(network: nn.Module, z: Tensor, labels: Tensor | None, truncation: float) -> Tensor:
    assert isinstance(network, Mapped)
    return network.styles(z, labels, truncation)


def repeated(network: nn.Module, w: Tensor) -> Tensor:
    """One style (n, style) for all layers: (n, layers, style)."""
    assert isinstance(network, Mapped)
    return w[:, None].expand(-1, network.style_shape[0], -1)
