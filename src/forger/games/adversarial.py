"""The adversarial game of a generator and a discriminator."""

from collections.abc import Callable, Mapping
from copy import copy
from functools import partial
from typing import Annotated, Literal

import torch
from annotated_types import Ge
from torch import Tensor, nn

from forger.annealing import Schedule
from forger.augmentation.base import Augmentation
from forger.data.conditions import Classes, conditions_of
from forger.errors import ConfigError
from forger.games.base import Batch, Player, Terms
from forger.games.judging import Judging
from forger.games.sampling.inference import Ema, Input, Part
from forger.games.sampling.latents import LatentGame
from forger.games.sampling.styles import Styling
from forger.games.schedules import Share
from forger.games.training.all_reduce import gathered
from forger.losses.adversarial import is_paired
from forger.losses.objective import Classifier, Objective, Setting, Turn, prepare
from forger.losses.penalty import Penalty, PenaltyInputs


class AdversarialGame(Styling, Judging, LatentGame):
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
        objectives: named terms that the players minimise besides; their heads are moved by the discriminator's player,
            unless one names them among its networks, as ``objectives.NAME``.
        augmentations: what every image passes, in order, before the discriminator sees it, on both turns.
        flip_labels: share of the pairs (a real, a fake) that change roles, at random, on the discriminator's turn;
            may follow a schedule.
        fresh_batch: the generator plays on a batch of its own, of reals and of latents: a round takes two batches, and
            counts the images of one, as R3GAN's authors do (Huang et al., 2024).
        prior: distribution of z: standard normal, or uniform on [-1, 1].
        ema: decay of the generator's moving average per move, or its `HalfLife`; None samples from the live weights.
        classes: labels run from 0 to ``classes - 1``; 0 when there are none; or conditions, the columns of a label.
        codes: the generator is told, instead of the data's labels, codes from 0 to ``codes - 1`` that the game draws,
            equally probable; the discriminator is told nothing (InfoGAN).
        seed: seed of every random stream.

    Raises:
        ValueError: codes besides classes, or an objective that misses something.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        loss: Callable[..., Terms],
        players: Mapping[str, Player],
        latent: Annotated[int, Ge(1)],
        penalties: Mapping[str, Penalty] | None = None,
        objectives: Mapping[str, Objective] | None = None,
        augmentations: Mapping[str, Augmentation] | None = None,
        flip_labels: Share | Schedule = 0.0,
        fresh_batch: bool = False,
        prior: Literal["normal", "uniform"] = "normal",
        ema: Ema = None,
        classes: Classes = 0,
        codes: Annotated[int, Ge(0)] = 0,
        seed: int = 0,
    ) -> None:
        if codes and classes:
            raise ValueError("codes: the generator is told either the data's classes or codes of its own")
        objectives, labels = dict(objectives or {}), classes if isinstance(classes, int) else 0
        prepare(objectives, Setting(players, generator, discriminator, labels, codes, latent))
        featured = any(objective.reads_features for objective in objectives.values())
        players = _with_heads(players, objectives)
        super().__init__(discriminator, loss, players, augmentations, flip_labels, featured, seed)
        self.generator = generator
        self.keep_averages(ema, "generator")
        self.penalties, self.objectives = nn.ModuleDict(penalties), nn.ModuleDict(objectives)
        self.fresh_batch = fresh_batch
        self.batches_a_round = 2 if fresh_batch else 1
        # Without the bookkeeping of a container at each use.
        self._penalties, self._objectives = dict(penalties or {}), objectives
        self.latent = latent
        self.prior = prior
        self.codes = codes
        self.classes = codes or labels
        self.conditions = conditions_of(classes)

    def prepared(self, batch: Batch) -> Batch:
        """Adds the round's fakes and their latents, with a graph only where the generator moves on them.

        They are shared by both players; with ``fresh_batch`` the second half of the batch is the generator's, as
        "fresh_image" and so on.
        """
        batch, moves = super().prepared(batch), "generator" in self.round()
        if not self.fresh_batch:
            return batch | self._fakes(batch, "latents", moves)
        halves = {name: value.chunk(2) for name, value in batch.items()}
        batch, fresh = ({name: half[which] for name, half in halves.items()} for which in (0, 1))
        batch |= self._fakes(batch, "latents", False)
        if moves:
            fresh |= self._fakes(fresh, "latents/generator", True)
        return batch | {f"fresh_{name}": value for name, value in fresh.items()}

    def _fakes(self, batch: Batch, purpose: str, graph: bool) -> Batch:
        """As many fakes as reals, of the same labels or of codes."""
        labels = batch.get("label")
        z = self.latents_of_round(len(batch["image"]), purpose)
        if self.codes:
            n, stream = len(z) * self.accumulate * self.world, self.stream(f"{purpose}/codes")
            labels = self.rank_share(torch.randint(self.codes, (n,), generator=stream, device=stream.device))
        with torch.set_grad_enabled(graph):
            made = {"z": z, "fake": self.generator(z, labels)}
        return made if labels is None else made | {"fake_label": labels}

    def objective(self, player: str, batch: Batch) -> Terms:
        return self._detect(batch) if player == "discriminator" else self._forge(batch)

    def _detect(self, batch: Batch) -> Terms:
        real, fake, labels = batch["image"], batch["fake"].detach(), self._told(batch.get("label"))
        real_logits = self._judge(real, labels, self.noise("augment/discriminator/real"))
        real_features = self._seen()
        fake_logits = self._judge(fake, labels, self.noise("augment/discriminator/fake"))
        fake_features = self._seen()
        terms = self.loss("discriminator", *self._flipped(real_logits, fake_logits))
        for name, penalty in self._penalties.items():
            if self.iteration % penalty.every == 0:
                judge = partial(self._judge_again, labels=labels, noise=self.noise(f"augment/{name}"))
                noise = self.noise(name)
                terms[name] = penalty(PenaltyInputs(real, fake, real_logits, fake_logits, judge, noise, self.shown))
        self._learn(real_logits, fake_logits)
        return self._with_objectives(terms, "discriminator", batch | {"fake": fake}, real_features, fake_features)

    def _forge(self, batch: Batch) -> Terms:
        if self.fresh_batch:
            batch = {name.removeprefix("fresh_"): each for name, each in batch.items() if name.startswith("fresh_")}
        real, fake, labels = batch["image"], batch["fake"], self._told(batch.get("label"))
        real_logits = real_features = None
        if is_paired(self.loss):
            real_logits = self._judge(real, labels, self.noise("augment/generator/real"))
            real_features = self._seen()
        fake_logits = self._judge(fake, labels, self.noise("augment/generator/fake"))
        terms = self.loss("generator", real_logits, fake_logits)
        return self._with_objectives(terms, "generator", batch, real_features, self._seen())

    def _told(self, labels: Tensor | None) -> Tensor | None:
        """What the discriminator is told of labels."""
        return None if self.codes else labels

    def _with_objectives(
        self, terms: Terms, player: str, batch: Batch, real_features: Tensor | None, fake_features: Tensor | None
    ) -> Terms:
        """A player's terms and those of its objectives whose move it is."""
        moves = self.iteration // self.players[player].every
        for name, objective in self._objectives.items():
            if player not in objective.players or moves % objective.every:
                continue
            if name in terms:
                raise ConfigError(f"model.objectives.{name}: the {player} has a term of this name; choose another")
            about = (player, batch["image"], batch["fake"], batch.get("label"), batch.get("fake_label"), batch["z"])
            networks, noise = (self.generator, self.discriminator), self.noise(f"objectives/{name}/{player}")
            everyones = partial(gathered, world=self.world)
            turn = Turn(*about, real_features, fake_features, *networks, noise, self.shown, everyones)
            with self.uncompiled():  # as penalties, it may differentiate twice
                terms[name] = objective(turn)
        return terms

    def remembering(self, name: str) -> list[nn.Module]:
        judging = [self.penalties, self.augmentations] if name == "discriminator" else []
        objectives = (objective for objective in self._objectives.values() if name in objective.players)
        return [*super().remembering(name), *judging, *objectives]

    def parts(self) -> dict[str, Part]:
        asked: tuple[Input, ...] = ("labels",) if self.classes else ("conditions",) if self.conditions else ()
        return {"generator": Part("generator", ("z", *asked), ("images",), how=_generated)}

    def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Fakes of given latents (n, latent), or of styles (n, layers, style) where the generator has any."""
        return self.infer("generator", z, labels)

    def discriminate(self, samples: Tensor, labels: Tensor | None = None) -> Tensor:
        """D(x), the discriminator's probability (n,) that each of the samples is real."""
        return self.infer("discriminator", samples, self._told(labels)).sigmoid()

    def classify(self, samples: Tensor) -> Tensor:
        """Logits (n, k) of the data's classes, or of the codes, by the first objective that tells them apart.

        Raises:
            ValueError: there is none.
        """
        known = (objective for objective in self._objectives.values() if isinstance(objective, Classifier))
        if (classifier := next(known, None)) is None:
            raise ValueError("no objective of this game tells classes or codes apart")
        return self.infer("discriminator", samples, None, how=partial(self._classified, classifier))

    def _classified(self, classifier: Classifier, network: nn.Module, samples: Tensor, labels: None) -> Tensor:
        network(samples, labels)
        features = self._seen()
        assert features is not None, "classifiers read features"
        return classifier.classify(features)


def _generated(network: nn.Module, z: Tensor, labels: Tensor | None = None) -> Tensor:
    return network(z, labels)


def _with_heads(players: Mapping[str, Player], objectives: Mapping[str, Objective]) -> dict[str, Player]:
    """The players, of which the discriminator moves the heads of objectives, too, that none moves yet."""
    named = {network for player in players.values() for network in player.networks}
    heads = [f"objectives.{name}" for name, objective in objectives.items() if list(objective.parameters())]
    heads = [head for head in heads if head not in named]
    if not heads:
        return dict(players)
    discriminator = copy(players["discriminator"])
    discriminator.networks = [*(discriminator.networks or ["discriminator"]), *heads]
    return {**players, "discriminator": discriminator}
