"""Lines and planes through the latent space of a game."""

from collections.abc import Callable

import torch
from sklearn.decomposition import PCA
from torch import Tensor

from forger.data.dataset import Data
from forger.games.abilities import Decodes, Reconstructs, SamplesLatents
from forger.pictures.latents import places
from forger.pictures.request import Request

#: From places on a plane, how far across and how far down, each (n,) in [0, 1], to latents (n, latent).
Plane = Callable[[Tensor, Tensor], Tensor]
#: The part of a distribution that a plane leaves out at either end.
_TAIL = 0.02
#: How far a plane of principal directions goes from the mean, in standard deviations.
_REACH = 2.5


def is_normal(game: Decodes) -> bool:
    """Whether latents are drawn from N(0, 1)."""
    return isinstance(game, SamplesLatents) and game.prior == "normal"


def between(game: Decodes, a: Tensor, b: Tensor, share: float) -> Tensor:
    """From a to b, row by row: along a great circle where latents are normal (White, 2016), else straight."""
    return spherical(a, b, share) if is_normal(game) else torch.lerp(a, b, share)


def spherical(a: Tensor, b: Tensor, share: float) -> Tensor:
    """Shoemake (1985): from a to b along a great circle, row by row; straight if they are parallel.

    Lengths are interpolated apart from directions, so that nearly opposite ones do no harm.
    """
    length = torch.lerp(a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True), share)
    u, v = torch.nn.functional.normalize(a, dim=-1), torch.nn.functional.normalize(b, dim=-1)
    # Kahan's formula: an arc cosine has few digits left where they are nearly opposite.
    angle = 2 * torch.atan2((u - v).norm(dim=-1, keepdim=True), (u + v).norm(dim=-1, keepdim=True))
    curved = length * (((1 - share) * angle).sin() * u + (share * angle).sin() * v) / angle.sin()
    return torch.where(angle.sin() > 1e-3, curved, torch.lerp(a, b, share))


def usual_plane(game: SamplesLatents | Reconstructs, data: Data, request: Request) -> Plane:
    """The plane that ``latent-map`` draws: the latent space itself if it has two dimensions, else one through three.

    These three, which the request's seed draws, are at the top left, the top right and the bottom left.
    """
    if game.latent == 2:
        return quantile_plane(game, data, request)
    return plane_through(game, places(game, data, 3, request))


def quantile_plane(game: SamplesLatents | Reconstructs, data: Data, request: Request) -> Plane:
    """A latent space of two dimensions, by quantiles: of the prior, or in a game without one of codes of test images.

    From the 2 % at the left and at the bottom to the 98 % (Kingma & Welling, 2014, figure 4).
    """
    codes = None if isinstance(game, SamplesLatents) else places(game, data, len(data.test), request)

    def quantile(share: Tensor, coordinate: int) -> Tensor:
        share = _TAIL + (1 - 2 * _TAIL) * share
        if codes is not None:
            return torch.quantile(codes[:, coordinate], share)
        return torch.special.ndtri(share) if is_normal(game) else 2 * share - 1

    return lambda across, down: torch.stack([quantile(across, 0), quantile(1 - down, 1)], 1)


def plane_through(game: Decodes, corners: Tensor) -> Plane:
    """Through three latents (3, latent), at the top left, the top right and the bottom left.

    Where latents are normal, places between are as likely as they are.
    """

    def at(across: Tensor, down: Tensor) -> Tensor:
        weights = torch.stack([1 - across - down, across, down], 1)
        if is_normal(game):
            weights = weights / weights.norm(dim=1, keepdim=True)  # again of unit variance
        return weights @ corners

    return at


def principal_plane(game: Reconstructs, images: Tensor) -> Plane:
    """Through the mean of the codes of some images (n, c, h, w) in [-1, 1], along their first two principal directions.

    The middle is the mean, the borders are 2.5 standard deviations from it.
    """
    pca = PCA(2, random_state=0).fit(game.encode(images).cpu().double().numpy())
    mean, directions = torch.from_numpy(pca.mean_), torch.from_numpy(pca.components_)
    deviations = torch.from_numpy(pca.explained_variance_).sqrt()

    def at(across: Tensor, down: Tensor) -> Tensor:
        steps = _REACH * deviations * torch.stack([2 * across - 1, 1 - 2 * down], 1)
        return (mean + steps @ directions).float()

    return at
