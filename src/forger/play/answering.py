"""Requests of the page to answers, both as JSON has them; no browser and no server is needed for that."""

import json
from collections.abc import Callable
from typing import Any

from forger.config.explain import explain
from forger.errors import ConfigError
from forger.games.abilities import Discriminates, Enlarges, Reconstructs, Samples, SamplesLatents, Translates
from forger.pictures import drawable
from forger.play.handed import handed
from forger.play.latents import latent_map, plane, walk
from forger.play.playing import Playing
from forger.play.requests import Asked
from forger.play.samples import drawing, samples

Answer = Callable[[Playing, Asked], dict[str, Any]]


def offered(playing: Playing) -> dict[str, Answer]:
    """What this game's page may ask for."""
    game, images = playing.game, playing.data.kind == "images"
    drawn = bool(drawable(game, playing.data)) and (images or playing.data.shape[0] <= 2)
    places = isinstance(game, SamplesLatents | Reconstructs) and images
    takes = isinstance(game, Reconstructs | Translates | Enlarges | Discriminates) and images
    return {
        **({"samples": samples} if images and isinstance(game, Samples) else {}),
        **({"walk": walk, "map": latent_map, "plane": plane} if places else {}),
        **({"handed": handed} if takes else {}),
        **({"drawing": drawing} if drawn else {}),
    }


def check(playing: Playing) -> None:
    """Refuse a game of which there is nothing to be seen.

    Raises:
        ConfigError: why.
    """
    if not offered(playing):
        what = f"points of {playing.data.shape[0]} dimensions" if playing.data.kind == "points" else "nothing it makes"
        raise ConfigError(
            f"{playing.read.folder}: {what} can't be shown; `forger sample --what raw` writes its samples"
        )


def answer(playing: Playing, content: Any) -> dict[str, Any]:
    """The answer to a request, in what was decoded from JSON: ``{"what": "samples", "n": 16, "seed": 1}``.

    Raises:
        ValueError: the request makes no sense, or asks for something that this game or its data do not have.
    """
    asked, answers = Asked.of(content), offered(playing)
    return answers[asked.choice("what", answers)](playing, asked)


def answered(playing: Playing, body: bytes) -> tuple[int, bytes]:
    """The HTTP status and the answer to what a browser sent; whatever that is, there is one: ``{"error": LINE}``."""
    try:
        content = json.loads(body, parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        return 400, failed(f"no JSON: {error}")
    try:
        found = answer(playing, content)
    except Exception as error:
        line, code = explain(error)
        wrong = isinstance(error, ValueError) or code == ConfigError.exit_code
        return 400 if wrong else 500, failed(line)
    try:
        return 200, json.dumps(found, allow_nan=False).encode()
    except ValueError:
        return 500, failed("the answer is not finite: has the game diverged? (forger runs says so)")


def failed(line: str) -> bytes:
    """An answer that is none."""
    return json.dumps({"error": line}).encode()


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is no number")
