"""What a run's game makes of arrays."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from forger.api.guarding import guarded
from forger.building import prepare_torch
from forger.errors import ConfigError, first_few
from forger.games.abilities import (
    Decodes,
    Direction,
    Discriminates,
    Enlarges,
    Reconstructs,
    Samples,
    Translates,
)
from forger.games.base import Game
from forger.lifecycle.restore import Restored, restored
from forger.metrics.evaluations.translation import translated
from forger.pictures.enlargement import enlarged
from forger.pictures.handed import reconstructed
from forger.pictures.latents import classes_to_ask, conditions_to_ask, decoded, samples
from forger.pictures.request import Request

#: What a game must offer for each method of a run, and the games that do.
OFFERED: dict[str, tuple[Any, str]] = {
    "sample": (Samples, "GANs and VAEs"),
    "encode": (Reconstructs, "autoencoders and VAEs"),
    "decode": (Decodes, "GANs, autoencoders and VAEs"),
    "reconstruct": (Reconstructs, "autoencoders and VAEs"),
    "discriminate": (Discriminates, "GANs"),
    "translate": (Translates, "CycleGANs and pix2pix"),
    "enlarge": (Enlarges, "SRGANs"),
}


def answers(
    path: Path,
    checkpoint: str | None,
    *,
    trust: bool,
    places: Mapping[str, str],
    raw_weights: bool,
    mixture: int | None = None,
) -> "Answers":
    """The game of a run, as `forger.lifecycle.restore.restored` gives it."""
    with guarded():
        return Answers(restored(path, checkpoint, trust=trust, places=places, mixture=mixture), raw_weights)


@dataclass(frozen=True)
class Answers:
    """A run's game, asked from a program that is not forger's; the methods are those of `forger.Run`."""

    read: Restored
    raw_weights: bool

    def sample(
        self,
        n: int | None,
        labels: Sequence[int] | NDArray[Any] | None,
        conditions: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        seed: int | None,
        truncation: float,
    ) -> NDArray[Any]:
        with self._asked("sample") as game:
            config = self.read.config
            request = Request(
                n=config.samples.n if n is None else n,
                seed=config.seed if seed is None else seed,
                labels=None if labels is None else _classes(game, labels),
                conditions=tuple(conditions_to_ask(game, each) for each in _typed(conditions)),
                truncation=truncation,
            )
            if request.n < 1:
                raise ConfigError(f"sample: n={n}: at least 1")
            return samples(game, self.read.data, request, game.values).numpy()

    def encode(self, images: ArrayLike) -> NDArray[Any]:
        with self._asked("encode") as game:
            return game.encode(self._inputs("encode", images)).cpu().numpy()

    def decode(self, z: ArrayLike, labels: ArrayLike | None) -> NDArray[Any]:
        with self._asked("decode") as game:
            given = np.asarray(z)
            if given.ndim != 2 or given.shape[1] != game.latent or given.dtype.kind not in "fiu":
                raise ConfigError(f"decode: takes floats (n, {game.latent}), and got {_shown(given)}")
            _refuse_nan("decode", given)
            latents = torch.from_numpy(given.astype(np.float32))
            return decoded(game, latents, self._labels("decode", labels, len(latents)), game.values).numpy()

    def reconstruct(self, images: ArrayLike) -> NDArray[Any]:
        with self._asked("reconstruct") as game:
            return reconstructed(game, self._pixels("reconstruct", images), game.values).numpy()

    def discriminate(self, images: ArrayLike, labels: ArrayLike | None) -> NDArray[Any]:
        with self._asked("discriminate") as game:
            given = self._inputs("discriminate", images)
            return game.discriminate(given, self._labels("discriminate", labels, len(given))).cpu().numpy()

    def translate(self, images: ArrayLike, direction: Direction) -> NDArray[Any]:
        with self._asked("translate") as game:
            if direction not in game.directions:
                known = " or ".join(map(repr, game.directions))
                raise ConfigError(f"translate: direction={direction!r}: {known}")
            return translated(game, self._pixels("translate", images), direction).numpy()

    def enlarge(self, images: ArrayLike) -> NDArray[Any]:
        with self._asked("enlarge") as game:
            given = self._pixels("enlarge", images, of_any_size=True)
            return torch.stack([enlarged(game, picture, game.values) for picture in given]).numpy()

    @contextmanager
    def _asked(self, method: str) -> Iterator[Any]:
        """The game, which offers this method, in a process prepared as a command's is."""
        game, (needed, games) = self.read.game, OFFERED[method]
        with guarded():
            if not isinstance(game, needed):
                raise ConfigError(f"{self.read.folder}: its {type(game).__name__} can't {method}; {games} can")
            prepare_torch(self.read.config.trainer)
            with game.live_weights() if self.raw_weights else nullcontext():
                yield game

    def _pixels(self, method: str, images: ArrayLike, *, of_any_size: bool = False) -> Tensor:
        """Images (n, c, h, w) of the type of the data, or points (n, d)."""
        given, data, values = np.asarray(images), self.read.data, self.read.game.values
        points = data.kind == "points"
        shape = tuple(data.shape)
        fits = given.shape[1:2] == shape[:1] and given.ndim == 4 if of_any_size else given.shape[1:] == shape
        right = (
            given.dtype.kind == "f" if points or values.depth == "float32" else given.dtype == np.dtype(values.depth)
        )
        if not (given.ndim and given.size and fits and right):
            kind = "floats" if points else values.depth
            sides = (f"{shape[0]}", "h", "w") if of_any_size else map(str, shape)
            raise ConfigError(f"{method}: takes {kind} (n, {', '.join(sides)}), and got {_shown(given)}")
        _refuse_nan(method, given)
        return torch.from_numpy(np.ascontiguousarray(given.astype(np.float32) if given.dtype.kind == "f" else given))

    def _inputs(self, method: str, images: ArrayLike) -> Tensor:
        """The same as networks get it, images in [-1, 1]."""
        pixels = self._pixels(method, images)
        return self.read.game.values.to_float(pixels) if pixels.ndim == 4 else pixels

    def _labels(self, method: str, labels: ArrayLike | None, n: int) -> Tensor | None:
        """One label for each input, where the game has any: classes (n,) or conditions (n, k)."""
        game = self.read.game
        conditions = game.conditions
        classes = game.classes if isinstance(game, Samples) else 0
        if labels is None and not conditions and not classes:
            return None
        shape, given = (n, len(conditions)) if conditions else (n,), np.asarray(labels)
        if labels is None or given.shape != shape or not (classes or conditions):
            names = first_few(each.name for each in conditions)
            wanted = f"the numbers {shape} of {names}" if conditions else f"classes {shape} from 0 to {classes - 1}"
            wanted = wanted if conditions or classes else "none"
            got = "none" if labels is None else _shown(given)
            raise ConfigError(f"{method}: labels: this game takes {wanted}, and got {got}")
        if conditions:
            _refuse_nan(f"{method}: labels", given)
            return torch.from_numpy(given.astype(np.float32))
        return torch.tensor(_classes(game, given))


def _classes(game: Game, labels: ArrayLike) -> tuple[int, ...]:
    given = np.asarray(labels)
    if given.ndim != 1 or given.dtype.kind not in "iu":
        raise ConfigError(f"labels: must be whole numbers (n,), and are {_shown(given)}")
    try:
        return classes_to_ask(game, given.tolist())
    except ValueError as error:
        raise ConfigError(f"labels: {error}") from None


def _typed(conditions: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> list[str]:
    """Conditions as they are typed on a command line."""
    several = [conditions] if isinstance(conditions, Mapping) else list(conditions)
    for given in several:
        if not isinstance(given, Mapping):
            raise ConfigError(f'conditions: {given!r} is none; write them as {{"NAME": VALUE}}')
    return [",".join(f"{name}={_word(value)}" for name, value in given.items()) for given in several if given]


def _word(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool | np.bool_) else str(value)


def _refuse_nan(what: str, given: NDArray[Any]) -> None:
    if not np.isfinite(given).all():
        raise ConfigError(f"{what}: NaN or infinity in what was given")


def _shown(array: NDArray[Any]) -> str:
    return f"{array.dtype} {array.shape}"
