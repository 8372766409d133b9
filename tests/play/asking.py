"""Requests and answers in tests."""

import base64
import io
import shlex
from typing import Any

import numpy as np
from PIL import Image

from forger import cli
from forger.play.answering import answer
from forger.play.playing import Playing


def ask(playing: Playing, what: str, **fields: Any) -> dict[str, Any]:
    return answer(playing, {"what": what, **fields})


def content(source: str) -> bytes:
    """The file in a data URL."""
    return base64.b64decode(source.partition(",")[2])


def pixels(picture: dict[str, Any]) -> np.ndarray:
    """uint8 (h, w) or (h, w, 3) of a picture in an answer."""
    with Image.open(io.BytesIO(content(picture["src"]))) as image:
        assert image.size == (picture["width"], picture["height"])
        return np.asarray(image)


def obeyed(command: str) -> None:
    """Do what somebody does who copies the command."""
    program, *arguments = shlex.split(command)
    assert program == "forger"
    assert cli.main(arguments) == 0


def file(image: Image.Image | np.ndarray, format: str = "PNG") -> str:
    """A picture file in base 64, as the page sends it."""
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, format)
    return base64.b64encode(buffer.getvalue()).decode()
