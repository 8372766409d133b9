"""Published statistics of real images: their mean and covariance in a feature space, without the images."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from forger.data.imagesets import npz_arrays
from forger.errors import ConfigError
from forger.hashing import file_sha256


@dataclass(frozen=True, eq=False)
class Statistics:
    """What a Fréchet distance needs to know of real images.

    `name`: what to call them in a passport; `mean` (d,), `cov` (d, d) float64; `fingerprint`: sha256 of the file.
    """

    name: str
    mean: Tensor
    cov: Tensor
    fingerprint: str
    labels: None = None
    train: None = None

    def __len__(self) -> int:
        """The number of images at hand."""
        return 0


def holds_statistics(path: Path) -> bool:
    """Whether a file is an `.npz` with `mu` and `sigma`."""
    try:
        with zipfile.ZipFile(path) as archive:  # of images, which may be many, only the names are read
            return path.suffix.lower() == ".npz" and {"mu.npy", "sigma.npy"} <= {*archive.namelist()}
    except (OSError, zipfile.BadZipFile):
        return False


def read_statistics(path: Path) -> Statistics:
    """The statistics in an `.npz` with `mu` (d,) and `sigma` (d, d), as the FID's authors publish them.

    Raises:
        ConfigError: the file can't be read, or holds something else.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such file")
    arrays = npz_arrays(path)
    if not {"mu", "sigma"} <= arrays.keys():
        raise ConfigError(f"{path}: no arrays 'mu' and 'sigma'; it has {', '.join(sorted(arrays)) or 'none'}")
    mu, sigma = np.atleast_1d(arrays["mu"]), np.atleast_2d(arrays["sigma"])
    if mu.dtype.kind != "f" or sigma.dtype.kind != "f" or mu.ndim != 1 or sigma.shape != (len(mu), len(mu)):
        shapes = f"'mu' is {mu.dtype} {mu.shape}, 'sigma' {sigma.dtype} {sigma.shape}"
        raise ConfigError(f"{path}: {shapes}; floats of shape (d,) and (d, d) are needed")
    if not (np.isfinite(mu).all() and np.isfinite(sigma).all()):
        raise ConfigError(f"{path}: NaN or infinity among 'mu' and 'sigma'")
    mean, cov = (torch.from_numpy(array.astype(np.float64)) for array in (mu, sigma))
    return Statistics(path.name, mean, cov, file_sha256(path))
