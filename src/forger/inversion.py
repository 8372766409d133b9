"""Latents of given pictures, found by optimisation (Zhu et al. 2016; Karras et al. 2020, StyleGAN2, appendix D)."""

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from forger.errors import ConfigError
from forger.games.abilities import Reconstructs, Samples, SamplesLatents, Styles
from forger.games.sampling.inference import evaluating
from forger.games.sampling.styles import repeated
from forger.metrics.features.untrained import UntrainedNetwork
from forger.randomness import generator

#: Latents drawn for each picture, of which the nearest are the starting points.
_DRAWN = 512
#: Peak learning rate of Adam, and the shares of the steps in which it rises and in which it falls.
_RATE, _RISE, _FALL = 0.3, 0.05, 0.5
#: Weight of the distance in features, where that of the pixels is 1.
_FEATURES = 0.1
#: Images that pass the generator at a time.
_AT_ONCE = 512


#: Where latents are looked for: in z, or in what a mapping makes of it, one w for all layers.
Space = Literal["z", "w"]


class Inverted(NamedTuple):
    """What was found for n pictures.

    Args:
        z: latents (n, latent), or w (n, style).
        labels: the classes (n,) or conditions (n, k) that go with them, where the game has any.
        images: what the game makes of these, float (n, c, h, w) in [-1, 1].
        errors: mean squared error of each over pixels and channels (n,), on the scale [-1, 1].
    """

    z: Tensor
    labels: Tensor | None
    images: Tensor
    errors: Tensor


class Inversion:
    """A search for the latents of pictures: z minimises ‖G(z) - x‖² + 0.1 ‖f(G(z)) - f(x)‖², both as means.

    f are the features of `UntrainedNetwork`, which needs no weights. The search starts from those of 512 draws from the
    prior, with random labels, that are nearest to the picture (of an autoencoder also from its code), and keeps the
    best end. Labels stay as they were drawn.

    Args:
        game: a trained one.
        starts: starting points for each picture.
        steps: of Adam.
        seed: of the draws.
        space: w in a game that has styles; the steps are then as large beside the spread of w.

    Raises:
        ConfigError: the game has no latents, or no w, or makes points.
    """

    def __init__(self, game: Any, *, starts: int = 4, steps: int = 300, seed: int = 0, space: Space = "z") -> None:
        part = next((part for part in game.parts().values() if part.takes[0] == "z"), None)
        if part is None:
            raise ConfigError(f"its {type(game).__name__} makes nothing from latents; GANs, autoencoders and VAEs do")
        self._game, self._how, self._network = game, part.how, game.answering(part.network)
        self._features = UntrainedNetwork().to(game.device)
        self.starts, self.steps, self.seed, self._space = starts, steps, seed, space
        if space == "w" and not (isinstance(game, Styles) and game.style_shape):
            raise ConfigError(f"--space w: its {type(game).__name__} has no styles; take z")

    def found(self, images: Tensor, labels: Tensor | None, progress: Callable[[int, float], None]) -> Inverted:
        """The latents of pictures.

        Args:
            images: float (n, c, h, w) in [-1, 1].
            labels: classes (n,) or conditions (n, k) to go with them; None lets the search choose them.
            progress: called after each tenth of the steps, with the step and the median error of the pictures.
        """
        with evaluating(self._network):
            return self._found(images.to(self._game.device), labels, progress)

    def _found(self, images: Tensor, labels: Tensor | None, progress: Callable[[int, float], None]) -> Inverted:
        n, starts = len(images), self.starts
        z, asked = self._starting_points(images, labels)
        truth, wanted = images.repeat_interleave(starts, 0), self._features(images).repeat_interleave(starts, 0)
        rate = _RATE
        if self._space == "w":
            z = self._game.styles(z, asked)[:, 0].clone()
            rate *= float(z.std(0).mean())
        z.requires_grad_(True)
        optimizer = torch.optim.Adam([z], lr=rate)
        best, errors = z.detach().clone(), torch.full((len(z),), torch.inf, device=z.device)
        for step in range(self.steps + 1):
            optimizer.zero_grad()
            for part in torch.arange(len(z), device=z.device).split(_AT_ONCE):
                made = self._made(z[part], None if asked is None else asked[part])
                distance = _apart(made, truth[part])
                with torch.no_grad():
                    nearer = part[distance < errors[part]]
                    errors[part] = torch.minimum(errors[part], distance)
                    best[nearer] = z[nearer]
                (distance + _FEATURES * _apart(self._features(made), wanted[part])).sum().backward(inputs=[z])
            if step and (step % max(1, self.steps // 10) == 0 or step == self.steps):
                progress(step, float(errors.view(n, starts).min(1).values.median()))
            optimizer.param_groups[0]["lr"] = rate * _share(step / max(1, self.steps))
            optimizer.step()
        chosen = errors.view(n, starts).argmin(1) + starts * torch.arange(n, device=errors.device)
        z, asked = best[chosen], None if asked is None else asked[chosen]
        with torch.no_grad():
            parts = torch.arange(n).split(_AT_ONCE)
            made = torch.cat([self._made(z[part], None if asked is None else asked[part]) for part in parts])
        return Inverted(z.cpu(), None if asked is None else asked.cpu(), made.float().cpu(), errors[chosen].cpu())

    @torch.no_grad()
    def _starting_points(self, images: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Latents and labels (n · starts, …) that are nearest to the pictures."""
        game, stream = self._game, generator(self.seed, "inversion")
        if not isinstance(game, SamplesLatents):  # an autoencoder without a prior: its codes, and others near them
            codes = game.encode(images).repeat_interleave(self.starts, 0)
            spread = 0.1 * codes.std(0, correction=0)
            moved = spread * torch.randn(codes.shape, generator=stream).to(codes)
            moved[:: self.starts] = 0
            return codes + moved, None
        drawn = game.latents(_DRAWN, stream)
        given = None if labels is None else labels.to(images.device)
        z, asked = [], []
        for place, image in enumerate(images):
            tried = self._labels_to_try(stream) if given is None else given[place].expand(_DRAWN, *given.shape[1:])
            made = game.decode(drawn, tried).to(images)
            nearest = _apart(made, image.expand_as(made)).argsort()[: self.starts].cpu()
            z.append(drawn[nearest])
            asked.append(None if tried is None else tried.cpu()[nearest])
            if isinstance(game, Reconstructs):
                z[-1][0] = game.encode(image[None])[0].cpu()
        together = None if asked[0] is None else torch.cat(asked).to(images.device)
        return torch.cat(z).to(images.device), together

    def _labels_to_try(self, stream: torch.Generator) -> Tensor | None:
        game = self._game
        if isinstance(game, Samples) and game.conditions:
            raise ConfigError("this game is told several labels: name those of the pictures, --condition")
        if isinstance(game, Samples) and game.classes:
            return torch.randint(game.classes, (_DRAWN,), generator=stream)
        return None

    def _made(self, z: Tensor, labels: Tensor | None) -> Tensor:
        if self._space == "w":
            z = repeated(self._network, z)
        return self._how(self._network, z) if labels is None else self._how(self._network, z, labels)


def _apart(these: Tensor, those: Tensor) -> Tensor:
    """Mean squared difference (n,) of each from its counterpart."""
    return (these - those).flatten(1).square().mean(1)


def _share(progress: float) -> float:
    """Of the peak learning rate: up in a straight line, then level, then down half a cosine."""
    falling = max(0.0, (progress - (1 - _FALL)) / _FALL)
    return min(1.0, (progress + 1e-3) / _RISE) * (1 + math.cos(math.pi * falling)) / 2
