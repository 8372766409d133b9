"""The page: which parts it has and what its script knows of the game."""

from typing import Any

from forger.data.conditions import Attribute
from forger.data.pixels.ranges import BYTES
from forger.games.abilities import Discriminates, Enlarges, Reconstructs, SamplesLatents, Translates
from forger.pages.rendering import rendered
from forger.pictures import drawable
from forger.pictures.latents import has_styles
from forger.pictures.planes import is_normal
from forger.pictures.request import COUNTS
from forger.play.answering import offered
from forger.play.latents import planes
from forger.play.playing import MOST, Playing

#: Bytes of a picture file that is sent.
MOST_SENT = 16 * 2**20
#: In this order one script.
_PARTS = ("start", "pins", "samples", "walk", "plane", "pad", "handed", "drawing", "end")
_SECTIONS = {"samples": "Samples", "walk": "Walk", "plane": "Plane", "handed": "Your picture", "drawing": "Pictures"}
#: What becomes of a picture that is handed over, by what the game offers.
_DOES = (
    (Enlarges, "Choose a picture: the game enlarges it."),
    (Translates, "Choose a picture: the game translates it."),
    (Reconstructs, "Choose or draw a picture: it is encoded and decoded."),
    (Discriminates, "Choose or draw a picture: is it real, in the discriminator’s opinion?"),
)


def page(playing: Playing) -> str:
    """The page of a game as HTML."""
    return rendered("forger.play", page_data(playing), _PARTS, served=True, **_shown(playing))


def page_data(playing: Playing) -> dict[str, Any]:
    """What the script knows of the game."""
    samples = playing.read.config.samples
    return {
        "can": list(offered(playing)),
        "seed": playing.read.config.seed,
        "n": min(samples.n, 24),
        "shape": list(playing.data.shape),
        "classes": playing.classes,
        "conditions": [
            {"name": each.name, "values": list(each.values)}
            for each in playing.conditions
            if isinstance(each, Attribute)
        ],
        "judges": isinstance(playing.game, Discriminates),
        "mostBytes": MOST_SENT,
        # Others show something at once by themselves, or take long to draw while uploads would wait.
        "draws": playing.data.kind == "points" or isinstance(playing.game, Translates),
        "pictures": {name: COUNTS.get(name, samples.n) for name in drawable(playing.game, playing.data)},
    }


def _shown(playing: Playing) -> dict[str, Any]:
    """What the template shows."""
    read, game, can = playing.read, playing.game, offered(playing)
    record, shape = read.folder.read(), playing.data.shape
    there = planes(playing) if "plane" in can else {}
    return {
        "can": can,
        "sections": {place: name for place, name in _SECTIONS.items() if place in can},
        "run": {"name": record.name, "path": str(read.folder), "status": record.status},
        "game": type(game).__name__,
        "checkpoint": read.checkpoint.stem,
        "images": game.shown,
        "averaged": game.averaged and "--raw-weights" not in playing.options,
        "labelled": bool(playing.classes or playing.conditions),
        "conditions": playing.conditions,
        # A place of the page is one of z, and styles are truncated in W.
        "truncates": isinstance(game, SamplesLatents) and not has_styles(game),
        "judges": isinstance(game, Discriminates),
        "most": MOST,
        "latent": game.latent if there else None,
        "normal": bool(there) and is_normal(game),
        "planes": there,
        # The latent plane of a prior is one and the same, whatever the seed.
        "seeded": bool(there) and (game.latent != 2 or not isinstance(game, SamplesLatents)),
        "does": next((words for ability, words in _DOES if isinstance(game, ability)), ""),
        "both_ways": isinstance(game, Translates) and len(game.directions) > 1,
        # A pad's picture is grey or RGB, of 8 bits.
        "paintable": isinstance(game, Reconstructs | Discriminates)
        and playing.values == BYTES
        and playing.data.kind == "images"
        and shape[0] in (1, 3),
        "width": shape[-1],
        "height": shape[-2] if len(shape) > 1 else 1,
    }
