"""The game of an autoencoder, which has one player: plain, sparse, denoising, stacked, and variational."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Ge, Gt
from torch import Tensor, nn

from forger.annealing import Schedule, at, number
from forger.games.base import Batch, Game, Player, Terms
from forger.games.inference import Ema, Part
from forger.games.schedules import Share
from forger.losses.reconstruction import kl_standard_normal, mse, sparsity
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
        self.keep_averages(ema, "autoencoder")
        self.loss = plain(loss)
        self.input_noise = noise
        self.sparsity = number("sparsity", sparsity, Weight)
        #: Depth of the network that each stage of pretraining plays with.
        self._depths = {name: depth for depth, name in enumerate(stages, start=1)}
        self._images_per_stage = (budget or 0) * pretraining / max(len(stages), 1)

    @property
    def latent(self) -> int:
        """Width of the code."""
        return self.autoencoder.latent

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
            "encoder": Part("autoencoder", ("images",), ("z",), how=_encoded),
            "decoder": Part("autoencoder", ("z",), ("images",), how=_decoded),
        }

    def encode(self, images: Tensor) -> Tensor:
        """Codes (n, latent) of images in [-1, 1]."""
        return self.infer("autoencoder", images, how=_encoded)

    def decode(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images in [-1, 1] of codes (n, latent); there are no labels."""
        return self.infer("autoencoder", z, how=_decoded)

    def reconstruct(self, images: Tensor) -> Tensor:
        """Reconstructions by encoder and decoder of images in [-1, 1] (noisy ones may exceed the range)."""
        return self.decode(self.encode(images))


class VariationalGame(AutoencoderGame):
    """The variational autoencoder (Kingma & Welling, 2014, eq. 10): min r · MSE + β · KL(q(z|x) ‖ N(0, 1)).

    MSE is the per-pixel squared error on the scale [0, 1], averaged over the batch, and r ``r_loss_factor``. For
    images of D pixels that is the negative evidence lower bound (up to a constant, at β = 1) of a decoder with
    Gaussian pixels of variance D / 2r.

    Args:
        autoencoder: a network of `forger.networks.autoencoders` with ``variational=True``.
        players: ``autoencoder``.
        r_loss_factor: weight of the reconstruction.
        beta: weight of the KL divergence (Higgins et al., 2017); may follow a schedule (Bowman et al., 2016).
        noise: as in `AutoencoderGame`.
        ema: as in `AutoencoderGame`.
        seed: seed of every random stream.
    """

    variational: ClassVar[bool] = True

    def __init__(
        self,
        autoencoder: nn.Module,
        players: Mapping[str, Player],
        r_loss_factor: Annotated[float, Gt(0)] = 1000.0,
        beta: Weight | Schedule = 1.0,
        noise: Annotated[float, Ge(0)] = 0.0,
        ema: Ema = None,
        seed: int = 0,
    ) -> None:
        super().__init__(autoencoder, players, noise=noise, ema=ema, seed=seed)
        self.classes = 0
        self.prior: Literal["normal", "uniform"] = "normal"
        self.r_loss_factor = r_loss_factor
        self.beta = number("beta", beta, Weight)

    def objective(self, player: str, batch: Batch) -> Terms:
        mean, log_variance = self.autoencoder.encode(batch["input"])
        z = mean + (log_variance / 2).exp() * self.noise("posterior").normal(mean.shape)
        error = mse(self.autoencoder.decode(z), batch["image"]) / 4  # from [-1, 1] to [0, 1]
        return {
            "reconstruction": self.r_loss_factor * error.mean(),
            "kl": at(self.beta, self.shown) * kl_standard_normal(mean, log_variance).mean(),
        }

    def parts(self) -> dict[str, Part]:
        return super().parts() | {"encoder": Part("autoencoder", ("images",), ("mean", "log_variance"), how=_encoded)}

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log-variances, each (n, latent), of q(z|x) for images in [-1, 1]."""
        both = self.infer("autoencoder", images, how=lambda *given: torch.cat(_encoded(*given), 1))
        mean, log_variance = both.chunk(2, 1)
        return mean, log_variance

    def encode(self, images: Tensor) -> Tensor:
        """Means (n, latent) of the posteriors of images in [-1, 1]."""
        return self.posterior(images)[0]

    def latents(self, n: int, stream: torch.Generator) -> Tensor:
        """``n`` draws from the prior (n, latent), on the stream's device."""
        return torch.randn(n, self.latent, generator=stream, device=stream.device)

    def sample(
        self,
        n: int,
        labels: Tensor | None = None,
        generator: torch.Generator | None = None,
        *,
        only: Tensor | None = None,
    ) -> Tensor:
        """``n`` images decoded from z ~ N(0, 1); there are no labels."""
        z = self.latents(n, generator or torch.Generator().manual_seed(self.seed))
        return self.decode(z if only is None else z[only])


def _encoded(network: Any, images: Tensor) -> Any:
    return network.encode(images)


def _decoded(network: Any, z: Tensor) -> Tensor:
    return network.decode(z)
