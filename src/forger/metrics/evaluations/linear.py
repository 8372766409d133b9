"""Linear methods on the same images, which an autoencoder or a translation is compared with."""

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeCV
from torch import Tensor

from forger.data.dataset import Data
from forger.metrics.evaluations.once import once_for
from forger.randomness import generator

#: Training images used at most: more change a covariance too little to be worth their memory.
MOST = 20_000


def training_pixels(data: Data, of: str = "image") -> Tensor:
    """The training images (at most 20,000, drawn at random) as rows of pixels in [0, 1], float64 (n, D).

    With `of="truth"` they are the right translations of those, in the same order.
    """
    images = data.train.arrays[of]
    some = len(images) > MOST
    images = images[torch.randperm(len(images), generator=generator(0, "linear"))[:MOST] if some else slice(None)]
    return data.values.unit(images.flatten(1))


class PrincipalComponents:
    """scikit-learn's PCA of rows of pixels in [0, 1] (n, D), for float images in [-1, 1].

    Its reconstructions may leave [-1, 1]: they are not clipped.
    """

    def __init__(self, rows: Tensor, components: int) -> None:
        self._pca = PCA(components, random_state=0).fit(rows.numpy())

    def encode(self, images: Tensor) -> Tensor:
        """Coordinates (n, components), float64."""
        return torch.from_numpy(self._pca.transform(_pixels(images).numpy()))

    def reconstruct(self, images: Tensor) -> Tensor:
        rows = self._pca.inverse_transform(self.encode(images).numpy())
        return _images(torch.from_numpy(np.asarray(rows)), images)


def principal_components(data: Data, components: int) -> PrincipalComponents:
    """Those of `training_pixels`, fitted once for each training split: halves of a test split share them."""
    return once_for(data.train, ("pca", components), lambda: PrincipalComponents(training_pixels(data), components))


class WienerFilter:
    """The best linear denoiser: μ + C (C + σ² 1)⁻¹ (y − μ), with mean μ and covariance C of rows of pixels.

    Called with float images in [-1, 1] plus noise of standard deviation 2σ (σ on the scale [0, 1]); its
    output is clipped to [-1, 1].
    """

    def __init__(self, rows: Tensor, noise: float) -> None:
        self._mean = rows.mean(0)
        n, pixels = rows.shape
        if n < pixels:
            # With X = rows − μ, C is XᵀX / (n − 1), and C (C + σ² 1)⁻¹ = Xᵀ (XXᵀ + (n − 1) σ² 1)⁻¹ X.
            centred = rows - self._mean
            gram = centred @ centred.T + (n - 1) * noise**2 * torch.eye(n, dtype=rows.dtype)
            self._filter = [centred.T, torch.linalg.solve(gram, centred)]
        else:
            covariance = torch.cov(rows.T)
            with_noise = covariance + noise**2 * torch.eye(pixels, dtype=rows.dtype)
            self._filter = [torch.linalg.solve(with_noise, covariance)]

    def __call__(self, noisy: Tensor) -> Tensor:
        rows = _pixels(noisy) - self._mean
        for factor in self._filter:
            rows = rows @ factor
        return _images((self._mean + rows).clamp(0, 1), noisy)


def wiener_filter(data: Data, noise: float) -> WienerFilter:
    """That of `training_pixels`, made once for each training split."""
    return once_for(data.train, ("wiener", noise), lambda: WienerFilter(training_pixels(data), noise))


class RidgeRegression:
    """From rows of pixels in [0, 1] (n, D) to those of other images, for uint8 images; its output is clipped.

    Its penalty is that of 10⁻³, 10⁻²·⁵, … 10³ with the lowest leave-one-out error.
    """

    def __init__(self, rows: Tensor, others: Tensor) -> None:
        self._ridge = RidgeCV(np.logspace(-3, 3, 13)).fit(rows.numpy(), others.numpy())

    def __call__(self, images: Tensor) -> Tensor:
        rows = torch.from_numpy(self._ridge.predict(images.flatten(1).double().numpy() / 255))
        return (255 * rows).round().clamp(0, 255).to(torch.uint8).reshape(images.shape)


def ridge_regression(data: Data) -> RidgeRegression:
    """That of the pairs of the training split, made once for it."""
    both = (training_pixels(data, of) for of in ("image", "truth"))
    return once_for(data.train, ("ridge",), lambda: RidgeRegression(*both))


def _pixels(images: Tensor) -> Tensor:
    return (images.flatten(1).cpu().double() + 1) / 2


def _images(rows: Tensor, like: Tensor) -> Tensor:
    return (2 * rows - 1).reshape(like.shape)
