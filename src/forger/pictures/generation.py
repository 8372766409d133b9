"""Pictures of games that make new images from latents."""

import torch
from PIL import Image

from forger.data.images import Data
from forger.data.ranges import to_uint8
from forger.games.base import Game
from forger.pictures.files import tiles
from forger.pictures.request import Request


def grid(game: Game, data: Data, request: Request) -> list[Image.Image]:
    """``n`` samples, nearly square; classes in turn where there are any."""
    labels = None
    if request.labels is not None:
        labels = torch.tensor(request.labels).repeat(request.n)[: request.n]
    images = game.sample(request.n, labels, request.stream(), raw=request.raw)
    return [tiles(to_uint8(images))]


def classes(game: Game, data: Data, request: Request) -> list[Image.Image]:
    """One row for each class; a column shares its latents."""
    asked = request.labels or tuple(range(data.classes))
    columns = max(1, request.n // len(asked))
    labels = torch.tensor(asked).repeat_interleave(columns)
    images = game.sample(len(labels), labels, request.stream(), raw=request.raw)
    return [tiles(to_uint8(images), columns)]
