"""Pictures of games that make new images from latents."""

import math

import torch
from PIL import Image
from torch import Tensor

from forger.data.dataset import Data
from forger.data.pixels.ranges import BYTES, ValueRange
from forger.games.abilities import Denoises, Reconstructs, Samples, SamplesLatents
from forger.metrics.evaluations.autoencoding import chosen
from forger.pictures.image_files import tiles
from forger.pictures.latents import asked_labels, decoded, labelled_rows, places, samples
from forger.pictures.layout import captioned, stacked
from forger.pictures.planes import between, usual_plane
from forger.pictures.request import Request

#: Walks side by side in a frame, and frames from one station of a walk to the next.
_WALKS, _STEPS = 10, 12
#: Steps of a sampler that are shown.
_STATES = 11
#: Columns of a picture that pairs each image with another.
_PAIRS = 10
#: Values of the images that are compared with others at a time: sets may be larger than memory.
_AT_ONCE = 2**19


def grid(game: Samples, data: Data, request: Request) -> list[Image.Image]:
    """``n`` samples, nearly square; classes in turn where there are any, conditions as asked for or in the data."""
    return [tiles(samples(game, data, request))]


def classes(game: SamplesLatents, data: Data, request: Request) -> list[Image.Image]:
    """One row for each class or condition asked for, ``n`` samples in all; a column shares its latent."""
    rows = labelled_rows(game, data, request)
    columns = max(1, request.n // len(rows))
    z = places(game, data, columns, request)
    rows = labelled_rows(game, data, request, columns)
    told = torch.cat([labels for _, labels in rows])
    images = decoded(game, z.repeat(len(rows), 1), told, truncation=request.truncation)
    return [captioned(tiles(images, columns), rows=[name for name, _ in rows])]


def walk(game: SamplesLatents | Reconstructs, data: Data, request: Request) -> list[Image.Image]:
    """``n`` frames of a closed walk through random latents, on great circles (White, 2016).

    Ten walks side by side; in a game with labels one walk, seen by each class or condition asked for.
    """
    rows = labelled_rows(game, data, request)
    labels = torch.cat([label for _, label in rows]) if rows else None
    walks = 1 if labels is not None else _WALKS
    stations = max(3, round(request.n / _STEPS))  # between two there would be only one way
    z = places(game, data, stations * walks, request).reshape(stations, walks, -1)
    frames = []
    for step in range(request.n):
        station, share = divmod(step * stations / request.n, 1)
        here, there = z[int(station)], z[(int(station) + 1) % stations]
        at = between(game, here, there, share)
        at = at if labels is None else at.expand(len(labels), -1)
        images = decoded(game, at, labels, truncation=request.truncation)
        frames.append(tiles(images, len(images)))
    return frames


def latent_map(game: SamplesLatents | Reconstructs, data: Data, request: Request) -> list[Image.Image]:
    """A square of about ``n`` images: the latent plane by its quantiles, or a plane through three latents.

    In two dimensions row and column are the 2 % to 98 % quantiles of the prior (Kingma & Welling, 2014,
    figure 4) or, in a game without one, of the codes of the test images. With more dimensions the three
    latents are corners, at the top left, top right and bottom left; places between are as likely as they are.
    """
    side = max(2, round(math.sqrt(request.n)))
    labels = labelled_rows(game, data, request)[:1]
    down, across = torch.cartesian_prod(torch.linspace(0, 1, side), torch.linspace(0, 1, side)).T
    z = usual_plane(game, data, request)(across, down)
    title = "the latent plane, by quantiles" if game.latent == 2 else "a plane through three latents"
    told = labels[0][1].repeat_interleave(len(z), 0) if labels else None
    images = decoded(game, z, told, truncation=request.truncation)
    if labels:
        title += f", {labels[0][0]}" if request.conditions else f", class {labels[0][0]}"
    return [captioned(tiles(images, side), title)]


def neighbours(game: Samples, data: Data, request: Request) -> list[Image.Image]:
    """``n`` samples, each above the training image nearest to it: copies would show.

    Below each pair the root of their mean squared difference in grey levels (0 to 255), and in the title its
    median, beside that of test images, which cannot be copies.
    """
    made = samples(game, data, request)
    train = data.train.arrays["image"]
    distance, nearest = nearest_images(made, train, data.values)
    held_out = data.values.of_255(chosen(data, "test", max(len(made), 500), request.seed))
    unseen = nearest_images(held_out, train, data.values)[0]
    columns = min(_PAIRS, len(made))
    title = (
        "samples, and below each its nearest training image with their RMS difference of 255 grey levels: "
        f"median {distance.median():.0f}, of unseen images {unseen.median():.0f}, of copies 0"
    )
    rows = []
    for start in range(0, len(made), columns):
        part = slice(start, start + columns)
        pairs = torch.cat([made[part], data.values.drawn(train[nearest[part]])])
        names = [f"{value:.0f}" for value in distance[part].tolist()]
        rows.append(captioned(tiles(pairs, len(names)), below=names))
    return [captioned(stacked(rows), title)]


def denoising(game: Denoises, data: Data, request: Request) -> list[Image.Image]:
    """``n`` samples, one a row, as they come out of noise; eleven of the sampler's steps, evenly spread, at most."""
    labels = asked_labels(game, data, request, request.n)
    states = game.trajectory(places(game, data, request.n, request), labels)
    shown = torch.linspace(0, len(states) - 1, min(len(states), _STATES)).round().long().tolist()
    images = torch.stack([data.values.drawn(data.values.to_pixels(states[step])) for step in shown], 1)
    names = [f"step {step}" if step else "noise" for step in shown]
    return [captioned(tiles(images.flatten(0, 1), len(shown)), columns=names)]


def nearest_images(images: Tensor, among: Tensor, values: ValueRange = BYTES) -> tuple[Tensor, Tensor]:
    """RMS difference (n,), in 255 grey levels, of images of as many to the nearest of those stored, and its index."""
    flat = images.flatten(1).float()
    smallest, nearest = torch.full((len(flat),), math.inf), torch.zeros(len(flat), dtype=torch.long)
    rows = max(1, _AT_ONCE // flat.shape[1])
    for start in range(0, len(among), rows):
        distance, index = torch.cdist(flat, values.of_255(among[start : start + rows]).flatten(1).float()).min(1)
        nearest = torch.where(distance < smallest, index + start, nearest)
        smallest = torch.minimum(smallest, distance)
    return smallest / flat.shape[1] ** 0.5, nearest
