"""Changes of images' geometry: affine maps, one per image, by bilinear sampling that can be differentiated twice.

(torch's own grid_sample can't, and gradient penalties need it.) A map is a (n, 3, 3) matrix of homogeneous
coordinates (x to the right, y down) in pixels from the image's centre. Maps say where each pixel of the result
comes from, so their product `a @ b` does to the image first what `a` says, then `b`.
"""

import torch
from torch import Tensor


def scaling(x: Tensor, y: Tensor) -> Tensor:
    """Enlarges by factors x and y (n,); -1 mirrors."""
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return _matrix([[1 / x, zero, zero], [zero, 1 / y, zero], [zero, zero, one]])


def rotation(cosine: Tensor, sine: Tensor) -> Tensor:
    """Turns counter-clockwise by the angles of these cosines and sines (n,)."""
    zero, one = torch.zeros_like(cosine), torch.ones_like(cosine)
    return _matrix([[cosine, -sine, zero], [sine, cosine, zero], [zero, zero, one]])


def translation(x: Tensor, y: Tensor) -> Tensor:
    """Moves to the right by x and down by y pixels (n,)."""
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return _matrix([[one, zero, -x], [zero, one, -y], [zero, zero, one]])


def warped(images: Tensor, maps: Tensor) -> Tensor:
    """Images (n, c, h, w) under affine maps (n, 3, 3); beyond their edges they go on as in a mirror."""
    n, c, h, w = images.shape
    middle_x, middle_y = (w - 1) / 2, (h - 1) / 2
    x = torch.arange(w, device=images.device, dtype=maps.dtype) - middle_x
    y = torch.arange(h, device=images.device, dtype=maps.dtype)[:, None] - middle_y
    m = maps[:, :2, :, None, None]
    columns = m[:, 0, 0] * x + m[:, 0, 1] * y + m[:, 0, 2] + middle_x  # (n, h, w)
    rows = m[:, 1, 0] * x + m[:, 1, 1] * y + m[:, 1, 2] + middle_y
    left, top = columns.floor(), rows.floor()
    right_share, lower_share = columns - left, rows - top
    flat = images.flatten(2)
    result = torch.zeros_like(flat)
    for row, share_y in ((top, 1 - lower_share), (top + 1, lower_share)):
        for column, share_x in ((left, 1 - right_share), (left + 1, right_share)):
            index = _mirrored(row.long(), h) * w + _mirrored(column.long(), w)
            picked = flat.gather(2, index.flatten(1)[:, None].expand(n, c, h * w))
            result = result + (share_y * share_x).flatten(1)[:, None].to(images.dtype) * picked
    return result.reshape(images.shape)


def moved(images: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Images (n, c, h, w) moved to the right by x and down by y whole pixels (n,); what comes in is 0."""
    n, c, h, w = images.shape
    columns = torch.arange(w, device=images.device) - x[:, None]
    rows = torch.arange(h, device=images.device) - y[:, None]
    inside = ((rows >= 0) & (rows < h))[:, :, None] & ((columns >= 0) & (columns < w))[:, None]
    index = rows.clamp(0, h - 1)[:, :, None] * w + columns.clamp(0, w - 1)[:, None]
    picked = images.flatten(2).gather(2, index.flatten(1)[:, None].expand(n, c, h * w))
    return picked.reshape(images.shape) * inside[:, None]


def _mirrored(index: Tensor, size: int) -> Tensor:
    """Any whole numbers as indices of range(size), as between two mirrors at the edges: …1 0 | 0 1 2 | 2 1…"""
    index = index.remainder(2 * size)
    return torch.where(index < size, index, 2 * size - 1 - index)


def _matrix(rows: list[list[Tensor]]) -> Tensor:
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)
