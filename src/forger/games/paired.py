"""The game of a translation that is learned from pairs."""

from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar

import torch
from annotated_types import Ge
from torch import Tensor, nn

from forger.annealing import Schedule, at, number
from forger.games.abilities import Direction
from forger.games.base import Batch, Game, Player, Terms
from forger.games.sampling.inference import Ema, Part
from forger.losses.adversarial import is_paired
from forger.losses.reconstruction import l1
from forger.partials import plain
from forger.randomness import derived_seed, seed_layers

Weight = Annotated[float, Ge(0)]


class PairedGame(Game):
    """pix2pix (Isola et al. 2017, eq. 4): arg min_G max_D V(G, D) + λ ‖y − G(x)‖₁, on pairs of "image" x and "truth" y.

    The discriminator sees x beside y or G(x). The generator's only noise is dropout, which stays on when it translates:
    always the same for the same seed and place of an image among those that are translated together. The network is
    exported without it.

    Args:
        generator: images x to images y, both in [-1, 1].
        discriminator: x and y along the channels to logits (of any shape).
        loss: a function of `forger.losses.adversarial`.
        players: ``discriminator`` and ``generator``, in the order of play.
        l1: weight λ, per pixel on the scale [-1, 1]; this and the next may follow schedules.
        adversarial: weight of the adversarial term; 0 trains on the L1 term alone, and the discriminator rests.
        noise: whether dropout stays on when it translates.
        ema: decay of the generator's moving average per move, which then translates; None keeps none.
        seed: seed of every random stream.
    """

    directions: ClassVar[tuple[Direction, ...]] = ("ab",)

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        loss: Callable[..., Terms],
        players: Mapping[str, Player],
        l1: Weight | Schedule = 100.0,
        adversarial: Weight | Schedule = 1.0,
        noise: bool = True,
        ema: Ema = None,
        seed: int = 0,
    ) -> None:
        super().__init__(players, seed)
        self.generator = generator
        self.discriminator = discriminator
        self.keep_averages(ema, "generator")
        self.loss = plain(loss)
        self.l1 = number("l1", l1, Weight)
        self.adversarial = number("adversarial", adversarial, Weight)
        self.noisy = noise

    def round(self) -> list[str]:
        return [name for name in super().round() if name != "discriminator" or at(self.adversarial, self.shown)]

    def prepared(self, batch: Batch) -> Batch:
        """Adds "translated", what the generator makes of the images, which both players use.

        Raises:
            ValueError: the data hide their pairs, or have none.
        """
        if "truth" not in batch:
            raise ValueError(
                "it is trained on pairs, and these data show none; take data=paired_folder or side_by_side"
            )
        batch = super().prepared(batch)
        with torch.set_grad_enabled("generator" in self.round()):
            batch["translated"] = self.generator(batch["image"])
        return batch

    def objective(self, player: str, batch: Batch) -> Terms:
        image, truth, translated = batch["image"], batch["truth"], batch["translated"]
        if player == "discriminator":
            return self.loss("discriminator", self._judge(image, truth), self._judge(image, translated.detach()))
        terms = {"l1": at(self.l1, self.shown) * l1(translated, truth).mean()}
        if weight := at(self.adversarial, self.shown):
            real = self._judge(image, truth) if is_paired(self.loss) else None
            terms["adversarial"] = weight * self.loss("generator", real, self._judge(image, translated))["adversarial"]
        return terms

    def _judge(self, image: Tensor, beside: Tensor) -> Tensor:
        return self.discriminator(torch.cat([image, beside], dim=1)).float()

    def translate(self, images: Tensor, direction: Direction = "ab") -> Tensor:
        """Images (n, c, h, w) in [-1, 1], translated.

        Raises:
            ValueError: the way back, which it has not learned.
        """
        if direction not in self.directions:
            raise ValueError(f"it translates from A to B, not {direction!r}: data.source.direction=ba trains B to A")
        if not self.noisy:
            return self.infer("generator", images, at_once=256)
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            seed_layers(derived_seed(self.seed, "translation"), self.device)
            return self.infer("generator", images, at_once=256, how=_with_dropout)

    def parts(self) -> dict[str, Part]:
        return {"translator_ab": Part("generator", ("images",), ("translated",))}


def _with_dropout(network: nn.Module, images: Tensor) -> Tensor:
    noise = [module for module in network.modules() if isinstance(module, nn.modules.dropout._DropoutNd)]
    for module in noise:
        module.train()
    try:
        return network(images)
    finally:
        for module in noise:
            module.eval()
