"""Pictures of what a game makes, by name; what a game offers says which it can draw."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from PIL import Image

from forger.data.dataset import Data
from forger.games.abilities import (
    Answers,
    Denoises,
    Enlarges,
    Reconstructs,
    Samples,
    SamplesLatents,
    Styles,
    Translates,
)
from forger.pictures.latents import has_styles
from forger.pictures.request import Request

Picture = Callable[[Any, Data, Request], list[Image.Image]]

# What a game must offer for each picture, and the module that draws it, imported when asked for. Of those that a game
# can draw the first is its natural one.
PICTURES = {
    "classes": (SamplesLatents, "generation"),
    "grid": (Samples, "generation"),
    "density": (Samples, "density"),
    "translations": (Translates, "translation"),
    "cycles": (Translates, "translation"),
    "enlargements": (Enlarges, "enlargement"),
    "reconstructions": (Reconstructs, "autoencoding"),
    "codes": (Reconstructs, "autoencoding"),
    "walk": ((SamplesLatents, Reconstructs), "generation"),
    "latent-map": ((SamplesLatents, Reconstructs), "generation"),
    "neighbours": (Samples, "generation"),
    "denoising": (Denoises, "generation"),
    "mixing": (Styles, "styles"),
    "directions": ((SamplesLatents, Reconstructs), "styles"),
}


def picture(name: str) -> Picture:
    """The function that draws a picture: ``latent-map`` is ``latent_map`` of its module.

    Raises:
        ValueError: there is no such picture.
    """
    if name not in PICTURES:
        raise ValueError(f"no picture '{name}': there are {', '.join(PICTURES)}")
    return getattr(import_module(f"{__name__}.{PICTURES[name][1]}"), name.replace("-", "_"))


def drawable(game: Answers, data: Data) -> tuple[str, ...]:
    """Names of the pictures that the game can draw of these data, its natural one first."""
    labelled = isinstance(game, Samples) and bool(game.classes or game.conditions)
    has = {"classes": labelled, "mixing": has_styles(game), "directions": not isinstance(game, Denoises)}
    has["cycles"] = isinstance(game, Translates) and len(game.directions) > 1
    return tuple(
        name
        for name, (needed, _) in PICTURES.items()
        if isinstance(game, needed) and (name == "density") == (data.kind == "points")
        if has.get(name, True)
    )


def draw(game: Answers, data: Data, request: Request, name: str | None = None) -> list[Image.Image]:
    """One picture, or the frames of a moving one; the game's natural picture without a name.

    Raises:
        ValueError: the game can't draw this.
    """
    possible = drawable(game, data)
    name = name or next(iter(possible), "anything")
    if name not in possible:
        raise ValueError(f"this run can't draw '{name}': it draws {', '.join(possible) or 'nothing'}")
    return picture(name)(game, data, request)
