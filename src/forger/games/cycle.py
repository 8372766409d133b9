"""The game of two translations between two domains that undo each other."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Ge
from torch import Tensor, nn

from forger.annealing import Schedule, at, number
from forger.games.abilities import Direction
from forger.games.base import Batch, Game, Player, Terms
from forger.games.image_pool import ImagePool
from forger.games.sampling.inference import Ema, Part
from forger.games.training.all_reduce import gathered
from forger.losses.adversarial import is_paired
from forger.losses.reconstruction import l1
from forger.randomness import generator

Weight = Annotated[float, Ge(0)]


class CycleGame(Game):
    """CycleGAN (Zhu et al. 2017, eq. 3): unpaired translation between domains A ("image") and B ("target").

    The player ``generator`` moves both translations, A→B and B→A, the player ``discriminator`` both judges. The
    judges are shown fakes from pools of past ones.

    Adversarial and cycle terms accept any one-to-one pairing of the domains' images, even one that exchanges classes.
    Three terms select one without pairs: identity, distance and geometry; each suits some tasks and is wrong for
    others.

    Args:
        generator_ab: images of A to images of B, both in [-1, 1].
        generator_ba: the way back.
        discriminator_a: images to logits (of any shape): are they of A?
        discriminator_b: the same for B.
        loss: a function of `forger.losses.adversarial`.
        players: ``generator`` and ``discriminator``, in the order of play.
        cycle: weight λ of ‖BA(AB(a)) − a‖₁ and ‖AB(BA(b)) − b‖₁ (eq. 2), per pixel.
        identity: weight of ‖AB(b) − b‖₁ and ‖BA(a) − a‖₁ (section 5.2): images of the target domain stay unchanged.
        distance: weight of `distance_kept` (Benaim & Wolf 2017): distances between images are kept.
        geometry: weight of ‖AB(r(a)) − r(AB(a))‖₁ and of the same for BA, r a quarter turn (Fu et al. 2019, GcGAN):
            turning and translating commute. Each of the four weights may follow a schedule.
        pool: number of past fakes in each pool.
        ema: decay of the generators' moving averages per move, which then translate; None keeps none.
        seed: seed of every random stream.
    """

    #: Pools and distances go through a batch in its order, or by pairs.
    takes_whole_batches: ClassVar[bool] = True
    directions: ClassVar[tuple[Direction, ...]] = ("ab", "ba")

    def __init__(
        self,
        generator_ab: nn.Module,
        generator_ba: nn.Module,
        discriminator_a: nn.Module,
        discriminator_b: nn.Module,
        loss: Callable[..., Terms],
        players: Mapping[str, Player],
        cycle: Weight | Schedule = 10.0,
        identity: Weight | Schedule = 5.0,
        distance: Weight | Schedule = 0.0,
        geometry: Weight | Schedule = 0.0,
        pool: Annotated[int, Ge(0)] = 50,
        ema: Ema = None,
        seed: int = 0,
    ) -> None:
        super().__init__(players, seed)
        self.generator_ab, self.generator_ba = generator_ab, generator_ba
        self.discriminator_a, self.discriminator_b = discriminator_a, discriminator_b
        self.keep_averages(ema, "generator_ab", "generator_ba")
        self.loss = loss
        self.cycle, self.identity = number("cycle", cycle, Weight), number("identity", identity, Weight)
        self.distance, self.geometry = number("distance", distance, Weight), number("geometry", geometry, Weight)
        self.pools = {"a": ImagePool(pool), "b": ImagePool(pool)}

    def prepared(self, batch: Batch) -> Batch:
        """Adds the round's translations "fake_a" and "fake_b", which both players use."""
        batch = super().prepared(batch)
        with torch.set_grad_enabled("generator" in self.round()):
            batch["fake_b"] = self.generator_ab(batch["image"])
            batch["fake_a"] = self.generator_ba(batch["target"])
        return batch

    def objective(self, player: str, batch: Batch) -> Terms:
        return self._detect(batch) if player == "discriminator" else self._translate(batch)

    def _detect(self, batch: Batch) -> Terms:
        terms = {}
        for domain, real, judge in self._judges(batch):
            stream = generator(self.seed, "pool", domain, self.iteration)
            everyones = gathered(batch[f"fake_{domain}"].detach(), self.world)  # every rank keeps the same pool
            fake = self.rank_share(self.pools[domain].exchange(everyones, stream))
            for name, term in self.loss("discriminator", judge(real).float(), judge(fake).float()).items():
                terms[f"{name}_{domain}"] = term
        return terms

    def _translate(self, batch: Batch) -> Terms:
        a, b, fake_a, fake_b = (batch[name] for name in ("image", "target", "fake_a", "fake_b"))
        cycle, identity = at(self.cycle, self.shown), at(self.identity, self.shown)
        distance, geometry = at(self.distance, self.shown), at(self.geometry, self.shown)
        terms = {}
        for domain, real, judge in self._judges(batch):
            real_logits = judge(real).float() if is_paired(self.loss) else None
            logits = judge(batch[f"fake_{domain}"]).float()
            terms[f"adversarial_{domain}"] = self.loss("generator", real_logits, logits)["adversarial"]
        if cycle:
            terms["cycle_a"] = cycle * l1(self.generator_ba(fake_b), a).mean()
            terms["cycle_b"] = cycle * l1(self.generator_ab(fake_a), b).mean()
        if identity:
            terms["identity_a"] = identity * l1(self.generator_ba(a), a).mean()
            terms["identity_b"] = identity * l1(self.generator_ab(b), b).mean()
        if distance:
            terms["distance_ab"] = distance * distance_kept(a, fake_b, b)
            terms["distance_ba"] = distance * distance_kept(b, fake_a, a)
        if geometry:
            terms["geometry_ab"] = geometry * l1(self.generator_ab(turned(a)), turned(fake_b)).mean()
            terms["geometry_ba"] = geometry * l1(self.generator_ba(turned(b)), turned(fake_a)).mean()
        return terms

    def _judges(self, batch: Batch) -> list[tuple[str, Tensor, nn.Module]]:
        return [("a", batch["image"], self.discriminator_a), ("b", batch["target"], self.discriminator_b)]

    def translate(self, images: Tensor, direction: Direction = "ab") -> Tensor:
        """Images (n, c, h, w) in [-1, 1] of one domain as images of the other."""
        return self.infer(f"generator_{direction}", images, at_once=256)

    def parts(self) -> dict[str, Part]:
        return {f"translator_{way}": Part(f"generator_{way}", ("images",), ("translated",)) for way in ("ab", "ba")}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["pools"] = {domain: pool.images for domain, pool in self.pools.items()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        for domain, images in checkpoint["pools"].items():
            self.pools[domain].images = images


def distance_kept(images: Tensor, translated: Tensor, domain: Tensor) -> Tensor:
    """Benaim & Wolf 2017 (DistanceGAN): mean |d(xᵢ, xⱼ) − d(G(xᵢ), G(xⱼ))| over the pairs of a batch, a scalar.

    d is the L1 distance of two images in units of their domain: its mean and deviation over the pairs of real images
    are taken off, those of `images` themselves and of `domain` on the other side. All have shape (n, c, h, w).

    Raises:
        ValueError: fewer than 3 images.
    """
    if len(images) < 3:
        raise ValueError(
            f"a batch of {len(images)} has too few pairs for the distance terms: "
            "set data.batch_size to at least 3 per process, or model.distance=0"
        )
    before, after, there = (torch.pdist(x.flatten(1).float(), 1) for x in (images, translated, domain))
    return ((before - before.mean()) / before.std() - (after - there.mean()) / there.std()).abs().mean()


def turned(images: Tensor) -> Tensor:
    """Images (n, c, h, w) turned by a quarter, (n, c, w, h)."""
    return images.rot90(1, (2, 3))
