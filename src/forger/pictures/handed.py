"""Pictures that somebody hands over, each made into another one by a trained game."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from torch import Tensor

from forger.data.decoding import decode, listing
from forger.data.layout import Layout
from forger.data.ranges import to_float, to_uint8
from forger.games.abilities import Answers, Reconstructs, Translates
from forger.metrics.evaluations.translation import translated
from forger.pictures.enlargement import enlarged


def _translation(game: Translates, picture: Tensor) -> Tensor:
    return translated(game, picture[None], "ab")[0]


def _cycle(game: Translates, picture: Tensor) -> Tensor:
    return translated(game, translated(game, picture[None], "ab"), "ba")[0]


def _reconstruction(game: Reconstructs, picture: Tensor) -> Tensor:
    return to_uint8(game.reconstruct(to_float(picture[None])))[0].cpu()


#: What is made of a uint8 picture (c, h, w), by the name of the picture that shows the same of test images: enlarged;
#: translated from A to B; there and back again; encoded and decoded.
MAKERS: dict[str, Callable[[Any, Tensor], Tensor]] = {
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


def made(game: Answers, name: str, path: Path, layout: Layout) -> Image.Image:
    """What a game makes of one picture file.

    Args:
        game: a trained one.
        name: of `MAKERS`.
        path: the file.
        layout: what it becomes, except to be enlarged: an image of the data.

    Raises:
        ValueError: the file can't be read.
    """
    wanted = layout.channels if name == "enlargements" else layout
    array = MAKERS[name](game, decode(path, wanted)[0]).permute(1, 2, 0).numpy()
    return Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array)
