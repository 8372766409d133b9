"""Answers for games that decode: walks and planes in their latent space."""

from typing import Any

import torch
from torch import Tensor

from forger.games.abilities import Reconstructs, Samples, SamplesLatents
from forger.pictures.latents import decoded, labelled_rows, truncated
from forger.pictures.planes import Plane, between, plane_through, principal_plane, usual_plane
from forger.pictures.request import Request
from forger.play.playing import Playing, as_png, data_url
from forger.play.requests import Asked

#: Pixels that a map is about as wide as, and the fewest and the most of its tiles.
_WIDTH, _TILES = 320, (7, 11)
#: Encoded images whose principal directions span a plane.
_ENCODED = 2000


def planes(playing: Playing) -> dict[str, str]:
    """The planes that this game has, the usual one first, in words."""
    seeded = "three latents, by seed" if isinstance(playing.game, SamplesLatents) else "three test images, by seed"
    if playing.game.latent == 2:
        return {"usual": "the latent plane"}
    found = {"usual": seeded, "pinned": "the three pinned pictures"}
    if isinstance(playing.game, Reconstructs) and playing.game.latent > 2:
        return {"principal": "principal directions", **found}
    return found


def side(playing: Playing) -> int:
    """Tiles in a row of a map."""
    least, most = _TILES
    return min(max(_WIDTH // max(playing.data.shape[1:]), least), most)


def walk(playing: Playing, asked: Asked) -> dict[str, Any]:
    """The picture at some share of the way from one latent to another, with the label of the nearer one."""
    game = playing.game
    a, b = (asked.latents(name, game.latent) for name in ("from", "to"))
    share = asked.number("share")
    label = _label(playing, asked, "from_label" if share < 0.5 else "to_label")
    return _at(playing, between(game, a, b, share), label)


def plane(playing: Playing, asked: Asked) -> dict[str, Any]:
    """The picture at a place of a plane."""
    across, down = (torch.tensor([asked.number(name)]) for name in ("across", "down"))
    request, _ = playing.request(asked)
    _, label = _told(playing, request)
    return _at(playing, _plane(playing, asked, request)(across, down), label)


def latent_map(playing: Playing, asked: Asked) -> dict[str, Any]:
    """A plane as a map, its pictures side by side; of the usual plane those that `forger sample` draws."""
    n = side(playing)
    request, typed = playing.request(asked, n * n, n * n)
    line = torch.linspace(0, 1, n)
    down, across = torch.cartesian_prod(line, line).T
    name, label = _told(playing, request)
    z = _plane(playing, asked, request)(across, down)
    images = decoded(playing.game, z, None if label is None else label.repeat_interleave(len(z), 0), playing.values)
    channels, height, width = images.shape[1:]
    mosaic = images.reshape(n, n, channels, height, width).permute(2, 0, 3, 1, 4).reshape(1, channels, n * height, -1)
    seen = playing.seen(mosaic)[0]
    answer = {"src": data_url(as_png(seen)), "width": seen.shape[2], "height": seen.shape[1], "side": n, "words": name}
    if asked.choice("plane", planes(playing)) == "usual":
        answer["command"] = playing.command("--what", "latent-map", *typed, "--out", "latent-map.png")
    return answer


def _plane(playing: Playing, asked: Asked, request: Request) -> Plane:
    game, kind = playing.game, asked.choice("plane", planes(playing))
    if kind == "pinned":
        return plane_through(game, asked.latents("corners", game.latent, 3))
    key = f"{kind} {request.seed} {request.truncation}"
    if key not in playing.planes:
        playing.planes.clear()
        playing.planes[key] = _usual(playing, request) if kind == "usual" else _principal(playing)
    return playing.planes[key]


def _usual(playing: Playing, request: Request) -> Plane:
    plane = usual_plane(playing.game, playing.data, request)
    return lambda across, down: truncated(playing.game, plane(across, down), None, request.truncation)


def _principal(playing: Playing) -> Plane:
    images = playing.data.validation.arrays["image"][:_ENCODED]
    if len(images) < 3:
        raise ValueError(f"{len(images)} validation images: principal directions need three")
    return principal_plane(playing.game, playing.values.to_float(images))


def _told(playing: Playing, request: Request) -> tuple[str, Tensor | None]:
    """What of all that is asked for a plane shows: the first label, as `forger sample --what latent-map` does."""
    rows = labelled_rows(playing.game, playing.data, request)[:1]
    return (playing.named(rows[0][1][0]), rows[0][1]) if rows else ("", None)


def _label(playing: Playing, asked: Asked, name: str) -> Tensor | None:
    if not isinstance(playing.game, Samples):
        return None
    return asked.label(name, playing.classes, playing.conditions)


def _at(playing: Playing, z: Tensor, label: Tensor | None) -> dict[str, Any]:
    images = decoded(playing.game, z, label, playing.values)
    return {"picture": playing.pictures(images, label, z)[0], "python": playing.python(z, label)}
