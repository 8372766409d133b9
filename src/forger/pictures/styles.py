"""Pictures of what single parts of a latent do: styles of some layers from another one, and steps along directions."""

import math

import torch
from PIL import Image

from forger.data.dataset import Data
from forger.games.abilities import Reconstructs, SamplesLatents, Styles
from forger.pictures.factorization import directions_of
from forger.pictures.image_files import tiles
from forger.pictures.latents import asked_labels, decoded, has_styles, labelled_rows, places, truncated
from forger.pictures.layout import captioned
from forger.pictures.request import Request

#: Pictures in a row of steps along a direction, and how far they go to either side, in standard deviations.
_STEPS, _REACH = 7, 3.0
#: Places whose standard deviation along a direction is taken.
_MANY = 1000


def mixing(game: Styles, data: Data, request: Request) -> list[Image.Image]:
    """About ``n`` mixtures, as a square: the coarser half of the layers has the row's style, the other the column's.

    Karras et al. 2019 (StyleGAN), figure 3. The pictures whose styles these are stand at the left and above.
    """
    side = max(2, round(math.sqrt(request.n)))
    labels = asked_labels(game, data, request, 2 * side)
    styles = game.styles(places(game, data, 2 * side, request), labels, request.truncation).cpu()
    rows, columns = styles[:side, None].expand(-1, side, -1, -1), styles[None, side:].expand(side, -1, -1, -1)
    coarse = torch.arange(styles.shape[1])[:, None] < styles.shape[1] // 2
    mixed = decoded(game, torch.where(coarse, rows, columns).flatten(0, 1), None)
    own = decoded(game, styles, None)
    corner = torch.full_like(own[:1], 255)
    lines = [torch.cat([corner, own[side:]])]
    lines += [torch.cat([own[i : i + 1], mixed[i * side : (i + 1) * side]]) for i in range(side)]
    title = "coarse layers in the style of the row, fine layers in that of the column"
    return [captioned(tiles(torch.cat(lines), side + 1), title)]


def directions(game: SamplesLatents | Reconstructs, data: Data, request: Request) -> list[Image.Image]:
    """``n`` pictures: a row for each of the first directions of the closed-form factorisation, a step in each column.

    The steps go through one latent, from -3 to 3 standard deviations of many along the direction.
    """
    found = directions_of(game)[: max(1, request.n // _STEPS)]
    rows = labelled_rows(game, data, request)[:1]
    label = rows[0][1] if rows else None
    many = places(game, data, _MANY, request)
    told = None if label is None else label.repeat_interleave(len(many), 0)
    styled = has_styles(game)
    many = game.styles(many, told)[:, 0].cpu() if styled else many
    spread = (many.double() @ found.T).std(0)
    start = truncated(game, places(game, data, 1, request), label, request.truncation).cpu()
    if styled:
        start = game.styles(start, label).cpu()
    steps = torch.linspace(-_REACH, _REACH, _STEPS, dtype=torch.float64)
    moves = (steps[:, None] * (spread[:, None] * found)[:, None]).flatten(0, 1).float()
    at = start + (moves[:, None] if styled else moves)
    images = decoded(game, at, None if label is None else label.repeat_interleave(len(at), 0))
    title = "steps along the first directions of the closed-form factorisation, from -3 to 3 standard deviations"
    return [captioned(tiles(images, _STEPS), title, rows=[str(number + 1) for number in range(len(found))])]
