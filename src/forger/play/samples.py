"""Answers for games that make new images, and every picture that `forger sample` draws."""

from typing import Any

from forger.games.abilities import SamplesLatents
from forger.pictures import draw, drawable
from forger.pictures.image_files import encoded
from forger.pictures.latents import asked_labels
from forger.pictures.latents import samples as made
from forger.pictures.request import COUNTS
from forger.play.playing import Playing, data_url
from forger.play.requests import Asked

#: Most samples of a drawn picture: thousands of tiles would keep everybody waiting.
_MOST = 1000


def samples(playing: Playing, asked: Asked) -> dict[str, Any]:
    """New samples by seed, to the bit those of `forger sample`."""
    request, typed = playing.request(asked)
    labels = asked_labels(playing.game, playing.data, request, request.n)
    images = made(playing.game, playing.data, request, playing.values)
    z = None
    if isinstance(playing.game, SamplesLatents):
        z = request.truncation * playing.game.latents(request.n, request.stream())
    return {
        "pictures": playing.pictures(images, labels, z),
        "command": playing.command("--what", "raw", *typed, "--out", f"seed-{request.seed}/"),
    }


def drawing(playing: Playing, asked: Asked) -> dict[str, Any]:
    """One of the pictures that the game can draw, the file that `forger sample` writes."""
    name = asked.choice("picture", drawable(playing.game, playing.data))
    request, typed = playing.request(asked, COUNTS.get(name, playing.read.config.samples.n), _MOST)
    frames = draw(playing.game, playing.data, request, name)
    kind = "gif" if len(frames) > 1 else "png"
    return {
        "src": data_url(encoded(frames, kind), f"image/{kind}"),
        "width": frames[0].width,
        "height": frames[0].height,
        "command": playing.command("--what", name, *typed, "--out", f"{name}.{kind}"),
    }
