"""A model card and its picture, as the files that go beside what was exported."""

import io
import json
from collections.abc import Mapping
from contextlib import nullcontext

from forger.errors import ConfigError
from forger.export.card import model_card
from forger.export.writing import Format
from forger.files import content_of
from forger.lifecycle.restore import Restored
from forger.pictures import draw
from forger.pictures.request import Request

#: The picture beside a card.
_PICTURE = "samples.png"
#: Most bytes of a picture that is copied.
_MOST = 20_000_000


def card_files(
    read: Restored, about: Mapping[str, str], form: Format, *, raw_weights: bool = False
) -> dict[str, bytes]:
    """``README.md``, and the picture that it shows.

    Args:
        read: the run.
        about: what each exported file says of itself, JSON, by the file's name.
        form: of the files.
        raw_weights: whether they hold the live weights.
    """
    picture = _picture(read, raw_weights=raw_weights)
    text = model_card(
        read.folder.read(),
        {name: json.loads(document) for name, document in about.items()},
        form,
        watched=read.config.watch.action != "none",
        picture=None if picture is None else _PICTURE,
    )
    return {"README.md": text.encode()} | ({} if picture is None else {_PICTURE: picture})


def _picture(read: Restored, *, raw_weights: bool) -> bytes | None:
    """What the run has drawn by these weights, else the same drawn now; None where data to draw from are not here."""
    drawn, inside = read.folder.samples / f"{read.game.shown:09d}.png", read.folder.path.resolve()
    # A link out of a stranger's run may lead to what is not to be published.
    if drawn.is_file() and drawn.resolve().is_relative_to(inside) and not raw_weights:
        return content_of(drawn, _MOST)
    try:
        with read.game.live_weights() if raw_weights else nullcontext():
            frames = draw(read.game, read.data, Request(n=read.config.samples.n, seed=read.config.seed))
    except ConfigError:
        return None
    buffer = io.BytesIO()
    frames[0].save(buffer, "PNG")
    return buffer.getvalue()
