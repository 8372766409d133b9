"""A classical rival to a trained generator: a mixture of Gaussians on principal components of the pixels."""

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from torch import Tensor

#: Gaussians, with full covariances.
GAUSSIANS = 50


def drawn(train: Tensor, n: int, components: int, seed: int) -> Tensor:
    """n images (n, c, h, w), uint8, of a mixture fitted on training images of the same form."""
    pixels = train.flatten(1).numpy() / 255
    axes = PCA(components, random_state=seed).fit(pixels)
    mixture = GaussianMixture(GAUSSIANS, random_state=seed).fit(axes.transform(pixels))
    images = axes.inverse_transform(mixture.sample(n)[0])
    return torch.from_numpy(np.round(images.clip(0, 1) * 255).astype(np.uint8)).reshape(-1, *train.shape[1:])
