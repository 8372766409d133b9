"""Whatever is sent, there is a line that says what is wrong with it, and the next request is answered."""

import io
import json
import re
import struct
import zlib
from base64 import b64encode
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from forger.errors import ConfigError
from forger.play.answering import answered
from forger.play.page import page
from forger.play.playing import Playing
from play.asking import ask, file

PLACE = [0.0] * 32
UNTOLD = {"what": "walk", "from": PLACE, "to": PLACE, "from_label": 1}


def told(playing, fields) -> tuple[int, str]:
    """The status of a request, and the error in the answer."""
    status, answer = answered(playing, fields if isinstance(fields, bytes) else json.dumps(fields).encode())
    assert answered(playing, b'{"what": "samples", "n": 1}')[0] == 200
    return status, json.loads(answer).get("error", "")


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        (b"{", "no JSON: "),
        (b"\xff", "no JSON: "),
        (b"[" * 100_000, "no JSON: "),
        (b'{"what": "samples", "n": NaN}', "no JSON: NaN is no number"),
        (b'{"what": "samples", "n": 1' + b"0" * 5000 + b"}", "no JSON: "),
        ([1], "a request is a JSON object"),
        ({}, "what: "),
        ({"what": "sampels"}, "what: did you mean 'samples'?"),
        ({"what": ["samples"]}, "what: "),
        ({"what": "../../etc/passwd"}, "what: "),
        ({"what": "samples", "n": 10**9}, "n: must be a whole number from 1 to 100"),
        ({"what": "samples", "n": 0}, "n: must be a whole number from 1 to 100"),
        ({"what": "samples", "n": "9"}, "n: must be a whole number"),
        ({"what": "samples", "n": True}, "n: must be a whole number"),
        ({"what": "samples", "seed": -1}, "seed: must be a whole number from 0"),
        ({"what": "samples", "seed": 1.5}, "seed: must be a whole number from 0"),
        ({"what": "samples", "seed": 2**63}, "seed: must be a whole number from 0"),
        ({"what": "samples", "truncation": 1e9}, "truncation: must be a number from 0 to 10"),
        ({"what": "samples", "truncation": 10**400}, "truncation: must be a number from 0 to 10"),
        ({"what": "samples", "labels": [10]}, "must be classes from 0 to 9"),
        ({"what": "samples", "labels": [-1]}, "must be classes from 0 to 9"),
        ({"what": "samples", "labels": "3"}, "labels: must be a list of classes"),
        ({"what": "samples", "labels": [1] * 1001}, "labels: must be a list of classes, at most 1,000"),
        ({"what": "samples", "labels": [True]}, "labels: must be a list of classes"),
        ({"what": "samples", "conditions": [{"age": 3}]}, "this run's game has no conditions to ask for"),
        ({"what": "samples", "conditions": {"age": 3}}, "conditions: must be a list of objects"),
        ({**UNTOLD, "share": 0.5, "to_label": 10}, "to_label: must be a whole number from 0 to 9"),
        ({**UNTOLD, "share": 0.5}, "to_label: must be a whole number from 0 to 9"),
        ({**UNTOLD, "share": 2}, "share: must be a number from 0 to 1"),
        ({**UNTOLD, "share": 0.5, "from": PLACE[:31]}, "from: must be 32 finite numbers"),
        ({**UNTOLD, "share": 0.5, "from": [*PLACE[:31], "0"]}, "from: must be 32 finite numbers"),
        ({**UNTOLD, "share": 0.5, "from": [*PLACE[:31], 1e300]}, "from: its numbers are too large"),
        ({**UNTOLD, "share": 0.5, "from": [*PLACE[:31], 10**400]}, "from: must be 32 finite numbers"),
        ({"what": "plane", "plane": "pinned", "across": 0, "down": 0, "corners": [PLACE]}, "corners: must be 3 lists"),
        ({"what": "plane", "plane": "principal", "across": 0, "down": 0}, "plane: "),
        ({"what": "plane", "plane": "usual", "across": None, "down": 0}, "across: must be a number from 0 to 1"),
        ({"what": "drawing", "picture": "density"}, "picture: "),
        ({"what": "drawing", "picture": "grid", "n": 1001}, "n: must be a whole number from 1 to 1,000"),
        ({"what": "handed"}, "file: must be a file in base 64"),
        ({"what": "handed", "file": "-"}, "file: is not in base 64"),
    ],
)
def test_a_request_that_makes_no_sense(playing, fields, line):
    status, error = told(playing["gan"], fields)
    assert status == 400
    assert line in error
    assert "\n" not in error
    assert "Traceback" not in error


def test_a_game_that_has_diverged_says_so(playing, monkeypatch):
    monkeypatch.setattr(
        playing["gan"].game, "discriminate", lambda images, labels: torch.full((len(images),), torch.nan)
    )
    status, answer = answered(playing["gan"], b'{"what": "samples", "n": 2}')
    assert status == 500
    assert json.loads(answer)["error"].startswith("the answer is not finite: has the game diverged?")


def header(width: int, height: int) -> bytes:
    """A PNG that says it is this large, and holds nothing."""
    data = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + data + struct.pack(">I", zlib.crc32(data)) + b"\0\0\0\0IDAT"


def noise(format: str) -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((40, 40), 50).save(buffer, format)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("kind", "name", "content", "line"),
    [
        ("gan", "notes.txt", b"no picture", "notes.txt: no picture that this page reads"),
        ("gan", "empty.png", b"", "empty.png: no picture that this page reads"),
        ("gan", "page.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "page.svg: no picture that this page reads"),
        ("gan", "scan.tif", noise("TIFF"), "scan.tif: no picture that this page reads"),
        ("gan", "torn.png", noise("PNG")[:300], "torn.png: can't be read (image file is truncated"),
        ("gan", "bomb.png", header(5000, 5000), "bomb.png: too large: 5000×5000, and at most 16,777,216 pixels"),
        ("vae", "bomb.png", header(12_000, 12_000), "bomb.png: too large: at most 16,777,216 pixels"),
        ("vae", "bomb.png", header(60_000, 60_000), "bomb.png: too large: at most 16,777,216 pixels"),
        ("enlarger", "photo.png", header(800, 600), "photo.png: too large: 800×600, and at most 262,144 pixels"),
    ],
)
def test_a_file_that_is_no_picture_or_too_large(playing, kind, name, content, line):
    with pytest.raises(ValueError, match=re.escape(line)):
        ask(playing[kind], "handed", file=b64encode(content).decode(), name=name)


def test_a_deeper_picture_says_why_it_does_not_fit(playing):
    deep = file(np.full((8, 8), 40_000, np.uint16))
    with pytest.raises(ValueError, match=r"^picture: more than 8 bits a channel"):
        ask(playing["vae"], "handed", file=deep)
    with pytest.raises(ValueError, match=r"^name: must be a text"):
        ask(playing["vae"], "handed", file=deep, name=["x"])
    with pytest.raises(ValueError, match=r"^direction: did you mean 'ab'|^direction: \(valid: ab, ba\)"):
        ask(playing["cycle"], "handed", file=file(np.zeros((8, 8), np.uint8)), direction="ac")


def test_data_that_are_not_here_are_missed_only_when_they_are_needed(playing):
    """Most of a stranger's run needs no data; the rest says how to name them."""
    read = replace(playing["vae"].read, given={})
    known = {name: getattr(read.data, name) for name in ("kind", "shape", "classes", "values", "conditions")}
    read.__dict__["data"] = Elsewhere(known)
    played = Playing(read)
    assert "Principal" in page(played).title()
    assert ask(played, "samples", n=1)["pictures"]
    status, error = told(played, {"what": "plane", "plane": "principal", "across": 0, "down": 0})
    assert (status, error) == (400, "name the data's folder yourself, data.root=FOLDER")


class Elsewhere(SimpleNamespace):
    """Data that can't be read."""

    def __init__(self, known):
        super().__init__(**known)

    def __getattr__(self, name):
        raise ConfigError("name the data's folder yourself, data.root=FOLDER")
