"""Answers about pictures that somebody draws or hands over."""

import io
import warnings
from typing import Any

from PIL import Image
from torch import Tensor

from forger.data.pixels.decoding import read
from forger.data.pixels.layout import Fit, Layout, Pixels
from forger.errors import Unfit
from forger.games.abilities import Direction, Discriminates, Enlarges, Reconstructs, Translates
from forger.metrics.evaluations.translation import translated
from forger.pictures.enlargement import enlarged
from forger.pictures.handed import reconstructed
from forger.pictures.latents import asked_labels
from forger.play.playing import Playing
from forger.play.requests import Asked

#: What is read: formats that Pillow opens without decoding them, so that their size is known before.
_FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "PPM", "WEBP")
#: Pixels of a picture that is read, and of one that is enlarged: a minute of one thread, for everybody.
MOST_PIXELS, MOST_ENLARGED = 2**24, 2**18
_FITTED: dict[Fit, str] = {
    "crop": "its middle cut out and resized",
    "pad": "all of it resized, within a border",
    "stretch": "stretched",
    "none": "refused",
}


def handed(playing: Playing, asked: Asked) -> dict[str, Any]:
    """A picture as the game's data have pictures, and what the game makes of it.

    `given` is the first; `made` the second, where there is one; `notes` what was done to the file; `z` its code;
    `opinions` what the discriminator thinks of it, for each class or for what is asked for.
    """
    game = playing.game
    pixels, notes = _pixels(playing, asked.file("file"), asked.text("name", "picture"))
    answer: dict[str, Any] = {"given": playing.pictures(pixels[None], judged=False)[0], "notes": notes}
    made: Tensor | None = None
    if isinstance(game, Enlarges):
        made = enlarged(game, pixels, playing.values)[None]
    elif isinstance(game, Translates):
        directions: dict[str, Direction] = {each: each for each in game.directions}
        direction = directions[asked.choice("direction", directions, "ab")]
        made = translated(game, pixels[None], direction)
    elif isinstance(game, Reconstructs):
        answer["z"] = game.encode(playing.values.to_float(pixels[None]))[0].tolist()
        made = reconstructed(game, pixels[None], playing.values)
    if made is not None:
        answer["made"] = playing.pictures(made, judged=False)[0]
    if isinstance(game, Discriminates):
        answer["opinions"] = _opinions(playing, asked, pixels)
    return answer


def _opinions(playing: Playing, asked: Asked, pixels: Tensor) -> list[dict[str, Any]]:
    request, _ = playing.request(asked, usual=1)
    n = 1 if playing.conditions else len(request.labels or ()) or playing.classes or 1
    labels = asked_labels(playing.game, playing.data, request, n)
    images = playing.values.to_float(pixels[None]).expand(n, -1, -1, -1)
    opinions = playing.game.discriminate(images, labels).tolist()
    words = [""] * n if labels is None else [playing.named(label) for label in labels]
    return [{"words": each, "d": d} for each, d in zip(words, opinions, strict=True)]


def _pixels(playing: Playing, content: bytes, name: str) -> tuple[Tensor, list[str]]:
    """A picture file as an image of the data (c, h, w), or to be enlarged at its own size, and what was done to it."""
    channels, height, width = playing.data.shape
    depth, fit = playing.values.depth, playing.read.config.data.fit or "crop"
    whole = isinstance(playing.game, Enlarges)
    found: list[tuple[int, int]] = []

    def opened() -> Image.Image:
        picture = _opened(content, MOST_ENLARGED if whole else MOST_PIXELS)
        found.append(picture.size)
        return picture

    wanted = Pixels(channels, depth) if whole else Layout(channels, height, width, fit, depth)
    pixels, notes = read(name, opened, wanted)
    if isinstance(wanted, Layout) and found[0] != (width, height):
        notes = [note for note in notes if not note.startswith("enlarged")]
        notes.append(f"{found[0][0]}×{found[0][1]} made {width}×{height}: {_FITTED[fit]}")
    return pixels, notes


def _opened(content: bytes, most: int) -> Image.Image:
    """A picture that is not decoded yet."""
    Image.init()
    formats = [name for name in _FORMATS if name in Image.OPEN]
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            picture = Image.open(io.BytesIO(content), formats=formats)
        except Image.UnidentifiedImageError:
            raise Unfit(
                f"no picture that this page reads ({', '.join(formats)}); `forger sample --input` takes more"
            ) from None
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise Unfit(f"too large: at most {most:,} pixels") from None
    if picture.width * picture.height > most:
        size = f"{picture.width}×{picture.height}"
        raise Unfit(f"too large: {size}, and at most {most:,} pixels; `forger sample --input` takes any")
    return picture
