"""Pictures that somebody hands over, each made into another one by a trained game."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from forger.data.pixels.decoding import decode, listing
from forger.data.pixels.layout import Layout, Pixels
from forger.data.pixels.ranges import BYTES, ValueRange
from forger.games.abilities import Answers, Reconstructs, Translates
from forger.metrics.evaluations.translation import translated
from forger.pictures.enlargement import enlarged


def _translation(game: Translates, picture: Tensor, values: ValueRange) -> Tensor:
    return translated(game, picture[None], "ab")[0]


def _cycle(game: Translates, picture: Tensor, values: ValueRange) -> Tensor:
    return translated(game, translated(game, picture[None], "ab"), "ba")[0]


def reconstructed(game: Reconstructs, images: Tensor, values: ValueRange) -> Tensor:
    """Images (n, c, h, w) encoded and decoded, of the type of the data, on the CPU; or points (n, d)."""
    if images.ndim != 4:
        return game.reconstruct(images).cpu()
    return values.to_pixels(game.reconstruct(values.to_float(images))).cpu()


def _reconstruction(game: Reconstructs, picture: Tensor, values: ValueRange) -> Tensor:
    return reconstructed(game, picture[None], values)[0]


#: What is made of a picture (c, h, w), by the name of the picture that shows the same of test images: enlarged;
#: translated from A to B; there and back again; encoded and decoded.
MAKERS: dict[str, Callable[[Any, Tensor, ValueRange], Tensor]] = {
    "enlargements": enlarged,
    "translations": _translation,
    "cycles": _cycle,
    "reconstructions": _reconstruction,
}


def handed(place: Path) -> dict[Path, Path]:
    """Every picture at a place, a file or a folder, with the relative name of what is made of it.

    That is its own, as a PNG; where two pictures differ in their suffix alone, the suffix stays in the name.

    Raises:
        ValueError: a folder without pictures.
    """
    paths = [Path(place.name)] if place.is_file() else listing(place)
    root = place.parent if place.is_file() else place
    shared = Counter(path.with_suffix("") for path in paths)

    def own(path: Path) -> Path:
        return path.with_suffix(".png") if shared[path.with_suffix("")] == 1 else path.with_name(f"{path.name}.png")

    return {root / path: own(path) for path in paths}


def made(game: Answers, name: str, path: Path, layout: Layout, values: ValueRange = BYTES) -> Tensor:
    """What a game makes of one picture file, (c, h, w) of the type of its data.

    Args:
        game: a trained one.
        name: of `MAKERS`.
        path: the file.
        layout: what it becomes, except to be enlarged: an image of the data.
        values: those of the data.

    Raises:
        ValueError: the file can't be read.
    """
    if name != "enlargements":
        return MAKERS[name](game, decode(path, layout)[0], values)
    return MAKERS[name](game, decode(path, Pixels(layout.channels, layout.depth))[0], values)
