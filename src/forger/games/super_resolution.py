"""The game of super-resolution: first on the error of pixels, then against a discriminator."""

from collections.abc import Callable, Mapping
from typing import Annotated

import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn

from forger.annealing import Schedule, at, number
from forger.data.pixels.resizing import shrink
from forger.games.abilities import Stage
from forger.games.base import Batch, Game, Player, Terms
from forger.games.ema import MovingAverage
from forger.games.sampling.inference import Ema, Part
from forger.games.schedules import Share, cosine
from forger.losses.adversarial import is_paired
from forger.losses.reconstruction import mse

Weight = Annotated[float, Ge(0)]


class SuperResolutionGame(Game):
    """SRGAN (Ledig et al. 2017): SRResNet on the pixels' squared error, then eq. 3, content plus adversarial loss.

    A batch holds large images only; the small ones are made by bicubic antialiased downscaling. In the first share of
    the budget the generator is trained alone (section 3.2, SRResNet); a copy of it is then kept as ``first_stage``. In
    the rest the discriminator plays as well.

    Args:
        generator: images in [-1, 1] to images ``scale`` times as large, unbounded; has an attribute ``scale``.
        discriminator: large images to logits.
        content: images to features φ (eq. 5), used as it is; never trained or saved.
        loss: a function of `forger.losses.adversarial`.
        players: ``discriminator`` and ``generator``, in the order of play.
        budget: real images to be shown in all.
        first_share: share of the budget for the first stage.
        content_weight: weight of the squared error of features in the second stage; this and the next two may follow
            schedules.
        adversarial_weight: weight of the adversarial term (10⁻³ in the paper).
        pixel_weight: weight of the pixels' squared error in the second stage (0 in the paper).
        ema: decay of the generator's moving average per move, which then enlarges and is what is kept of the first
            stage; None keeps none.
        seed: seed of every random stream.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        content: nn.Module,
        loss: Callable[..., Terms],
        players: Mapping[str, Player],
        budget: Annotated[int, Ge(1)],
        first_share: Share = 0.5,
        content_weight: Weight | Schedule = 1.0,
        adversarial_weight: Weight | Schedule = 1e-3,
        pixel_weight: Weight | Schedule = 0.0,
        ema: Ema = None,
        seed: int = 0,
    ) -> None:
        super().__init__(players, seed)
        self.generator = generator
        self.discriminator = discriminator
        self.first_stage = MovingAverage(generator, 0.0)
        self.keep_averages(ema, "generator")
        # In a tuple, so that it is no submodule: VGG19 would add 80 MB to every checkpoint.
        self._content = (content.eval().requires_grad_(False),)
        self.loss = loss
        self.budget = budget
        self.first_share = first_share
        self.content_weight = number("content_weight", content_weight, Weight)
        self.adversarial_weight = number("adversarial_weight", adversarial_weight, Weight)
        self.pixel_weight = number("pixel_weight", pixel_weight, Weight)

    @property
    def scale(self) -> int:
        """How many times larger the sides become."""
        return int(self.generator.scale)  # pyright: ignore[reportArgumentType]

    @property
    def stage(self) -> Stage:
        """Which of the two stages this round belongs to."""
        return "first" if self.shown < self.first_share * self.budget else "second"

    def round(self) -> list[str]:
        return ["generator"] if self.stage == "first" else super().round()

    def prepared(self, batch: Batch) -> Batch:
        """Adds "enlarged": what the generator makes of the shrunk images."""
        batch = super().prepared(batch)
        with torch.set_grad_enabled("generator" in self.round()):
            batch["enlarged"] = self.generator(shrink(batch["image"], self.scale, self.values))
        return batch

    def objective(self, player: str, batch: Batch) -> Terms:
        real, enlarged = batch["image"], batch["enlarged"]
        if player == "discriminator":
            return self.loss("discriminator", self._judge(real), self._judge(enlarged.detach()))
        if self.stage == "first":
            return {"pixel": mse(enlarged, real).mean()}
        terms = {}
        if weight := at(self.pixel_weight, self.shown):
            terms["pixel"] = weight * mse(enlarged, real).mean()
        if weight := at(self.content_weight, self.shown):
            terms["content"] = weight * mse(self._features(enlarged), self._features(real)).mean()
        if weight := at(self.adversarial_weight, self.shown):
            real_logits = self._judge(real) if is_paired(self.loss) else None
            adversarial = self.loss("generator", real_logits, self._judge(enlarged))["adversarial"]
            terms["adversarial"] = weight * adversarial
        return terms

    def _judge(self, images: Tensor) -> Tensor:
        return self.discriminator(images).float()

    def _features(self, images: Tensor) -> Tensor:
        # Networks of content features take RGB; channels that are none are seen one by one, as grey pictures.
        single = images if images.shape[1] == 3 else images.reshape(-1, 1, *images.shape[2:]).expand(-1, 3, -1, -1)
        return self._content[0](single)

    def after_move(self, name: str) -> None:
        super().after_move(name)
        if name == "generator" and self.stage == "first":
            self.first_stage.update(self.answering("generator"), self.iteration)

    def parts(self) -> dict[str, Part]:
        return {"enlarger": Part("generator", ("images",), ("enlarged",), how=_clipped, any_size=True)}

    def enlarge(self, images: Tensor, stage: Stage = "second") -> Tensor:
        """Images (n, c, h, w) in [-1, 1], ``scale`` times as large, clipped to [-1, 1].

        ``stage="first"`` asks the generator as it was at the end of the first stage (as it is, until then).
        """
        return self.infer("first_stage" if stage == "first" else "generator", images, at_once=32, how=_clipped)

    def on_fit_start(self) -> None:
        super().on_fit_start()
        self._content[0].to(self.device)


def _clipped(network: nn.Module, images: Tensor) -> Tensor:
    return network(images).clamp(-1, 1)


def two_stages(
    images: int,
    *,
    budget: Annotated[int, Ge(1)],
    first_share: Share,
    second: Annotated[float, Gt(0)] = 1.0,
    final: Share = 0.0,
) -> float:
    """Learning-rate factor with one half cosine for each stage: 1 down to ``final``, then the same × ``second``."""
    switch = round(first_share * budget)
    if images < switch:
        return cosine(images, budget=switch, final=final)
    return second * cosine(images - switch, budget=max(1, budget - switch), final=final)
