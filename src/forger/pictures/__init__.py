"""Pictures of what a game makes, by name; a game says in ``draws`` which it can give, its natural one first."""

from collections.abc import Callable
from importlib import import_module

from PIL import Image

from forger.data.dataset import Data
from forger.games.base import Game
from forger.pictures.request import Request

Picture = Callable[[Game, Data, Request], list[Image.Image]]

# Where each picture is drawn: modules are imported when asked for.
PICTURES = {
    "grid": "forger.pictures.generation",
    "classes": "forger.pictures.generation",
    "walk": "forger.pictures.generation",
    "latent-map": "forger.pictures.generation",
    "neighbours": "forger.pictures.generation",
    "density": "forger.pictures.density",
    "reconstructions": "forger.pictures.autoencoding",
    "codes": "forger.pictures.autoencoding",
    "translations": "forger.pictures.translation",
    "cycles": "forger.pictures.translation",
    "enlargements": "forger.pictures.enlargement",
}


def picture(name: str) -> Picture:
    """The function that draws a picture: ``latent-map`` is ``latent_map`` of its module.

    Raises:
        ValueError: there is no such picture.
    """
    if name not in PICTURES:
        raise ValueError(f"no picture '{name}': there are {', '.join(PICTURES)}")
    return getattr(import_module(PICTURES[name]), name.replace("-", "_"))


def drawable(game: Game, data: Data) -> tuple[str, ...]:
    """Names of what the game can draw of these data, its natural picture first; ``raw`` is mere samples."""
    of_points = ("density", "raw")
    return tuple(
        name
        for name in game.draws
        if (name in of_points if data.kind == "points" else name != "density")
        and (name != "classes" or getattr(game, "classes", 0))
    )


def draw(game: Game, data: Data, request: Request, name: str | None = None) -> list[Image.Image]:
    """One picture, or the frames of a moving one; the game's natural picture without a name.

    Raises:
        ValueError: the game can't draw this.
    """
    possible = drawable(game, data)
    name = name or possible[0]
    if name not in possible or name == "raw":
        raise ValueError(f"this run can't draw '{name}': it draws {', '.join(possible)}")
    return picture(name)(game, data, request)
