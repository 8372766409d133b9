"""The game of an autoencoder, which has one player: plain, sparse, denoising and stacked."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar

from annotated_types import Ge
from torch import Tensor, nn

from forger.annealing import Schedule, at, number
from forger.games.base import Batch, Game, Player, Terms
from forger.games.sampling.inference import Ema, Part
from forger.games.schedules import Share
from forger.losses.reconstruction import mse, sparsity
from forger.partials import plain

Weight = Annotated[float, Ge(0)]


class AutoencoderGame(Game):
    """min ‖G(F(x)) − x‖² over encoder F and decoder G (Hinton & Salakhutdinov, 2006), and its relatives.

    Sparse: an L1 penalty on the code. Denoising (Vincent et al., 2008): noise is added to the input, the target is the
    clean image. Stacked (Bengio et al., 2007): trained stage by stage, each on top of the frozen ones before it, on the
    error of the image that they decode together; then all of them together.

    Args:
        autoencoder: a network of `forger.networks.autoencoders`, not variational.
        players: ``autoencoder``; its optimiser also serves the stages, without the schedule.
        loss: a function of `forger.losses.reconstruction` of (reconstruction, image), both in [-1, 1].
        noise: standard deviation of the Gaussian noise on the input, on the scale [0, 1]; never clipped.
        sparsity: weight of the mean absolute value of the code; may follow a schedule.
        pretraining: share of the budget in which the stages are trained one after the other, in equal parts.
        budget: real images to be shown in all; only needed with ``pretraining``.
        ema: decay of the moving average per move, which then encodes and decodes; None keeps none.
        seed: seed of every random stream.

    Raises:
        ValueError: ``pretraining`` without ``budget``, or a variational network in the plain game (and the
            other way round).
    """

    variational: ClassVar[bool] = False

    def __init__(
        self,
        autoencoder: nn.Module,
        players: Mapping[str, Player],
        loss: Callable[[Tensor, Tensor], Tensor] = mse,
        noise: Annotated[float, Ge(0)] = 0.0,
        sparsity: Weight | Schedule = 0.0,
        pretraining: Share = 0.0,
        budget: Annotated[int, Ge(1)] | None = None,
        ema: Ema = None,
        seed: int = 0,
    ) -> None:
        network: Any = autoencoder
        if network.variational != self.variational:
            raise ValueError(
                f"model.autoencoder.variational={str(network.variational).lower()}: "
                f"{type(self).__name__} needs {str(self.variational).lower()}"
            )
        if pretraining and budget is None:
            raise ValueError(f"model.pretraining={pretraining} is a share of model.budget, which is not set")
        stages = {
            f"stage_{i + 1}": Player(
                players["autoencoder"].optimizer,
                networks=[f"autoencoder.encoder.{i}", f"autoencoder.decoder.{i}"],
                clip=players["autoencoder"].clip,
            )
            for i in range(len(network.encoder) if pretraining else 0)
        }
        super().__init__({**stages, **players}, seed)
        self.autoencoder = network
        #: Width of the code.
        self.latent: int = network.latent
        self.keep_averages(ema, "autoencoder")
        self.loss = plain(loss)
        self.input_noise = noise
        self.sparsity = number("sparsity", sparsity, Weight)
        #: Depth of the network that each stage of pretraining plays with.
        self._depths = {name: depth for depth, name in enumerate(stages, start=1)}
        self._images_per_stage = (budget or 0) * pretraining / max(len(stages), 1)

    def round(self) -> list[str]:
        """The stage whose turn it is, told from the images shown; the whole network after the last one."""
        for name, depth in self._depths.items():
            if self.shown < depth * self._images_per_stage:
                return [name]
        return ["autoencoder"]

    def prepared(self, batch: Batch) -> Batch:
        """Adds the encoder's input: the images, with noise where the game has it."""
        batch = super().prepared(batch)
        batch["input"] = batch["image"]
        if self.input_noise:
            # Noise of the scale [0, 1] is twice as large in [-1, 1].
            batch["input"] = batch["image"] + 2 * self.input_noise * self.noise("noise").normal(batch["image"].shape)
        return batch

    def objective(self, player: str, batch: Batch) -> Terms:
        depth = self._depths.get(player)
        code = self.autoencoder.encode(batch["input"], depth)
        terms = {"reconstruction": self.loss(self.autoencoder.decode(code, depth), batch["image"]).mean()}
        if weight := at(self.sparsity, self.shown):
            terms["sparsity"] = weight * sparsity(code).mean()
        return terms

    def parts(self) -> dict[str, Part]:
        return {
            "encoder": Part("autoencoder", ("images",), ("z",), how=encoded),
            "decoder": Part("autoencoder", ("z",), ("images",), how=decoded),
        }

    def encode(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Codes (n, latent) of images in [-1, 1]."""
        return self.infer("autoencoder", images, labels, how=encoded)

    def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images in [-1, 1] of codes (n, latent) and, where the game is told any, their labels (n,)."""
        return self.infer("autoencoder", z, labels, how=decoded)

    def reconstruct(self, images: Tensor) -> Tensor:
        """Reconstructions by encoder and decoder of images in [-1, 1] (noisy ones may exceed the range)."""
        return self.decode(self.encode(images))


def encoded(network: Any, images: Tensor, labels: Tensor | None = None) -> Any:
    """What a network of `forger.networks.autoencoders` makes of images."""
    return network.encode(images) if labels is None else network.encode(images, labels=labels)


def decoded(network: Any, z: Tensor, labels: Tensor | None = None) -> Tensor:
    """What such a network makes of codes."""
    return network.decode(z) if labels is None else network.decode(z, labels=labels)
