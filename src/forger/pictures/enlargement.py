"""Pictures of super-resolution: held-out details beside bicubic enlargement, and whole pictures enlarged."""

import torch
from PIL import Image
from torch import Tensor

from forger.data.dataset import Data
from forger.data.pixels.ranges import BYTES, ValueRange, to_uint8
from forger.data.pixels.resizing import bicubic, shrink
from forger.games.abilities import Enlarges
from forger.metrics.evaluations.enlargement import compared
from forger.pictures.image_files import tiles
from forger.pictures.layout import captioned
from forger.pictures.request import Request

#: Side of the details that are shown, how many at most, and the width that the whole picture may have.
_DETAIL, _DETAILS, _WIDTH = 80, 12, 840
#: Side of the tiles that a picture is cut into, in pixels of the input.
_TILE = 128
#: Farthest that the influence of a pixel is followed.
_FARTHEST = 64


def enlargements(game: Enlarges, data: Data, request: Request) -> list[Image.Image]:
    """``n`` details of held-out pictures, at most 12: shrunk, enlarged by bicubic, by both stages, and the original."""
    images = next(iter(data.extra.values()), data.test).arrays["image"]
    rows = {name: to_uint8(row) for name, row in _methods(game, images, request, data.values).items()}
    detail = tiles(torch.stack(list(rows.values()), 1).flatten(0, 1), len(rows))
    scores = compared(game, images, values=data.values)
    similar = "ssim" in scores  # pictures smaller than its window have none
    scores = ", ".join(
        f"{name} {scores[f'psnr{key}']:.2f} dB" + (f" / {scores[f'ssim{key}']:.3f}" if similar else "")
        for name, key in (("bicubic", "_bicubic"), ("first stage", "_first"), ("second stage", ""))
    )
    zoom = max(1, _WIDTH // detail.width)
    picture = detail.resize((detail.width * zoom, detail.height * zoom), Image.Resampling.NEAREST)
    measures = "PSNR / SSIM" if similar else "PSNR"
    return [captioned(picture, f"{game.scale} times, {measures} of the luma: {scores}", columns=list(rows))]


def enlarged(game: Enlarges, picture: Tensor, values: ValueRange = BYTES) -> Tensor:
    """A picture (c, h, w) of any size, enlarged: `game.scale` times the sides.

    It is done tile by tile, so that memory bounds no side, and without seams: each tile is enlarged with a margin
    as wide as the network sees (`reach`), which is cut off again. So a tile's pixels are the whole picture's.
    """
    scale, margin = game.scale, reach(game, len(picture))
    channels, height, width = picture.shape
    result = torch.empty(channels, height * scale, width * scale, dtype=picture.dtype)
    for top in range(0, height, _TILE):
        for left in range(0, width, _TILE):
            above, before = max(0, top - margin), max(0, left - margin)
            bottom, right = min(height, top + _TILE), min(width, left + _TILE)
            part = picture[None, :, above : bottom + margin, before : right + margin]
            made = values.to_pixels(game.enlarge(values.to_float(part)))[0].cpu()
            rows = slice((top - above) * scale, (bottom - above) * scale)
            columns = slice((left - before) * scale, (right - before) * scale)
            result[:, top * scale : bottom * scale, left * scale : right * scale] = made[:, rows, columns]
    return result


def reach(game: Enlarges, channels: int) -> int:
    """How many pixels away a pixel of the input still has influence, up to 64.

    Found by making one pixel NaN, which spreads to all that depends on it.
    """
    probe = torch.zeros(1, channels, 2 * _FARTHEST + 1, 2 * _FARTHEST + 1)
    probe[:, :, _FARTHEST, _FARTHEST] = torch.nan
    touched = game.enlarge(probe).isnan().any(1)[0].nonzero() // game.scale
    return int((touched - _FARTHEST).abs().max())


def _methods(game: Enlarges, images: Tensor, request: Request, values: ValueRange = BYTES) -> dict[str, Tensor]:
    """Random details (n, c, h, w) in [-1, 1] of pictures, by what has become of them."""
    scale = game.scale
    height, width = (extent - extent % scale for extent in images.shape[2:])
    large = values.to_float(images[..., :height, :width])
    small = shrink(large, scale, values)
    whole = {
        "small": small.repeat_interleave(scale, 2).repeat_interleave(scale, 3),
        "bicubic": bicubic(small, scale),
        "first stage": game.enlarge(small, "first").cpu(),
        "second stage": game.enlarge(small).cpu(),
        "original": large,
    }
    sides = [min(_DETAIL, extent) for extent in (height, width)]
    stream = request.stream()
    details: dict[str, list[Tensor]] = {name: [] for name in whole}
    for _ in range(min(request.n, _DETAILS)):
        which = int(torch.randint(len(images), (1,), generator=stream))
        top, left = (
            int(torch.randint((extent - side) // scale + 1, (1,), generator=stream)) * scale
            for extent, side in zip((height, width), sides, strict=True)
        )
        for name, picture in whole.items():
            details[name].append(picture[which, :, top : top + sides[0], left : left + sides[1]])
    return {name: torch.stack(several) for name, several in details.items()}
