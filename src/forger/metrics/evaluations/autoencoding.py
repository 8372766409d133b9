"""Evaluations of autoencoders, each beside the linear method that it has to beat.

Errors and noise are on the scale [0, 1] of pixels, whatever a game computes in.
"""

import math
from typing import Annotated, Any, NamedTuple

import torch
from annotated_types import Ge, Gt
from torch import Tensor

from forger.data.dataset import Data
from forger.games.abilities import InfersPosteriors, Reconstructs
from forger.losses.reconstruction import kl_standard_normal, mse
from forger.losses.variational import Draw, decomposition, importance_bound
from forger.metrics.evaluations.base import OfRealImages
from forger.metrics.evaluations.linear import principal_components, wiener_filter
from forger.metrics.functional.image_quality import decibels
from forger.metrics.functional.standard_errors import Estimate, estimates
from forger.randomness import generator

#: An activation above this is on.
ON = 1e-3
#: A latent unit whose posterior mean varies more than this over the data is active (Burda et al., 2016, § 5.2).
ACTIVE = 1e-2
#: Codes drawn of each image for the closer bound on its likelihood.
IMPORTANCE = 64
#: Images at most of whose posteriors each is compared with every other.
MOST_APART = 2000


def chosen(data: Data, split: str, n: int, seed: int, column: str = "image") -> Tensor:
    """All images of a split, as they are stored, or their labels; ``n`` of them drawn at random where it has more."""
    rows = data.splits[split].arrays[column]
    return rows if len(rows) <= n else rows[chosen_rows(len(rows), n, seed)]


def chosen_rows(count: int, n: int, seed: int) -> Tensor:
    """Which rows of ``count`` those are, int64, in order."""
    return torch.randperm(count, generator=generator(seed, "chosen"))[:n].sort().values


class Reconstruction(OfRealImages[Reconstructs]):
    """Test error of the reconstruction, beside PCA with as many components as the code is wide.

    - `mse`: squared error per pixel, averaged over pixels and images; `psnr`: the same in dB;
    - `mse_pca`, `mse_over_pca`: PCA's error (fitted to the training split), and the ratio of the two.

    Args:
        pca: compare with PCA.

    Raises:
        ValueError: a code as wide as the image, with which PCA has no error to compare with.
    """

    def __init__(self, pca: bool = True) -> None:
        self.pca = pca

    def evaluate(self, game: Reconstructs, data: Data, split: str, *, n: int, seed: int) -> dict[str, float]:
        images = data.values.to_float(chosen(data, split, n, seed))
        error = pixel_error(game.reconstruct(images).cpu(), images)
        values = {"mse": error, "psnr": decibels(error, 1)}
        if self.pca:
            pixels = images[0].numel()
            if game.latent >= pixels:
                raise ValueError(
                    f"a code of {game.latent} for images of {pixels} pixels: PCA loses nothing; set "
                    "metrics.evaluations.reconstruction.pca=false, or a smaller model.autoencoder.latent"
                )
            values["mse_pca"] = pixel_error(principal_components(data, game.latent).reconstruct(images), images)
            values["mse_over_pca"] = error / values["mse_pca"]
        return values

    def higher_is_better(self, name: str) -> bool:
        return name == "psnr"


class Sparsity(OfRealImages[Reconstructs]):
    """Activations of the code: `active`, the share above 1e-3, and `dead`, the share of units never above it.

    Dead units do not count as sparsity: a code that always uses the same half of its units is dense.
    """

    def evaluate(self, game: Reconstructs, data: Data, split: str, *, n: int, seed: int) -> dict[str, float]:
        on = game.encode(data.values.to_float(chosen(data, split, n, seed))) > ON
        return {"active": float(on.double().mean()), "dead": float((~on.any(0)).double().mean())}

    def higher_is_better(self, name: str) -> bool:
        return False


class Denoising(OfRealImages[Reconstructs]):
    """Noise removed from images, beside the Wiener filter that knows the noise and the training images.

    Both get the same input, Gaussian noise added and nothing clipped. `psnr_noisy`, `psnr_denoised`,
    `psnr_wiener` in dB, of the squared error averaged over pixels and images; `gain_over_wiener`, the
    difference. The filter's output is clipped to [0, 1], the range of a network's output.

    Args:
        noise: standard deviation on the scale [0, 1].
    """

    def __init__(self, noise: Annotated[float, Gt(0)]) -> None:
        self.noise = noise

    def evaluate(self, game: Reconstructs, data: Data, split: str, *, n: int, seed: int) -> dict[str, float]:
        images = data.values.to_float(chosen(data, split, n, seed))
        noisy = with_noise(images, self.noise, seed)
        wiener = wiener_filter(data, self.noise)
        outputs = {"noisy": noisy, "denoised": game.reconstruct(noisy).cpu(), "wiener": wiener(noisy)}
        values = {f"psnr_{name}": decibels(pixel_error(output, images), 1) for name, output in outputs.items()}
        return {**values, "gain_over_wiener": values["psnr_denoised"] - values["psnr_wiener"]}

    def higher_is_better(self, name: str) -> bool:
        return True

    def passport(self, game: Reconstructs, data: Data, split: str, *, n: int, seed: int) -> dict[str, Any]:
        return super().passport(game, data, split, n=n, seed=seed) | {"noise": self.noise}


class Variational(OfRealImages[InfersPosteriors]):
    """The terms of a variational autoencoder in nats per image, and how much of its code it uses.

    - `kl`: KL(q(z|x) ‖ N(0, 1)), and `active_units`: latent units whose posterior mean varies over the images
      (variance above 0.01; Burda et al. 2016, § 5.2);
    - `elbo`: lower bound on log p(x), x in [0, 1], for a decoder with Gaussian pixels of the variance D / 2r
      that a factor r on the per-pixel squared error amounts to;
    - of the test split, `iwae_64`: a closer bound, by importance sampling with 64 codes an image (Burda et al. 2016,
      eq. 8), and `mutual_information` and `total_correlation`: parts of the KL (Chen et al. 2018, eq. 2; of 2,000
      images at most, so no information above 7.6 nats).

    Where the game is told labels, all of it is of p(x|y).

    Args:
        r_loss_factor: r, as in training.
        draws: codes drawn for each image.
    """

    def __init__(self, r_loss_factor: Annotated[float, Gt(0)], draws: Annotated[int, Ge(1)] = 16) -> None:
        self.r_loss_factor = r_loss_factor
        self.draws = draws

    def evaluate(self, game: InfersPosteriors, data: Data, split: str, *, n: int, seed: int) -> dict[str, float]:
        terms, posteriors = self._terms(game, data, split, n, seed)
        return terms | {name: value for name, (value, _) in self._bounds(game, posteriors, split, seed).items()}

    def estimate(self, game: InfersPosteriors, data: Data, split: str, *, n: int, seed: int) -> dict[str, Estimate]:
        """As `evaluate`, with the errors of the terms from halves, as usual, and of the bound from its spread."""
        terms, posteriors = self._terms(game, data, split, n, seed)
        errors = self.errors(lambda half: self._terms(game, half, split, n, seed)[0], data, split, seed)
        return estimates(terms, errors) | self._bounds(game, posteriors, split, seed)

    def _terms(
        self, game: InfersPosteriors, data: Data, split: str, n: int, seed: int
    ) -> tuple[dict[str, float], "_Posteriors"]:
        posteriors = _Posteriors.of(game, data, split, n, seed)
        mean, images, stream = posteriors.mean, posteriors.images, generator(seed, "posterior")
        kl = float(kl_standard_normal(mean, posteriors.log_variance).double().mean())
        errors = [pixel_error(posteriors.decoded(game, posteriors.drawn(stream)), images) for _ in range(self.draws)]
        likelihood = self._constant(images) - self.r_loss_factor * sum(errors) / self.draws
        active = int((mean.double().var(0) > ACTIVE).sum())
        return {"kl": kl, "elbo": likelihood - kl, "active_units": active}, posteriors

    def _bounds(self, game: InfersPosteriors, posteriors: "_Posteriors", split: str, seed: int) -> dict[str, Estimate]:
        """What takes too long to be asked for through training."""
        if split != "test":
            return {}
        stream, weights = generator(seed, "importance"), []
        mean, log_variance, images = posteriors.mean, posteriors.log_variance, posteriors.images
        for _ in range(IMPORTANCE):
            z = posteriors.drawn(stream)
            error = mse(posteriors.decoded(game, z), images) / 4  # from [-1, 1] to [0, 1]
            draw = Draw(error[None], self.r_loss_factor, z[None], mean, log_variance)
            weights.append(draw.log_weights()[0].double())
        bounds = importance_bound(torch.stack(weights)) + self._constant(images)
        error = float(bounds.std()) / len(bounds) ** 0.5 if len(bounds) > 1 else None
        some = slice(MOST_APART)
        parts = decomposition(posteriors.drawn(stream)[some], mean[some], log_variance[some])
        return {f"iwae_{IMPORTANCE}": Estimate(float(bounds.mean()), error)} | estimates(
            {name: float(getattr(parts, name)) for name in ("mutual_information", "total_correlation")}
        )

    def _constant(self, images: Tensor) -> float:
        """log N(x; x, s²), summed over the D pixels of an image, s² = D / 2r."""
        pixels = images[0].numel()
        return -pixels / 2 * math.log(math.pi * pixels / self.r_loss_factor)

    def higher_is_better(self, name: str) -> bool:
        return name not in ("kl", "total_correlation")

    def passport(self, game: InfersPosteriors, data: Data, split: str, *, n: int, seed: int) -> dict[str, Any]:
        return super().passport(game, data, split, n=n, seed=seed) | {"r_loss_factor": self.r_loss_factor}


class _Posteriors(NamedTuple):
    """Images in [-1, 1], their labels if the game is told any, and their posteriors; on the CPU."""

    images: Tensor
    labels: Tensor | None
    mean: Tensor
    log_variance: Tensor

    @classmethod
    def of(cls, game: InfersPosteriors, data: Data, split: str, n: int, seed: int) -> "_Posteriors":
        images = data.values.to_float(chosen(data, split, n, seed))
        labels = chosen(data, split, n, seed, "label") if getattr(game, "classes", 0) else None
        mean, log_variance = game.posterior(images) if labels is None else game.posterior(images, labels)
        return cls(images, labels, mean.cpu(), log_variance.cpu())

    def drawn(self, stream: torch.Generator) -> Tensor:
        """A code from each."""
        return self.mean + (self.log_variance / 2).exp() * torch.randn(self.mean.shape, generator=stream)

    def decoded(self, game: InfersPosteriors, z: Tensor) -> Tensor:
        return (game.decode(z) if self.labels is None else game.decode(z, self.labels)).cpu()


def with_noise(images: Tensor, noise: float, seed: int) -> Tensor:
    """Images in [-1, 1] with Gaussian noise, whose deviation is given on the scale [0, 1]; nothing is clipped."""
    return images + 2 * noise * torch.randn(images.shape, generator=generator(seed, "noise"))


def pixel_error(prediction: Tensor, images: Tensor) -> float:
    """Squared error per pixel on the scale [0, 1] of images in [-1, 1], averaged over pixels and images."""
    return float(mse(prediction.double(), images.double()).mean()) / 4  # from [-1, 1] to [0, 1]
