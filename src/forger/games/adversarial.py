"""The adversarial game of a generator and a discriminator."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Literal

import torch
from annotated_types import Ge
from torch import Tensor, nn

from forger.annealing import Schedule, at, number
from forger.augmentation.base import Augmentation
from forger.data.conditions import Classes, conditions_of
from forger.games.base import Batch, Player, Terms
from forger.games.inference import Ema, Input, Part
from forger.games.latents import LatentGame
from forger.games.schedules import Share
from forger.losses.adversarial import boundary, is_paired
from forger.losses.penalty import Penalty, PenaltyInputs
from forger.partials import plain
from forger.randomness import Noise


class AdversarialGame(LatentGame):
    """min_G max_D V(D, G) and its relatives (Goodfellow et al., 2014, eq. 1): the loss says which.

    GAN, DCGAN, conditional, least squares, hinge, Wasserstein and relativistic games differ in their networks,
    loss and penalties alone. Fakes are drawn once a round: the discriminator is trained on them detached, the
    generator on the same ones through the discriminator that has just moved.

    Args:
        generator: (z, labels) → images in [-1, 1], or points.
        discriminator: (images, labels) → logits.
        loss: a function of `forger.losses.adversarial`.
        players: ``discriminator`` and ``generator``, in the order of play.
        latent: dimension of z.
        penalties: named penalties on the discriminator.
        augmentations: what every image passes, in order, before the discriminator sees it, on both turns.
        flip_labels: share of the pairs (a real, a fake) that change roles, at random, on the discriminator's turn;
            may follow a schedule.
        fresh_batch: the generator plays on a batch of its own, of reals and of latents: a round takes two batches, and
            counts the images of one, as R3GAN's authors do (Huang et al., 2024).
        prior: distribution of z: standard normal, or uniform on [-1, 1].
        ema: decay of the generator's moving average per move, or its `HalfLife`; None samples from the live weights.
        classes: labels run from 0 to ``classes - 1``; 0 when there are none; or conditions, the columns of a label.
        seed: seed of every random stream.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        loss: Callable[..., Terms],
        players: Mapping[str, Player],
        latent: Annotated[int, Ge(1)],
        penalties: Mapping[str, Penalty] | None = None,
        augmentations: Mapping[str, Augmentation] | None = None,
        flip_labels: Share | Schedule = 0.0,
        fresh_batch: bool = False,
        prior: Literal["normal", "uniform"] = "normal",
        ema: Ema = None,
        classes: Classes = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(players, seed)
        self.generator = generator
        self.discriminator = discriminator
        self.keep_averages(ema, "generator")
        self.loss = plain(loss)
        self.penalties = nn.ModuleDict(penalties)
        self.augmentations = nn.ModuleDict(augmentations)
        self.flip_labels = number("flip_labels", flip_labels, Share)
        #: D's logits on reals and fakes in this round, part by part.
        self._judged: list[tuple[Tensor, Tensor]] = []
        self.fresh_batch = fresh_batch
        self.batches_a_round = 2 if fresh_batch else 1
        # Without the bookkeeping of a container at each use.
        self._penalties, self._augmentations = dict(penalties or {}), dict(augmentations or {})
        self.latent = latent
        self.prior = prior
        self.classes = classes if isinstance(classes, int) else 0
        self.conditions = conditions_of(classes)

    def prepared(self, batch: Batch) -> Batch:
        """Adds the round's fakes, with a graph only where the generator moves on them.

        They are shared by both players; with ``fresh_batch`` the second half of the batch is the generator's, as
        "fresh_image" and so on.
        """
        batch, moves = super().prepared(batch), "generator" in self.round()
        if not self.fresh_batch:
            batch["fake"] = self._fakes(batch["image"], batch.get("label"), "latents", moves)
            return batch
        halves = {name: value.chunk(2) for name, value in batch.items()}
        batch = {name: first for name, (first, _) in halves.items()}
        batch["fake"] = self._fakes(batch["image"], batch.get("label"), "latents", False)
        batch |= {f"fresh_{name}": second for name, (_, second) in halves.items()}
        if moves:
            fresh = batch["fresh_image"], batch.get("fresh_label")
            batch["fresh_fake"] = self._fakes(*fresh, "latents/generator", True)
        return batch

    def _fakes(self, real: Tensor, labels: Tensor | None, purpose: str, graph: bool) -> Tensor:
        """As many fakes as reals, of the same labels."""
        z = self.rank_share(self.latents(len(real) * self.accumulate * self.world, self.stream(purpose)))
        with torch.set_grad_enabled(graph):
            return self.generator(z, labels)

    def objective(self, player: str, batch: Batch) -> Terms:
        return self._detect(batch) if player == "discriminator" else self._forge(batch)

    def _detect(self, batch: Batch) -> Terms:
        real, fake, labels = batch["image"], batch["fake"].detach(), batch.get("label")
        real_logits = self._judge(real, labels, self.noise("augment/discriminator/real"))
        fake_logits = self._judge(fake, labels, self.noise("augment/discriminator/fake"))
        terms = self.loss("discriminator", *self._flipped(real_logits, fake_logits))
        for name, penalty in self._penalties.items():
            if self.iteration % penalty.every == 0:
                judge = partial(self._judge_again, labels=labels, noise=self.noise(f"augment/{name}"))
                noise = self.noise(name)
                terms[name] = penalty(PenaltyInputs(real, fake, real_logits, fake_logits, judge, noise, self.shown))
        self._judged[self.part :] = [(real_logits.detach(), fake_logits.detach())]
        if len(self._judged) == self.accumulate:
            self._learn(*(torch.cat(logits) for logits in zip(*self._judged, strict=True)))
        return terms

    def _forge(self, batch: Batch) -> Terms:
        whose = "fresh_" if self.fresh_batch else ""
        real, fake, labels = batch[f"{whose}image"], batch[f"{whose}fake"], batch.get(f"{whose}label")
        real_logits = None
        if is_paired(self.loss):
            real_logits = self._judge(real, labels, self.noise("augment/generator/real"))
        return self.loss("generator", real_logits, self._judge(fake, labels, self.noise("augment/generator/fake")))

    def _judge(self, images: Tensor, labels: Tensor | None, noise: Noise) -> Tensor:
        for augmentation in self._augmentations.values():
            images = augmentation(images, noise, self.shown)
        return self.discriminator(images, labels).float()

    def _judge_again(self, images: Tensor, labels: Tensor | None, noise: Noise) -> Tensor:
        with self.uncompiled():  # penalties may differentiate twice
            return self._judge(images, labels, noise)

    def _flipped(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Logits with roles changed in a random share of the pairs."""
        share = at(self.flip_labels, self.shown)
        if not share:
            return real, fake
        coins = self.noise("flip_labels").uniform((len(real), *[1] * (real.ndim - 1))) < share
        return torch.where(coins, fake, real), torch.where(coins, real, fake)

    def _learn(self, real: Tensor, fake: Tensor) -> None:
        """Pass D's logits to the augmentations and to the signals."""
        if not (self.observing or self._augmentations):
            return
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

    def remembering(self, name: str) -> list[nn.Module]:
        modules = super().remembering(name)
        return [*modules, self.penalties, self.augmentations] if name == "discriminator" else modules

    def parts(self) -> dict[str, Part]:
        asked: tuple[Input, ...] = ("labels",) if self.classes else ("conditions",) if self.conditions else ()
        return {"generator": Part("generator", ("z", *asked), ("images",), how=_generated)}

    def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Fakes of given latents (n, latent)."""
        return self.infer("generator", z, labels)

    def discriminate(self, samples: Tensor, labels: Tensor | None = None) -> Tensor:
        """D(x), the discriminator's probability (n,) that each of the samples is real."""
        return self.infer("discriminator", samples, labels).sigmoid()


def _generated(network: nn.Module, z: Tensor, labels: Tensor | None = None) -> Tensor:
    return network(z, labels)
