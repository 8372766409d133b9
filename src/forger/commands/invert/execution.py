"""Latents of pictures that somebody hands over."""

import sys
import time
from collections.abc import Mapping
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from forger.console import say, show_lines
from forger.data.pixels.decoding import decode
from forger.data.pixels.layout import Layout
from forger.errors import ConfigError
from forger.inversion import Inversion
from forger.lifecycle.restore import Restored, restored
from forger.metrics.functional.image_quality import decibels
from forger.pictures import latent_files
from forger.pictures.handed import handed
from forger.pictures.image_files import save_picture, tiles
from forger.pictures.latents import asked_labels, classes_to_ask, conditions_to_ask
from forger.pictures.layout import captioned, stacked
from forger.pictures.request import Request
from forger.standard_streams import printable

#: Pictures in a row of the sheet, and most of them on it.
_COLUMNS, _SHOWN = 16, 96


def invert(run: str, options: Mapping[str, Any], places: Mapping[str, str]) -> int:
    """Write the latents of pictures and print where they are.

    Args:
        run: a run folder.
        options: those of the command that were given.
        places: the reader's, by key: ``data.root``.

    Raises:
        ConfigError: no pictures, an output that is there, or a game that makes no images from latents.
    """
    show_lines()
    if "input" not in options:
        raise ConfigError("--input PATH: name a picture, or a folder of them")
    given = Path(options["input"])
    if not given.exists():
        raise ConfigError(f"--input {given}: no such file or folder")
    trust, mixture = "trust" in options, options.get("mixture")
    read = restored(run, options.get("checkpoint"), trust=trust, places=places, mixture=mixture)
    if "out" not in options:
        read.folder.refuse_links_out()
    out = Path(options.get("out", read.folder.samples / "inverted"))
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise ConfigError(f"--out {out}: is there already; name a new folder")
    values, begun = read.game.values, time.monotonic()

    def progress(step: int, error: float) -> None:
        say(f"step {step}: {decibels(error, 2):.1f} dB (median), {time.monotonic() - begun:.0f} s")

    with read.game.live_weights() if "raw-weights" in options else nullcontext():
        space, seed = options.get("space", "z"), options.get("seed", read.config.seed)
        starts, steps = options.get("starts", 4), options.get("steps", 300)
        search = Inversion(read.game, starts=starts, steps=steps, seed=seed, space=space)
        names, pixels = _pictures(read, given, options.get("n"))
        found = search.found(values.to_float(pixels), _labels(read, options, len(pixels)), progress)
    decibel = np.array([decibels(error, 2) for error in found.errors.tolist()])
    about = {"psnr": decibel, "names": np.array(names)}
    latent_files.write(out / "latents.npz", found.z, found.labels, space, **about)
    save_picture([_sheet(values.drawn(pixels), values.drawn(values.to_pixels(found.images)))], out / "inverted.png")
    print(printable(str(out)) if sys.stdout.isatty() else out)
    return 0


def _pictures(read: Restored, given: Path, n: int | None) -> tuple[list[str], Tensor]:
    """Names of pictures, and their pixels (n, c, h, w) in the layout of the run's data."""
    channels, height, width = read.data.shape
    layout = Layout(channels, height, width, read.config.data.fit or "crop", read.game.values.depth)
    names = dict(islice(handed(given).items(), n))
    return [str(name) for name in names.values()], torch.stack([decode(path, layout)[0] for path in names])


def _labels(read: Restored, options: Mapping[str, Any], n: int) -> Tensor | None:
    """The labels (n,) or (n, k) that were named for the pictures."""
    name = "condition" if "condition" in options else "labels"
    if name not in options:
        return None
    try:
        if name == "condition":
            asked = Request(seed=options.get("seed", 0), conditions=(conditions_to_ask(read.game, options[name]),))
            return asked_labels(read.game, read.data, asked, n)
        texts = options[name].split(",")
        classes = classes_to_ask(read.game, (int(text) if text.strip().isdecimal() else -1 for text in texts))
    except ValueError as error:
        raise ConfigError(f"--{name} {options[name]}: {error}") from None
    if len(classes) not in (1, n):
        raise ConfigError(f"--labels {options[name]}: one class, or one for each of the {n} pictures")
    return torch.tensor(classes * n if len(classes) == 1 else classes)


def _sheet(pictures: Tensor, found: Tensor) -> Image.Image:
    """Pictures (n, c, h, w), each above what was found."""
    rows = []
    for start in range(0, min(len(pictures), _SHOWN), _COLUMNS):
        pair = [each[start : min(start + _COLUMNS, _SHOWN)] for each in (pictures, found)]
        rows.append(captioned(tiles(torch.cat(pair), len(pair[0])), rows=["picture", "found"]))
    return stacked(rows)
