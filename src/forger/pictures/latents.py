"""Latents, labels and samples of any game that has them, as pictures ask for them."""

from collections.abc import Iterable, Mapping
from typing import TypeGuard

import torch
from torch import Tensor

from forger.data.conditions import Value, asked, filled, in_words, typical
from forger.data.dataset import Data
from forger.data.pixels.ranges import BYTES, ValueRange
from forger.games.abilities import Answers, Decodes, Reconstructs, Samples, SamplesLatents, Styles
from forger.pictures.request import Request
from forger.randomness import generator

#: Samples that are made at a time.
_CHUNK = 4096


def classes_to_ask(game: Answers, labels: Iterable[int]) -> tuple[int, ...]:
    """Classes of a game, as a request takes them.

    Raises:
        ValueError: the game has no classes, or not these.
    """
    classes = game.classes if isinstance(game, Samples) else 0
    if not classes:
        raise ValueError("this run's game has no classes to ask for")
    wanted = tuple(labels)
    if not all(0 <= label < classes for label in wanted):
        raise ValueError(f"must be classes from 0 to {classes - 1}")
    return wanted


def conditions_to_ask(game: Answers, text: str) -> dict[str, float]:
    """Conditions of a game as a request takes them, of what was typed (`forger.data.conditions.asked`).

    Raises:
        ValueError: the game has no conditions, or not these.
    """
    conditions = game.conditions if isinstance(game, Samples) else ()
    if not conditions:
        raise ValueError("this run's game has no conditions to ask for")
    return asked(conditions, text)


def asked_labels(game: Answers, data: Data, request: Request, n: int) -> Tensor | None:
    """Labels (n,) or (n, k) of samples: those asked for, else all classes, in turn; None for a game without any.

    Conditions that are not asked for are those of training images, drawn by the request's seed.
    """
    if request.given is not None:
        return request.given[1]
    if isinstance(game, Samples) and game.conditions:
        rows, given = torch.empty(n, len(game.conditions)), request.conditions or ({},)
        for place, numbers in enumerate(given):
            mine = rows[place :: len(given)]
            mine[:] = drawn(game, data, request, numbers, len(mine), place)
        return rows
    classes = game.classes if isinstance(game, Samples) else 0
    if not classes:
        return None
    wanted = torch.tensor(request.labels or range(classes))
    return wanted[torch.arange(n) % len(wanted)]


def drawn(game: Samples, data: Data, request: Request, given: Mapping[str, float], n: int, place: int) -> Tensor:
    """``n`` rows of conditions (n, k) with the given numbers, by `forger.data.conditions.filled`."""
    stream = generator(request.seed, "conditions", place)
    return filled(game.conditions, given, lambda: data.train.arrays["label"], n, stream)


def labelled_rows(game: Answers, data: Data, request: Request, columns: int = 1) -> list[tuple[str, Tensor]]:
    """What a picture shows beside each other: a name, and ``columns`` labels; none for a game without labels.

    These are the classes or conditions asked for, else all classes or what is `typical` of the conditions. The first
    number that is not given rises from column to column.
    """
    if not isinstance(game, Samples):
        return []
    if not game.conditions:
        labels = request.labels or range(game.classes)
        return [(str(label), torch.full((columns,), label)) for label in labels]
    rows = []
    for place, given in enumerate(request.conditions or typical(game.conditions, data.train.arrays["label"])):
        labels = drawn(game, data, request, given, columns, place)
        values = (c for c, of in enumerate(game.conditions) if isinstance(of, Value) and of.name not in given)
        if (column := next(values, None)) is not None:
            labels = labels[labels[:, column].argsort(stable=True)]
        rows.append((in_words(game.conditions, given), labels))
    return rows


def samples(game: Samples | Decodes, data: Data, request: Request, values: ValueRange = BYTES) -> Tensor:
    """``request.n`` samples on the CPU: images (n, c, h, w) of these values, or float points (n, d)."""
    labels = asked_labels(game, data, request, request.n)
    if request.given is not None:
        assert isinstance(game, Decodes)
        return decoded(game, request.given[0], labels, values, request.truncation)
    if isinstance(game, SamplesLatents):
        return decoded(game, game.latents(request.n, request.stream()), labels, values, request.truncation)
    assert isinstance(game, Samples)  # the others have given latents only
    return _stored(game.sample(request.n, labels, request.stream()), values)


def decoded(
    game: Decodes, z: Tensor, labels: Tensor | None, values: ValueRange = BYTES, truncation: float = 1.0
) -> Tensor:
    """What a game makes of latents (n, latent), `truncated`, and labels (n,) or (n, k), as `samples` gives it."""
    parts = []
    for start in range(0, len(z), _CHUNK):
        part = slice(start, start + _CHUNK)
        told = None if labels is None else labels[part]
        parts.append(_stored(game.decode(truncated(game, z[part], told, truncation), told), values))
    return torch.cat(parts)


def truncated(game: Decodes, z: Tensor, labels: Tensor | None, factor: float) -> Tensor:
    """Latents (n, latent) times a factor or, where a game has them, their styles, as much nearer to the mean.

    Codes of a game without a prior stay as they are.
    """
    if factor == 1 or not isinstance(game, SamplesLatents):
        return z
    return game.styles(z, labels, factor) if has_styles(game) else factor * z


def has_styles(game: Answers) -> TypeGuard[Styles]:
    """Whether a mapping makes styles of latents."""
    return isinstance(game, Styles) and game.style_shape is not None


def places(game: SamplesLatents | Reconstructs, data: Data, n: int, request: Request) -> Tensor:
    """``n`` places of the latent space (n, latent): from the prior, or else codes of test images."""
    if isinstance(game, SamplesLatents):
        return game.latents(n, request.stream())
    images = data.test.arrays["image"]
    chosen = torch.randint(len(images), (n,), generator=request.stream())
    return game.encode(data.values.to_float(images[chosen])).cpu()


def _stored(made: Tensor, values: ValueRange) -> Tensor:
    return (values.to_pixels(made) if made.ndim == 4 else made.float()).cpu()
