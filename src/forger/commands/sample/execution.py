"""Pictures and samples of a trained game."""

import io
import re
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from forger.console import show_lines
from forger.data.conditions import in_words
from forger.data.dataset import Data
from forger.data.pixels.decoding import as_tensor
from forger.data.pixels.layout import Layout
from forger.data.pixels.picture_files import picture_file
from forger.data.pixels.ranges import BYTES
from forger.errors import ConfigError, closest
from forger.files import write_atomically
from forger.games.abilities import Decodes, Samples
from forger.games.base import Game
from forger.lifecycle.restore import Restored, restored
from forger.pictures import draw, drawable, latent_files, picture
from forger.pictures.handed import MAKERS, handed, made
from forger.pictures.image_files import save_picture, training_frames
from forger.pictures.latents import asked_labels, classes_to_ask, conditions_to_ask, samples
from forger.pictures.layout import stacked
from forger.pictures.request import COUNTS, Request
from forger.standard_streams import printable

#: Most frames of a moving picture that are shown in a still one.
_STRIP = 12


def sample(run: str, options: Mapping[str, Any], places: Mapping[str, str]) -> int:
    """Write what is asked for and print its path.

    Args:
        run: a run folder.
        options: those of the command that were given.
        places: the reader's, by key: ``data.root``.

    Raises:
        ConfigError: an option that makes no sense for this run.
    """
    show_lines()
    trust, mixture = "trust" in options, options.get("mixture")
    read = restored(run, options.get("checkpoint"), trust=trust, places=places, mixture=mixture)
    name = _picture_name(read.game, read.data, options)
    live = read.game.live_weights() if "raw-weights" in options else nullcontext()
    if "input" in options:
        with live:
            print(_write_handed(read, name, options))
        return 0
    request = _request(read, options, name)
    out = options.get("out")
    if not out:
        read.folder.refuse_links_out()
    path = Path(out) if out else read.folder.samples / _file_name(name)
    with live:
        if (out and out.endswith("/")) or path.is_dir():
            _write_folder(path, read, name, request)
        elif name == "raw":
            _write_arrays(path, read, request)
        else:
            _write_picture(path, read, name, request)
    print(printable(str(path)) if sys.stdout.isatty() else path)
    return 0


# What is asked for ------------------------------------------------------------------------------------------


def _picture_name(game: Game, data: Data, options: Mapping[str, Any]) -> str:
    possible = (*drawable(game, data), *(["raw"] if isinstance(game, Samples) else []))
    if "latents" in options:
        possible = ("grid", "raw") if isinstance(game, Decodes) else ()
    if not possible:
        raise ConfigError(f"this run's {type(game).__name__} offers nothing that could be drawn")
    out = options.get("out", "")
    mere_samples = out.endswith((".npz", "/")) or (out and Path(out).is_dir())
    name = options.get("what") or ("raw" if mere_samples and "raw" in possible else possible[0])
    if name not in possible:
        raise ConfigError(f"--what {name}: this run can't draw that; {closest(name, possible)}")
    return name


def _request(read: Restored, options: Mapping[str, Any], name: str) -> Request:
    given = latent_files.read(Path(options["latents"]), read.game) if "latents" in options else None
    if given is not None and (drawn := [each for each in ("n", "seed", "labels", "condition") if each in options]):
        raise ConfigError(f"--{drawn[0]}: the file of --latents says it")
    return Request(
        n=options.get("n", COUNTS.get(name, read.config.samples.n)) if given is None else len(given[0]),
        seed=options.get("seed", read.config.seed),
        labels=_labels(options["labels"], read.game) if "labels" in options else None,
        conditions=tuple(_condition(text, read.game) for text in options.get("condition", ())),
        truncation=options.get("truncation", 1.0),
        given=given,
    )


def _labels(text: str, game: Game) -> tuple[int, ...]:
    labels = text.split(",")
    try:
        return classes_to_ask(game, (int(label) if label.strip().isdecimal() else -1 for label in labels))
    except ValueError as error:
        raise ConfigError(f"--labels {text}: {error}") from None


def _condition(text: str, game: Game) -> dict[str, float]:
    try:
        return conditions_to_ask(game, text)
    except ValueError as error:
        raise ConfigError(f"--condition {text}: {error}") from None


def _file_name(name: str) -> str:
    return "raw.npz" if name == "raw" else f"{name}.gif" if name == "walk" else f"{name}.png"


# What is written --------------------------------------------------------------------------------------------


def _write_picture(path: Path, read: Restored, name: str, request: Request) -> None:
    """A PNG, or a GIF: of a still picture that training has drawn, its frames through training."""
    if path.suffix.lower() not in (".png", ".gif"):
        raise ConfigError(f"--out {path}: '{name}' goes into a .png, a .gif or a folder/")
    moving = path.suffix.lower() == ".gif"
    frames = training_frames(read.folder.samples) if moving and name == drawable(read.game, read.data)[0] else []
    if request.given is not None:
        frames = picture("grid")(read.game, read.data, request)
    elif len(frames) < 2:
        frames = draw(read.game, read.data, request, name)
    if not moving and len(frames) > 1:
        frames = [stacked(frames[:: -(-len(frames) // _STRIP)])]
    save_picture(frames, path)


def _write_handed(read: Restored, name: str, options: Mapping[str, Any]) -> Path:
    """What the game makes of every picture of ``--input``, one file each under its own name; where they are."""
    given = Path(options["input"])
    if not given.exists():
        raise ConfigError(f"--input {given}: no such file or folder")
    if name not in MAKERS:
        raise ConfigError(f"--input {given}: '{name}' takes no pictures")
    names = handed(given)
    names = dict(islice(names.items(), options.get("n")))
    out = options.get("out", f"{read.folder.samples / name}/")
    single = given.is_file() and not out.endswith("/") and not Path(out).is_dir()
    if single and Path(out).suffix.lower() != ".png":
        raise ConfigError(f"--out {out}: what is made of a picture goes into a .png or a folder/")
    if not single and Path(out).suffix and not Path(out).is_dir() and not out.endswith("/"):
        raise ConfigError(f"--out {out}: what is made of {len(names)} pictures goes into a folder, {out}/")
    written: list[Path] = []
    files = {source: Path(out) if single else Path(out) / own for source, own in names.items()}
    for source, file in files.items():
        if file.exists() and file.samefile(source):
            raise ConfigError(f"--out {out}: {source} itself would be replaced; name another folder")
    channels, height, width = read.data.shape
    layout = Layout(channels, height, width, read.config.data.fit or "crop", read.game.values.depth)
    for source, file in files.items():
        suffix, content = picture_file(made(read.game, name, source, layout, read.game.values))
        file = file if file.suffix.lower() == suffix else file.with_suffix(suffix)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, content)
        written.append(file)
    return written[0] if given.is_file() else Path(out)


def _write_arrays(path: Path, read: Restored, request: Request) -> None:
    """``samples``, (n, h, w, c) like the data or points (n, d), and ``labels``, int64 (n,), -1 for none.

    The labels of a game with conditions are rows, float32 (n, k), with the names of their columns in ``conditions``. Of
    pixels that are not uint8 from 0 to 255, ``range`` has the lowest and the highest value.
    """
    if path.suffix.lower() != ".npz":
        raise ConfigError(f"--out {path}: 'raw' goes into an .npz or, image by image, into a folder/")
    made, labels = _samples(read, request)
    array = (made.permute(0, 2, 3, 1) if made.ndim == 4 else made).contiguous().numpy()
    buffer = io.BytesIO()
    none = np.full(len(array), -1, np.int64)
    values = read.game.values
    arrays: dict[str, Any] = {"samples": array, "labels": none if labels is None else labels.numpy()}
    if read.game.conditions:
        arrays["conditions"] = np.array([condition.name for condition in read.game.conditions])
    if values != BYTES and made.ndim == 4:
        arrays["range"] = np.array([values.low, values.high])
    np.savez(buffer, allow_pickle=False, **arrays)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, buffer.getvalue())


def _write_folder(path: Path, read: Restored, name: str, request: Request) -> None:
    """Single pictures: samples one by one for what shows nothing but samples, else frames."""
    if name in ("raw", "grid", "classes"):
        if read.data.kind == "points":
            raise ConfigError(f"--out {path}: points are no pictures; write them to an .npz")
        made, labels = _samples(read, request)
        named = [f"{i:06d}" + ("" if labels is None else _suffix(read.game, labels[i])) for i in range(len(made))]
    else:
        frames = draw(read.game, read.data, request, name)
        made = [as_tensor(frame) for frame in frames]
        named = [f"{name}_{i:06d}" for i in range(len(made))]
    suffix = picture_file(made[0])[0]
    files = [path / f"{each}{suffix}" for each in named]
    path.mkdir(parents=True, exist_ok=True)
    strangers = set(path.glob(f"*{suffix}")) - set(files)
    if strangers:
        raise ConfigError(f"--out {path}: {len(strangers)} other pictures are in there; name an empty folder")
    for file, pixels in zip(files, made, strict=True):
        file.write_bytes(picture_file(pixels)[1])


def _suffix(game: Game, label: Tensor) -> str:
    """The part of a file's name that tells the label; of many conditions those that fit into it."""
    if not game.conditions:
        return f"_class{label}"
    names = (condition.name for condition in game.conditions)
    words = in_words(game.conditions, dict(zip(names, label.tolist(), strict=True)))
    return "_" + re.sub(r"[^\w.,=+-]", "_", words)[:60]


def _samples(read: Restored, request: Request) -> tuple[Tensor, Tensor | None]:
    assert isinstance(read.game, Samples | Decodes)  # or neither of the names that lead here was possible
    asked_for = asked_labels(read.game, read.data, request, request.n)
    return samples(read.game, read.data, request, read.game.values), asked_for
