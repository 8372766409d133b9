"""Pictures of games over points: generator, data and, where there is one, discriminator in one figure."""

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from forger.data.dataset import Data
from forger.games.abilities import Samples, SamplesAndDiscriminates
from forger.metrics.evaluations.known_density import densities, interval, known_density, optimal_discriminator
from forger.metrics.functional.modes import jensen_shannon
from forger.pictures.latents import samples
from forger.pictures.request import Request

_BINS = 200
#: Points of a scatter plot: more of them hide each other.
_SHOWN = 3000


def density(game: Samples, data: Data, request: Request) -> list[Image.Image]:
    """Goodfellow et al. 2014, figure 1, for points on a line; in the plane samples, data and D's level sets.

    Raises:
        ValueError: no points with a known density, or of more than two dimensions.
    """
    dimension = known_density(data).means.shape[1]
    if dimension > 2:
        raise ValueError(f"{data.name} is {dimension}-dimensional: 'density' draws one or two dimensions")
    points = samples(game, data, request)
    figure = Figure((6.4, 4.0) if dimension == 1 else (5.4, 4.8), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    (_line if dimension == 1 else _plane)(axes, game, data, points)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return [Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")]


def _line(axes: Axes, game: Samples, data: Data, points: Tensor) -> None:
    truth = known_density(data, dimension=1)
    low, high = interval(truth)
    centres, p, q = densities(truth, points, _BINS)
    x = centres.flatten()
    axes.fill_between(x, p, color="0.85", label="data")
    axes.plot(x, q, color="tab:green", drawstyle="steps-mid", label="generator")
    axes.set(xlim=(low, high), ylim=(0, 1.5 * float(p.max())), xlabel="x", ylabel="density")
    front, handles = axes, axes.get_legend_handles_labels()[0]
    if isinstance(game, SamplesAndDiscriminates):
        front = axes.twinx()
        front.axhline(0.5, color="0.6", linewidth=0.8)
        best = optimal_discriminator(p, q).where(p + q > 0.01 * p.max(), torch.nan)  # a histogram's tails are noise
        front.plot(x, best, color="tab:red", linestyle=":", linewidth=1.2, label="p / (p + q)")
        front.plot(x, _judged(game, data, centres.float()), color="tab:blue", linestyle="--", label="D(x)")
        front.set(ylim=(0, 1), yticks=[0, 0.25, 0.5, 0.75, 1], ylabel="D(x)")
        handles += front.get_legend_handles_labels()[0]
    divergence = jensen_shannon(points, truth.pdf, low, high, _BINS)
    axes.set_title(f"{game.shown:,} images: Jensen-Shannon divergence {divergence:.4f} nats", fontsize=10)
    front.legend(handles=handles, loc="upper left", fontsize=8, framealpha=0.9)


def _plane(axes: Axes, game: Samples, data: Data, points: Tensor) -> None:
    real = data.test.arrays["image"][:_SHOWN]
    reach = 1.25 * float(real.abs().max())
    if isinstance(game, SamplesAndDiscriminates):
        line = torch.linspace(-reach, reach, 100)
        places = torch.cartesian_prod(line, line)
        d = _judged(game, data, places).reshape(100, 100).T
        levels = axes.contourf(line, line, d, np.linspace(0, 1, 11), cmap="RdBu", alpha=0.5)
        assert axes.figure is not None
        axes.figure.colorbar(levels, ax=axes, label="D(x)", ticks=[0, 0.5, 1])
    axes.scatter(*real.T, s=4, color="0.3", linewidths=0, label="data")
    axes.scatter(*points[:_SHOWN].T, s=4, color="tab:green", linewidths=0, label="generator")
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    axes.set_title(f"{game.shown:,} images", fontsize=10)
    axes.legend(loc="upper right", fontsize=8, markerscale=3)


def _judged(game: SamplesAndDiscriminates, data: Data, places: Tensor) -> Tensor:
    """D(x), told, where D asks for a class, that of the nearest mode."""
    nearest = torch.cdist(places, known_density(data).means.float()).argmin(1) if game.classes else None
    return game.discriminate(places, nearest).cpu()
