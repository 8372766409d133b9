"""Latents, labels and samples of any game that has them, as pictures ask for them."""

import torch
from torch import Tensor

from forger.data.dataset import Data
from forger.data.ranges import BYTES, ValueRange
from forger.games.abilities import Answers, Decodes, Reconstructs, Samples, SamplesLatents
from forger.pictures.request import Request

#: Samples that are made at a time.
_CHUNK = 4096


def asked_labels(game: Answers, request: Request, n: int) -> Tensor | None:
    """Labels (n,) of samples: those asked for, else all classes, in turn; None for a game without classes."""
    classes = game.classes if isinstance(game, Samples) else 0
    if not classes:
        return None
    asked = torch.tensor(request.labels or range(classes))
    return asked[torch.arange(n) % len(asked)]


def samples(game: Samples, request: Request, values: ValueRange = BYTES) -> Tensor:
    """``request.n`` samples on the CPU: images (n, c, h, w) of these values, or float points (n, d)."""
    labels = asked_labels(game, request, request.n)
    if isinstance(game, SamplesLatents):
        return decoded(game, request.truncation * game.latents(request.n, request.stream()), labels, values)
    return _stored(game.sample(request.n, labels, request.stream()), values)


def decoded(game: Decodes, z: Tensor, labels: Tensor | None, values: ValueRange = BYTES) -> Tensor:
    """What a game makes of latents (n, latent) and labels (n,), as `samples` gives it."""
    parts = []
    for start in range(0, len(z), _CHUNK):
        part = slice(start, start + _CHUNK)
        parts.append(_stored(game.decode(z[part], None if labels is None else labels[part]), values))
    return torch.cat(parts)


def places(game: SamplesLatents | Reconstructs, data: Data, n: int, request: Request) -> Tensor:
    """``n`` places of the latent space (n, latent): from the prior, or else codes of test images."""
    if isinstance(game, SamplesLatents):
        return request.truncation * game.latents(n, request.stream())
    images = data.test.arrays["image"]
    chosen = torch.randint(len(images), (n,), generator=request.stream())
    return game.encode(data.values.to_float(images[chosen])).cpu()


def _stored(made: Tensor, values: ValueRange) -> Tensor:
    return (values.to_pixels(made) if made.ndim == 4 else made.float()).cpu()
