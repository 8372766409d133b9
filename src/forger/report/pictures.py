"""The runs' pictures as data URIs, limited in number and size."""

import base64
import io
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from forger.report.reading import Run
from forger.report.variants import Variant

#: Of all pictures on a page, encoded; and their number, which is the time it takes.
BYTES_IN_ALL = 5_000_000
MOST_PICTURES = 500
#: Moments of training that are shown of one run.
MOST_FRAMES = 12
_WIDEST = 900
_LOSSY_WIDTH = 480
_LOSSLESS_FILE = 120_000
_LOSSLESS_BYTES = 24_000
#: Largest picture that is read; decoding a larger one could take the machine's memory.
_MOST_PIXELS = 20_000_000
_THROUGH_TRAINING = re.compile(r"(\d{9,})\.png")

_encoded: dict[tuple[Path, int, int], dict[str, Any] | None] = {}


def page_pictures(found: Sequence[Variant], numbers: dict[Run, int]) -> dict[str, Any]:
    """Pictures by kind and run: ``training`` has those through training, others what `forger sample` drew.

    The most important ones come first, until the limit is reached: the end of one run of each variant, then its moments
    and special pictures, then the other seeds.
    """
    runs = _one_seed_first(found)
    chosen: dict[str, dict[int, list[dict[str, Any]]]] = {}
    left = BYTES_IN_ALL
    shown = wanted = 0
    for run, kind, images, path in _by_importance(runs):
        wanted += 1
        picture = _picture(path) if left > 0 and shown < MOST_PICTURES else None
        if picture is None:
            continue
        left -= len(picture["src"])
        shown += 1
        chosen.setdefault(kind, {}).setdefault(numbers[run], []).append({"images": images, **picture})
    for by_run in chosen.values():
        for pictures in by_run.values():
            pictures.sort(key=lambda picture: picture["images"])
    kinds = sorted(chosen, key=lambda kind: (kind != "training", kind))
    return {"kinds": kinds, "of": chosen, "shown": shown, "wanted": wanted}


def _one_seed_first(found: Sequence[Variant]) -> list[list[Run]]:
    """Runs in rounds: first those of one seed, the same for as many variants as possible."""
    seeds = [run.seed for variant in found for run in variant.runs]
    order = sorted(set(seeds), key=lambda seed: (-seeds.count(seed), seed))
    ranked = [sorted(variant.runs, key=lambda run: order.index(run.seed)) for variant in found]
    return [[runs[place] for runs in ranked if place < len(runs)] for place in range(max(map(len, ranked), default=0))]


def _by_importance(rounds: list[list[Run]]) -> Iterator[tuple[Run, str, int, Path]]:
    for runs in rounds:
        moments = {run.path: _moments(run) for run in runs}
        for place in range(MOST_FRAMES):
            for run in runs:
                if place < len(moments[run.path]):
                    images, path = moments[run.path][place]
                    yield run, "training", images, path
            if place == 0:
                for run in runs:
                    for path in sorted((run.path / "samples").glob("*.png")):
                        if not _THROUGH_TRAINING.fullmatch(path.name):
                            yield run, path.stem, run.record.images, path


def _moments(run: Run) -> list[tuple[int, Path]]:
    """A run's moments from coarse to fine: the last, the first, the middle, …"""
    found = _through_training(run.path)
    if len(found) > MOST_FRAMES:
        step = (len(found) - 1) / (MOST_FRAMES - 1)
        found = [found[round(step * place)] for place in range(MOST_FRAMES)]
    order: list[int] = []
    parts = 1
    while len(order) < len(found):
        for place in range(parts, -1, -1):
            index = round((len(found) - 1) * place / parts)
            if index not in order:
                order.append(index)
        parts *= 2
    return [found[index] for index in order]


def _through_training(folder: Path) -> list[tuple[int, Path]]:
    """The pictures that training has drawn, each with the images shown until then, in order."""
    files = sorted((folder / "samples").glob("*.png"))
    return [(int(match[1]), path) for path in files if (match := _THROUGH_TRAINING.fullmatch(path.name))]


def last_picture(folder: Path) -> dict[str, Any] | None:
    """The last picture that a run's training has drawn: its data URI ``src``, width and height; None without any."""
    found = _through_training(folder)
    return _picture(found[-1][1]) if found else None


def _picture(path: Path) -> dict[str, Any] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    if not stat.S_ISREG(found.st_mode):  # opening a pipe would wait for a writer
        return None
    key = (path, found.st_mtime_ns, found.st_size)
    if key not in _encoded:
        _encoded[key] = _encode(path, found.st_size)
    return _encoded[key]


def _encode(path: Path, size: int) -> dict[str, Any] | None:
    """A picture with its size, None if it can't be read."""
    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > _MOST_PIXELS:
                return None
            image = opened.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    if image.width > _WIDEST:
        image = _narrowed(image, _WIDEST)
    # Enlarged pixels compress best as they are; photographs don't.
    content = _webp(image, lossless=True, quality=30, method=1) if size < _LOSSLESS_FILE else b""
    if not content or len(content) > _LOSSLESS_BYTES:
        image = _narrowed(image, _LOSSY_WIDTH) if image.width > _LOSSY_WIDTH else image
        content = _webp(image, quality=76, method=2)
    source = f"data:image/webp;base64,{base64.b64encode(content).decode()}"
    return {"src": source, "width": image.width, "height": image.height}


def _narrowed(image: Image.Image, width: int) -> Image.Image:
    return image.resize((width, max(1, round(image.height * width / image.width))), Image.Resampling.LANCZOS)


def _webp(image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", **options)
    return buffer.getvalue()
