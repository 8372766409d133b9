"""Pictures of autoencoders: what is left of images, and where their codes lie."""

from math import prod

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from sklearn.decomposition import PCA
from torch import Tensor

from forger.data.dataset import Data
from forger.data.pixels.ranges import to_uint8
from forger.games.abilities import Reconstructs
from forger.metrics.evaluations.autoencoding import chosen_rows, pixel_error, with_noise
from forger.metrics.evaluations.factors import FACTORS, LatentFactors, applied
from forger.metrics.evaluations.linear import principal_components, wiener_filter
from forger.metrics.functional.image_quality import decibels
from forger.pictures.image_files import tiles
from forger.pictures.layout import captioned, stacked
from forger.pictures.request import Request
from forger.randomness import generator

#: Columns of a picture that shows each image several times.
_COLUMNS = 20
#: Points of a scatter plot: more of them hide each other.
_SHOWN = 2000
_UNITS = {"rotation": "degrees", "thickness": "pixels", "size": "factor"}


def reconstructions(game: Reconstructs, data: Data, request: Request) -> list[Image.Image]:
    """``n`` images, each above its reconstruction and PCA's; with noise in and a Wiener filter, if trained so.

    The images are test images drawn at random, of the labels asked for.
    """
    images = data.values.to_float(_pictures(data, request))
    rows, title = _reconstructed(game, data, images, request.seed)
    blocks = []
    for start in range(0, len(images), _COLUMNS):
        parts = [to_uint8(row[start : start + _COLUMNS]).cpu() for row in rows.values()]
        blocks.append(captioned(tiles(torch.cat(parts), len(parts[0])), rows=list(rows)))
    return [captioned(stacked(blocks), title)]


def codes(game: Reconstructs, data: Data, request: Request) -> list[Image.Image]:
    """Codes of test images in the plane (their first two principal components, if they have more dimensions).

    Coloured by label, and, turned, thickened and scaled at random, by how much of that each image got; with the
    R² of reading it linearly from the whole code, and from PCA of equal width.
    """
    rows = chosen_rows(len(data.test), _SHOWN, request.seed)
    images = data.test.arrays["image"][rows]
    plane = _Plane(game, data.values.to_float(data.test.arrays["image"]))
    figure = Figure((9.6, 8.4), dpi=100, layout="constrained")
    first, *others = figure.subplots(2, 2).flat
    _by_label(first, data, rows, *plane.points(data.values.to_float(images)))
    known = LatentFactors().evaluate(game, data, "test", n=_SHOWN, seed=request.seed)
    for axes, factor in zip(others, FACTORS, strict=True):
        changed, amounts = applied(factor, data.values.to_float(images), generator(request.seed, "codes", factor))
        marks = axes.scatter(*plane.points(changed), c=amounts, s=7, cmap="viridis")
        figure.colorbar(marks, ax=axes, label=_UNITS[factor])
        explained, rival = (round(known[f"r2_{factor}{name}"], 2) + 0.0 for name in ("", "_pca"))  # + 0.0: no -0.00
        axes.set_title(f"{factor}: R² {explained:.2f} from the code, {rival:.2f} from PCA", fontsize=10)
    for axes in (first, *others):
        axes.set(xlabel=plane.names[0], ylabel=plane.names[1])
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return [Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")]


class _Plane:
    """Two coordinates of codes: their own, or the principal components of the codes of some images."""

    def __init__(self, game: Reconstructs, images: Tensor) -> None:
        self._game = game
        self._pca = None if game.latent <= 2 else PCA(2, random_state=0).fit(self._codes(images))
        kind = "code" if self._pca is None else "principal component of the codes"
        self.names = (f"first {kind}", f"second {kind}")

    def points(self, images: Tensor) -> tuple[np.ndarray, np.ndarray]:
        codes = self._codes(images)
        if self._pca is not None:
            codes = self._pca.transform(codes)
        return codes[:, 0], codes[:, -1]

    def _codes(self, images: Tensor) -> np.ndarray:
        return self._game.encode(images).cpu().double().numpy()


def _pictures(data: Data, request: Request) -> Tensor:
    """The images asked for, as they are stored."""
    images, labels = data.test.arrays["image"], data.test.arrays.get("label")
    if request.labels is not None and labels is not None:
        images = images[torch.isin(labels, torch.tensor(request.labels))]
        if not len(images):
            raise ValueError(f"no test image of {data.name} has the labels {request.labels}")
    return images[torch.randperm(len(images), generator=request.stream())[: request.n]]


def _reconstructed(game: Reconstructs, data: Data, images: Tensor, seed: int) -> tuple[dict[str, Tensor], str]:
    """Rows of a picture by name, and what it says above them."""
    if game.input_noise:
        noisy = with_noise(images, game.input_noise, seed)
        denoised, filtered = game.reconstruct(noisy).cpu(), wiener_filter(data, game.input_noise)(noisy)
        ours, theirs = (decibels(pixel_error(row, images), 1) for row in (denoised, filtered))
        title = f"noise of {game.input_noise:g}: PSNR {ours:.1f} dB without it, {theirs:.1f} dB by a Wiener filter"
        return {"image": images, "noisy": noisy, "denoised": denoised, "Wiener": filtered}, title
    rows = {"image": images, "decoded": game.reconstruct(images).cpu()}
    title = f"images and what a code of {game.latent} keeps: error per pixel {pixel_error(rows['decoded'], images):.4f}"
    if game.latent < min(len(data.train), prod(data.shape)):
        rows["PCA"] = principal_components(data, game.latent).reconstruct(images)
        title += f", PCA {pixel_error(rows['PCA'], images):.4f}"
    return rows, title


def _by_label(axes: Axes, data: Data, rows: Tensor, x: np.ndarray, y: np.ndarray) -> None:
    axes.set_title(f"{len(x)} test images of {data.name}", fontsize=10)
    if not data.classes:
        axes.scatter(x, y, s=7, color="0.4")
        return
    labels = data.test.arrays["label"][rows].numpy()
    marks = axes.scatter(x, y, c=labels, s=7, cmap="tab10" if data.classes <= 10 else "turbo")
    if data.classes <= 10:
        axes.legend(
            *marks.legend_elements(num=list(range(data.classes))),
            fontsize=8,
            loc="center left",
            bbox_to_anchor=(1, 0.5),
        )
