"""The game of flow matching and diffusion: one network that knows the way from noise to data."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from forger.data.conditions import Classes, conditions_of
from forger.games.base import Batch, Player, Terms
from forger.games.processes import Process
from forger.games.sampling.inference import Ema, Input, Part, evaluating
from forger.games.sampling.latents import LatentGame
from forger.games.sampling.sampler import Guidance, Sampler, Solver, Steps
from forger.games.schedules import Share
from forger.randomness import Noise, generator


class DiffusionGame(LatentGame):
    """min E ‖network - target‖² at random amounts of noise; samples are integrated from noise, step by step.

    Flow matching or diffusion: the process says which. A latent is the noise that a sample starts from, so that the
    same one always gives the same sample.

    Args:
        denoiser: (x, noise, labels, told) → as x; has the ``shape`` of a sample (`forger.networks.denoisers`).
        process: of `forger.games.processes`.
        players: ``denoiser``.
        steps, solver, guidance: of the `Sampler`.
        label_dropout: share of the samples in training of which the network is not told the labels.
        ema: decay of the moving average per move, or its `HalfLife`; None samples from the live weights.
        classes: labels run from 0 to ``classes - 1``; 0 when there are none; or conditions, the columns of a label.
        seed: seed of every random stream.

    Raises:
        ValueError: guidance without labels, or by a network that was always told them.
    """

    def __init__(
        self,
        denoiser: nn.Module,
        process: Process,
        players: Mapping[str, Player],
        steps: Steps = 18,
        solver: Solver = "heun",
        guidance: Guidance = 1.0,
        label_dropout: Share = 0.1,
        ema: Ema = None,
        classes: Classes = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(players, seed)
        self.classes = classes if isinstance(classes, int) else 0
        self.conditions = conditions_of(classes)
        if guidance != 1 and not (classes and label_dropout):
            raise ValueError(
                f"model.guidance={guidance}: needs labels (model.classes) that the network is not always told "
                "(model.label_dropout)"
            )
        self.denoiser = denoiser
        self.keep_averages(ema, "denoiser")
        self.process = process
        self.label_dropout = label_dropout
        shape = tuple(denoiser.shape)  # pyright: ignore[reportArgumentType]
        self.latent = math.prod(shape)
        self._sampler = Sampler(process, shape, steps, solver, guidance)

    @property
    def nfe(self) -> int:
        """Evaluations of the network behind a sample."""
        return self._sampler.evaluations(told=bool(self.classes or self.conditions))

    def objective(self, player: str, batch: Batch) -> Terms:
        real, labels, told = batch["image"], None, None
        if self.classes or self.conditions:
            labels = batch["label"]
            told = self.noise("label_dropout").uniform((len(real),)) >= self.label_dropout
        errors, amounts = self.process.errors(self.denoiser, real, labels, told, self.noise("diffusion"))
        if self.observing:
            thirds = errors.detach()[amounts.argsort()].chunk(3)
            for name, third in zip(("low", "medium", "high"), thirds, strict=False):
                self.observe(f"watch/loss_{name}_noise", third.mean())
        return {"error": errors.mean()}

    def parts(self) -> dict[str, Part]:
        asked: tuple[Input, ...] = ("labels",) if self.classes else ("conditions",) if self.conditions else ()
        return {"generator": Part("denoiser", ("z", *asked), ("images",), how=self._sampler)}

    def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """What becomes of noise (n, latent): images in [-1, 1], or points."""
        return self.infer("denoiser", z, labels, how=self._sampler)

    @torch.no_grad()
    def trajectory(self, z: Tensor, labels: Tensor | None = None) -> list[Tensor]:
        """What noise (n, latent) is at each time of the sampler, all scaled to about the spread of the data."""
        network, times = self.answering("denoiser"), self.process.times(self._sampler.steps)
        z, labels = z.to(self.device), None if labels is None else labels.to(self.device)
        with evaluating(network):
            states = list(self._sampler.states(network, z, labels))
        return [state.float() / self.process.scale(time) for state, time in zip(states, times, strict=True)]

    @torch.no_grad()
    def denoising_error(self, images: Tensor, labels: Tensor | None = None) -> float:
        """The mean of what is minimised on images in [-1, 1] or points, with the same noise each time it is asked."""
        network, noise = self.answering("denoiser"), Noise(generator(self.seed, "denoising_error", device=self.device))
        labels = None if labels is None else labels.to(self.device)
        with evaluating(network):
            return float(self.process.errors(network, images.to(self.device), labels, None, noise)[0].mean())
