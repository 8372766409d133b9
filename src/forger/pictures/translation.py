"""Pictures of translations between two domains."""

import torch
from PIL import Image
from torch import Tensor

from forger.data.dataset import Data
from forger.games.abilities import Translates
from forger.metrics.evaluations.translation import translated
from forger.metrics.functional.image_quality import psnr
from forger.pictures.image_files import tiles
from forger.pictures.layout import captioned, stacked
from forger.pictures.request import Request

#: Columns of a picture that shows each image several times.
_COLUMNS = 20


def translations(game: Translates, data: Data, request: Request) -> list[Image.Image]:
    """``n`` images of each domain that is translated above their translations, and the truth where it is known."""
    a, b, truth = _unseen(data, request)
    there = translated(game, a, "ab")
    shown = "truth" in data.train.arrays
    title = f"translations of test images, learned {'from' if shown else 'without'} pairs"
    rows = {"input": a, "output": there} if shown else {"A": a, "A to B": there}
    if truth is not None:
        rows["truth"] = truth
        title += f": {psnr(there, truth):.1f} dB to the {'' if shown else 'hidden '}truth"
    blocks = [_rows(rows)]
    if "ba" in game.directions:
        blocks.append(_rows({"B": b, "B to A": translated(game, b, "ba")}))
    return [captioned(stacked(blocks), title)]


def cycles(game: Translates, data: Data, request: Request) -> list[Image.Image]:
    """``n`` images of either domain, their translations, and the translations back."""
    a, b, _ = _unseen(data, request)
    blocks = [_rows(_cycle(game, a, "A", "B")), _rows(_cycle(game, b, "B", "A"))]
    return [captioned(stacked(blocks), "test images, translated there and back again")]


def _cycle(game: Translates, images: Tensor, here: str, there: str) -> dict[str, Tensor]:
    out = translated(game, images, "ab" if here == "A" else "ba")
    return {
        here: images,
        f"{here} to {there}": out,
        f"{here} to {there} to {here}": translated(game, out, "ba" if here == "A" else "ab"),
    }


def _unseen(data: Data, request: Request) -> tuple[Tensor, Tensor, Tensor | None]:
    """``n`` random test images of A (of the labels asked for), as many of B, and the truth of those of A."""
    arrays, independent = data.test.arrays, data.test.independent
    stream = request.stream()
    a = _chosen(len(data.test), arrays.get("label"), request, stream)
    b = _chosen(len(independent["target"]), independent.get("target_label"), request, stream)
    truth = arrays["truth"][a] if "truth" in arrays else None
    return arrays["image"][a], independent["target"][b], truth


def _chosen(count: int, labels: Tensor | None, request: Request, stream: torch.Generator) -> Tensor:
    order = torch.randperm(count, generator=stream)
    if request.labels is not None and labels is not None:
        order = order[torch.isin(labels[order], torch.tensor(request.labels))]
        if not len(order):
            raise ValueError(f"no test image has the labels {request.labels}")
    return order[: request.n]


def _rows(rows: dict[str, Tensor]) -> Image.Image:
    """Rows of images under each other, wrapped where they are long."""
    count = len(next(iter(rows.values())))
    blocks = []
    for start in range(0, count, _COLUMNS):
        parts = [row[start : start + _COLUMNS] for row in rows.values()]
        blocks.append(captioned(tiles(torch.cat(parts), len(parts[0])), rows=list(rows)))
    return stacked(blocks)
