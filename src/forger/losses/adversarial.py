"""Adversarial losses: pure functions of logits, one per paper, for both players.

Each takes `player` and logits of any shape (D's raw output, before any sigmoid) and returns the named terms
that this player minimises, as scalars: `real` and `fake` (or one `relativistic`) for the discriminator,
`adversarial` for the generator. `real` is None on the generator's turn, except for a loss marked `paired`.
Values and gradients stay finite at any finite logit: probabilities never appear, log D(x) = -softplus(-x).
Labels other than 0 and 1 smooth the discriminator's targets only.
"""

from collections.abc import Callable
from functools import partial
from typing import Annotated, TypeVar

import torch
import torch.nn.functional as F
from annotated_types import Ge, Le
from torch import Tensor

Terms = dict[str, Tensor]
Label = Annotated[float, Ge(0), Le(1)]

Loss = TypeVar("Loss", bound=Callable[..., Terms])


def paired(loss: Loss) -> Loss:
    """Mark a loss that compares each fake with a real, and so needs D(real) on the generator's turn too."""
    vars(loss)["paired"] = True
    return loss


def is_paired(loss: Callable[..., Terms]) -> bool:
    """Whether the loss is marked `paired`, seen through any `functools.partial` around it."""
    while isinstance(loss, partial):
        loss = loss.func
    return bool(getattr(loss, "paired", False))


def decides(rule: Callable[..., Tensor]) -> Callable[[Loss], Loss]:
    """Give a loss its own `boundary`: a function of D's logits on reals and fakes and of the loss's options."""

    def mark(loss: Loss) -> Loss:
        vars(loss)["boundary"] = rule
        return loss

    return mark


def boundary(loss: Callable[..., Terms], real: Tensor, fake: Tensor) -> Tensor:
    """The logit at which a discriminator of this loss is undecided between real and fake, a scalar.

    0 for losses of σ(D(x)) and for the hinge; halfway between the labels for least squares. Wasserstein and
    relativistic losses know only differences of logits, and D + c plays like D: there it lies halfway between
    the mean logits of the reals and the fakes at hand.
    """
    options: dict[str, object] = {}
    while isinstance(loss, partial):
        options = loss.keywords | options
        loss = loss.func
    rule = getattr(loss, "boundary", None)
    return real.new_zeros(()) if rule is None else rule(real, fake, **options)


def _between_means(real: Tensor, fake: Tensor, **options: object) -> Tensor:
    return (real.mean() + fake.mean()) / 2


def _between_labels(
    real: Tensor, fake: Tensor, real_label: float = 1.0, fake_label: float = 0.0, **options: object
) -> Tensor:
    return real.new_full((), (real_label + fake_label) / 2)


def minimax(player: str, real: Tensor | None, fake: Tensor, real_label: Label = 1.0, fake_label: Label = 0.0) -> Terms:
    """Goodfellow et al. 2014, eq. 1: D minimises -log D(x) - log(1 - D(G(z))), G minimises log(1 - D(G(z))).

    The generator's slope vanishes where D is sure (saturates). Both terms are in nats; at D = 1/2 each of D's
    is log 2, and G's -log 2. `real_label` 0.9 is one-sided label smoothing (Salimans et al. 2016).
    """
    if player == "discriminator":
        return _cross_entropies(real, fake, real_label, fake_label)
    return {"adversarial": -F.softplus(_full(fake)).mean()}


def non_saturating(
    player: str, real: Tensor | None, fake: Tensor, real_label: Label = 1.0, fake_label: Label = 0.0
) -> Terms:
    """Goodfellow et al. 2014, section 3: D as in `minimax`, G minimises -log D(G(z)).

    The same fixed point as minimax, with a slope where D is sure. In nats; `real_label` 0.9 is one-sided
    label smoothing (Salimans et al. 2016).
    """
    if player == "discriminator":
        return _cross_entropies(real, fake, real_label, fake_label)
    return {"adversarial": F.softplus(-_full(fake)).mean()}


@decides(_between_labels)
def least_squares(
    player: str,
    real: Tensor | None,
    fake: Tensor,
    real_label: float = 1.0,
    fake_label: float = 0.0,
    generator_label: float = 1.0,
) -> Terms:
    """Mao et al. 2017 (LSGAN), eq. 2: D minimises (D(x) - b)²/2 + (D(G(z)) - a)²/2, G (D(G(z)) - c)²/2.

    a = `fake_label`, b = `real_label`, c = `generator_label`: any numbers. The defaults are its eq. 9;
    -1, 1, 0 is eq. 8 (Pearson χ² divergence). D's output is used as it is, without a sigmoid.
    """
    if player == "discriminator":
        assert real is not None
        return {
            "real": 0.5 * (_full(real) - real_label).square().mean(),
            "fake": 0.5 * (_full(fake) - fake_label).square().mean(),
        }
    return {"adversarial": 0.5 * (_full(fake) - generator_label).square().mean()}


def hinge(player: str, real: Tensor | None, fake: Tensor) -> Terms:
    """Lim & Ye 2017 (Geometric GAN), SAGAN eq. 4: D minimises max(0, 1 - D(x)) + max(0, 1 + D(G(z))).

    G minimises -D(G(z)).
    """
    if player == "discriminator":
        assert real is not None
        return {"real": F.relu(1 - _full(real)).mean(), "fake": F.relu(1 + _full(fake)).mean()}
    return {"adversarial": -_full(fake).mean()}


@decides(_between_means)
def wasserstein(player: str, real: Tensor | None, fake: Tensor) -> Terms:
    """Arjovsky et al. 2017 (WGAN), eq. 2-3: the critic minimises -f(x) + f(G(z)), G minimises -f(G(z)).

    Minus the sum of the critic's two terms estimates the Wasserstein-1 distance, times the critic's Lipschitz
    constant; something else must bound that constant (gradient penalty, clipped weights).
    """
    if player == "discriminator":
        assert real is not None
        return {"real": -_full(real).mean(), "fake": _full(fake).mean()}
    return {"adversarial": -_full(fake).mean()}


@paired
@decides(_between_means)
def relativistic(player: str, real: Tensor | None, fake: Tensor) -> Terms:
    """Jolicoeur-Martineau 2019 (RpGAN) as in R3GAN (Huang et al. 2024, eq. 2): softplus(D(G(z)) - D(x)).

    D minimises it over pairs of a real with a fake, G minimises the same with the roles exchanged. Both need
    `real`, of the shape of `fake`: row i of one is paired with row i of the other.
    """
    assert real is not None, "a paired loss needs D(real) on both turns"
    assert real.shape == fake.shape, "a paired loss needs one real for each fake"
    margin = _full(real) - _full(fake)
    if player == "discriminator":
        return {"relativistic": F.softplus(-margin).mean()}
    return {"adversarial": F.softplus(margin).mean()}


def _cross_entropies(real: Tensor | None, fake: Tensor, real_label: float, fake_label: float) -> Terms:
    assert real is not None
    return {"real": _cross_entropy(real, real_label), "fake": _cross_entropy(fake, fake_label)}


def _cross_entropy(logits: Tensor, label: float) -> Tensor:
    """-t log σ(x) - (1 - t) log(1 - σ(x)), averaged; both logarithms are softplus: no cancellation."""
    logits = _full(logits)
    if label == 1:
        return F.softplus(-logits).mean()
    if label == 0:
        return F.softplus(logits).mean()
    return (label * F.softplus(-logits) + (1 - label) * F.softplus(logits)).mean()


def _full(logits: Tensor) -> Tensor:
    """At least float32: under mixed precision D returns half precision, too coarse to average."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))
