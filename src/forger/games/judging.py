"""The discriminator's part of an adversarial game: how it is shown images, and what is learnt from its logits."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from forger.annealing import Schedule, at, number
from forger.augmentation.base import Augmentation
from forger.games.base import Game, Player, Terms
from forger.games.schedules import Share
from forger.losses.adversarial import boundary
from forger.losses.objective import Features
from forger.partials import plain
from forger.randomness import Noise


class Judging(Game):
    """A game with a discriminator.

    Args:
        discriminator: (images, labels) → logits.
        loss: a function of `forger.losses.adversarial`.
        players: as `Game` takes them.
        augmentations: what every image passes, in order, before the discriminator sees it.
        flip_labels: share of the pairs that change roles on the discriminator's turn.
        featured: whether the discriminator's features are asked for.
        seed: of every random stream.
    """

    def __init__(
        self,
        discriminator: nn.Module,
        loss: Callable[..., Terms],
        players: Mapping[str, Player],
        augmentations: Mapping[str, Augmentation] | None,
        flip_labels: Share | Schedule,
        featured: bool,
        seed: int,
    ) -> None:
        super().__init__(players, seed)
        self.discriminator = discriminator
        self.loss = plain(loss)
        self.augmentations = nn.ModuleDict(augmentations)
        # Without the bookkeeping of a container at each use.
        self._augmentations = dict(augmentations or {})
        self.flip_labels = number("flip_labels", flip_labels, Share)
        self._features = Features(discriminator) if featured else None
        #: D's logits on reals and fakes in this round, part by part.
        self._judged: list[tuple[Tensor, Tensor]] = []

    def _judge(self, images: Tensor, labels: Tensor | None, noise: Noise) -> Tensor:
        for augmentation in self._augmentations.values():
            images = augmentation(images, noise, self.shown)
        return self.discriminator(images, labels).float()

    def _seen(self) -> Tensor | None:
        """D's features (n, features) of what it has just judged, where they are asked for."""
        return None if self._features is None else self._features.taken()

    def _judge_again(self, images: Tensor, labels: Tensor | None, noise: Noise) -> Tensor:
        with self.uncompiled():  # penalties may differentiate twice
            logits = self._judge(images, labels, noise)
        self._seen()  # nobody asks for these
        return logits

    def _flipped(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Logits with roles changed in a random share of the pairs."""
        share = at(self.flip_labels, self.shown)
        if not share:
            return real, fake
        coins = self.noise("flip_labels").uniform((len(real), *[1] * (real.ndim - 1))) < share
        return torch.where(coins, fake, real), torch.where(coins, real, fake)

    def _learn(self, real: Tensor, fake: Tensor) -> None:
        """Pass D's logits on a part of the batch to the augmentations and to the signals, once all parts are there."""
        self._judged[self.part :] = [(real.detach(), fake.detach())]
        if len(self._judged) < self.accumulate or not (self.observing or self._augmentations):
            return
        real, fake = (torch.cat(logits) for logits in zip(*self._judged, strict=True))
        undecided = boundary(self.loss, real, fake)
        for name, augmentation in self._augmentations.items():
            augmentation.learn(real - undecided, len(real) * self.world)
            if self.observing:
                for signal, value in augmentation.signals().items():
                    self.observe(f"watch/{name}_{signal}", value)
        if self.observing:
            right = (real > undecided).float().mean() + (fake < undecided).float().mean()
            self.observe("watch/d_real", real.sigmoid().mean())
            self.observe("watch/d_fake", fake.sigmoid().mean())
            self.observe("watch/logit_gap", real.mean() - fake.mean())
            self.observe("watch/d_accuracy", right / 2)
