"""Adaptive augmentation: its probability follows how much the discriminator overfits to the training images."""

import math
from collections.abc import Sequence
from functools import reduce
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor

from forger.annealing import Following, Schedule, at, number
from forger.augmentation import colors, geometry
from forger.augmentation.base import Augmentation
from forger.randomness import Noise

Group = Literal["blit", "geometry", "color"]
Share = Annotated[float, Ge(0), Le(1)]


class Adaptive(Augmentation):
    """Karras et al. 2020 (ADA), section 3: each change with probability p, which follows r = E[sign D(x)] (eq. 1).

    D(x) on training images rises as D memorises them. Every few rounds p goes up if r, the mean since the last time, is
    above its target, and down if it is below. While p stays under about 0.8, none of the changes appears in G's samples
    (section 2.2).

    Groups of changes, as in the paper's appendix B: ``blit`` (mirror left to right, quarter turns, whole pixels up to
    ⅛ of the sides), ``geometry`` (scale 2^N(0, 0.2²), any turn, stretch 2^N(0, 0.2²), shift N(0, ⅛²) of the sides) and
    ``color`` (brightness N(0, 0.2²), contrast 2^N(0, 0.5²), light for dark, hue, saturation 2^N(0, 1)). They are
    sampled bilinearly, once for all geometry, without the paper's low-pass filters; beyond the edges images go on
    as in a mirror. Where an image has one channel there is no hue and no saturation.

    Args:
        groups: which changes there are.
        target: r above which p rises; None leaves p as it is given, fixed or on a schedule.
        every: rounds between two adjustments of p.
        speed: real images in which p can rise from 0 to 1; the paper's is 500,000, shorter runs want less.
        p: at the start; or a schedule of it, without ``target``.

    Raises:
        ValueError: a schedule beside a target, or one that leaves the range.
    """

    p: Tensor
    signs: Tensor
    rounds: Tensor

    def __init__(
        self,
        groups: Sequence[Group] = ("blit", "geometry", "color"),
        target: Annotated[float, Gt(-1), Le(1)] | None = 0.6,
        every: Annotated[int, Ge(1)] = 4,
        speed: Annotated[int, Ge(1)] = 500_000,
        p: Share | Schedule = 0.0,
    ) -> None:
        super().__init__()
        self.groups = list(groups)
        self.target = target
        self.every = every
        self.speed = speed
        chance = number("p", p, Share)
        self.schedule = chance if isinstance(chance, Following) else None
        if self.schedule is not None and target is not None:
            raise ValueError("p: follows a schedule; set target to null, by which it would follow D")
        self.register_buffer("p", torch.tensor(float(at(chance, 0))))
        #: Sum of the rounds' mean signs, and their number, since the last adjustment.
        self.register_buffer("signs", torch.zeros(()))
        self.register_buffer("rounds", torch.zeros(()))

    def changed(self, images: Tensor, noise: Noise, shown: int) -> Tensor:
        if self.schedule is not None:
            self.p.fill_(self.schedule(shown))
        maps = []
        if "blit" in self.groups:
            maps += self._blit(images, noise)
        if "geometry" in self.groups:
            maps += self._geometry(images, noise)
        if maps:
            images = geometry.warped(images, reduce(torch.matmul, maps))
        return self._colored(images, noise) if "color" in self.groups else images

    @torch.no_grad()
    def learn(self, real_logits: Tensor, images: int) -> None:
        if self.target is None:
            return
        # In tensors throughout: nothing waits for the device. What was gathered has by now been averaged over ranks.
        due = self.rounds >= self.every
        step = torch.sign(self.signs - self.target * self.rounds) * (images * self.every / self.speed)
        self.p.add_(due * step).clamp_(0, 1)
        self.signs.mul_(~due).add_(real_logits.sign().mean())
        self.rounds.mul_(~due).add_(1)

    def signals(self) -> dict[str, Tensor]:
        return {"p": self.p.clone()}

    # The changes ------------------------------------------------------------------------------------------

    def _blit(self, images: Tensor, noise: Noise) -> list[Tensor]:
        n, _, h, w = images.shape
        mirror, turn, move = self._coins(noise, images, 3)
        u = noise.uniform((n, 4)).to(images.device)
        quarters = torch.where(turn, (4 * u[:, 1]).floor(), 0.0)
        # From a table: exact, as the cosine of a quarter turn is not.
        cosine = torch.where(quarters == 0, 1.0, torch.where(quarters == 2, -1.0, 0.0))
        sine = torch.where(quarters == 1, 1.0, torch.where(quarters == 3, -1.0, 0.0))
        x, y = (torch.where(move, ((2 * u[:, i] - 1) * side / 8).round(), 0.0) for i, side in ((2, w), (3, h)))
        flip = torch.where(mirror & (u[:, 0] < 0.5), -1.0, 1.0)
        return [
            geometry.scaling(flip, torch.ones_like(flip)),
            geometry.rotation(cosine, sine),
            geometry.translation(x, y),
        ]

    def _geometry(self, images: Tensor, noise: Noise) -> list[Tensor]:
        n, _, h, w = images.shape
        scale, stretch, move = self._coins(noise, images, 3)
        # Two turns, before and after the stretch, of which none happens with probability 1 − p.
        before, after = self._coins(noise, images, 2, 1 - (1 - self.p).sqrt())
        z = noise.normal((n, 4)).to(images.device)
        angles = (2 * noise.uniform((n, 2)).to(images.device) - 1) * math.pi
        size = torch.where(scale, (0.2 * z[:, 0]).exp2(), 1.0)
        wider = torch.where(stretch, (0.2 * z[:, 1]).exp2(), 1.0)
        first, second = torch.where(before, angles[:, 0], 0.0), torch.where(after, angles[:, 1], 0.0)
        x, y = (torch.where(move, z[:, i] * side / 8, 0.0) for i, side in ((2, w), (3, h)))
        return [
            geometry.scaling(size, size),
            geometry.rotation(first.cos(), first.sin()),
            geometry.scaling(wider, 1 / wider),
            geometry.rotation(second.cos(), second.sin()),
            geometry.translation(x, y),
        ]

    def _colored(self, images: Tensor, noise: Noise) -> Tensor:
        n = len(images)
        bright, contrasted, dark, hued, saturated = self._coins(noise, images, 5)
        z, u = noise.normal((n, 3)).to(images), noise.uniform((n, 2)).to(images)
        images = colors.brightness(images, torch.where(bright, 0.2 * z[:, 0], 0.0))
        images = colors.gain(images, torch.where(contrasted, (0.5 * z[:, 1]).exp2(), 1.0))
        images = colors.luma_flip(images, (dark & (u[:, 0] < 0.5)).to(images))
        images = colors.hue(images, torch.where(hued, (2 * u[:, 1] - 1) * math.pi, 0.0))
        return colors.saturation(images, torch.where(saturated, z[:, 2].exp2(), 1.0))

    def _coins(self, noise: Noise, images: Tensor, changes: int, p: Tensor | None = None) -> tuple[Tensor, ...]:
        """For each change, in which of the images it happens (n,)."""
        u = noise.uniform((len(images), changes)).to(images.device)
        return (u < (self.p if p is None else p)).unbind(1)
