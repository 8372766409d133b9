"""Pictures of what a game makes, by name; a game says in ``draws`` which it can give, its natural one first."""

from collections.abc import Callable
from importlib import import_module

from PIL import Image

from forger.data.images import Data
from forger.games.base import Game
from forger.pictures.request import Request

Picture = Callable[[Game, Data, Request], list[Image.Image]]

# Where each picture is drawn: modules are imported when asked for.
PICTURES = {
    "grid": "forger.pictures.generation",
    "classes": "forger.pictures.generation",
}


def picture(name: str) -> Picture:
    """The function that draws a picture: ``latent-map`` is ``latent_map`` of its module.

    Raises:
        ValueError: there is no such picture.
    """
    if name not in PICTURES:
        raise ValueError(f"no picture '{name}': there are {', '.join(PICTURES)}")
    return getattr(import_module(PICTURES[name]), name.replace("-", "_"))


def draw(game: Game, data: Data, request: Request, name: str | None = None) -> list[Image.Image]:
    """One picture, or the frames of a moving one; the game's natural picture without a name.

    Raises:
        ValueError: the game can't draw this.
    """
    name = name or game.draws[0]
    if name not in game.draws:
        raise ValueError(f"this run can't draw '{name}': it draws {', '.join(game.draws)}")
    return picture(name)(game, data, request)
