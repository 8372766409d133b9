"""Nearest neighbours and balls among many points: found in float32, given in float64.

The bulk of the distances is computed in float32, a block at a time that fits into a processor's cache. Whatever
its rounding could decide is computed again in float64, so results are those of float64.
"""

from collections.abc import Iterator
from copy import copy

import torch
import torch.nn.functional as F
from torch import Tensor

ROWS, COLUMNS = 256, 2048  # of the blocks
GROUP = 16  # columns of which only the least distance is kept at first
SPARE = 3  # groups looked at beyond the fewest possible
CELLS = 2**18  # coordinates of candidates that exist at a time


def nearest(points: Tensor, others: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Distances (n, k) in float64, ascending, and rows (n, k) of the k nearest of the others (m, d), m >= k."""
    bulk = _Bulk(points, others)
    found = [bulk.nearest(rows, k) for rows in torch.arange(len(points), device=points.device).split(ROWS)]
    distances, indices = (torch.cat(parts) for parts in zip(*found, strict=True))
    return distances, indices


def covered(points: Tensor, reach: Tensor, others: Tensor) -> Tensor:
    """Whether each of the others (m, d) is within reach of some point: bool (f, m), for f families of balls.

    `reach`: (f, n), the radius around every point (n, d) in each family, or below 0 for none.
    """
    result = torch.zeros(len(reach), len(others), dtype=torch.bool, device=others.device)
    bulk, left = _Bulk(points, others), torch.arange(len(others), device=others.device)
    for rows in torch.arange(len(points), device=points.device).split(ROWS):
        # What all families cover already need not be looked at again.
        open_ = ~result[:, left].all(dim=0)
        if int(open_.sum()) < 0.8 * len(left):
            left = left[open_]
            bulk = bulk.among(open_)
        if not len(left):
            break
        for i, j, distance in bulk.within(rows, reach[:, rows].max(dim=0).values):
            for family, radius in zip(result, reach, strict=True):
                family[left[j[distance <= radius[i]]]] = True
    return result


def within(points: Tensor, reach: Tensor, others: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """All pairs of a point (n, d) and one of the others not farther than its reach (n,): rows, rows and distances."""
    bulk = _Bulk(points, others)
    for rows in torch.arange(len(points), device=points.device).split(ROWS):
        yield from bulk.within(rows, reach[rows])


class _Bulk:
    """The distances between two sets, less the squares of the points: |y|² − 2xᵀy, up to a known error."""

    def __init__(self, points: Tensor, others: Tensor) -> None:
        # Near the origin |x|² + |y|² − 2xᵀy loses less to rounding.
        centre = others.double().mean(dim=0)
        self.points, self.others = points.double() - centre, others.double() - centre
        self.squares = self.points.square().sum(dim=1)
        squares = self.others.square().sum(dim=1)
        # Processors multiply float32 as such; accelerators may round it to ten bits, and are fast in float64.
        kind = torch.float32 if points.device.type == "cpu" else torch.float64
        width = points.shape[1]
        self.error = 2 * (width + 4) * torch.finfo(kind).eps * (self.squares + squares.max())
        self._points, self._others, self._squares = self.points.to(kind), self.others.to(kind), squares.to(kind)

    def among(self, kept: Tensor) -> "_Bulk":
        """The same with some of the others only: bool (m,)."""
        smaller = copy(self)
        smaller.others, smaller._others, smaller._squares = self.others[kept], self._others[kept], self._squares[kept]
        return smaller

    def _blocks(self, rows: Tensor) -> Iterator[tuple[int, Tensor]]:
        points = self._points[rows]
        for start in range(0, len(self._others), COLUMNS):
            columns = slice(start, start + COLUMNS)
            yield start, torch.addmm(self._squares[columns], points, self._others[columns].T, alpha=-2)

    def within(self, rows: Tensor, reach: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Row, row and distance of the pairs of some points that are within their reach (rows,)."""
        limit = torch.where(reach < 0, -torch.inf, reach.square() - self.squares[rows] + self.error[rows])
        limit = limit.to(self._points.dtype)[:, None]
        step = max(1, CELLS // self.points.shape[1])
        for start, block in self._blocks(rows):
            candidates = (block <= limit).nonzero()
            for i, j in (part.unbind(dim=1) for part in candidates.split(step)):
                distance = (self.points[rows[i]] - self.others[j + start]).square_().sum(dim=1).sqrt_()
                kept = distance <= reach[i]
                yield rows[i[kept]], j[kept] + start, distance[kept]

    def nearest(self, rows: Tensor, k: int) -> tuple[Tensor, Tensor]:
        # The k nearest lie in those k groups whose least distances are the smallest.
        least, members = [], []
        for start, block in self._blocks(rows):
            if block.shape[1] % GROUP:  # filled up to whole groups
                block = F.pad(block, (0, -block.shape[1] % GROUP), value=torch.inf)
            groups = block.shape[1] // GROUP
            least.append(block.unflatten(1, (GROUP, groups)).amin(dim=1))
            first = torch.arange(start, start + groups, device=rows.device)
            members.append(first[:, None] + groups * torch.arange(GROUP, device=rows.device))
        minima, columns = torch.cat(least, dim=1), torch.cat(members)
        looked = min(k + SPARE, len(columns))
        chosen = minima.topk(min(looked + 1, len(columns)), largest=False)
        candidates = columns[chosen.indices[:, :looked]].flatten(1)
        distances, indices = self._exact(rows, candidates, k)
        if looked < len(columns):
            # The nearest point that was not looked at is at least as far as this.
            bound = chosen.values[:, looked].double() + self.squares[rows] - self.error[rows]
            for row in (distances[:, -1].square() > bound).nonzero().flatten().tolist():
                everything = torch.arange(len(self.others), device=rows.device)[None]
                distances[row], indices[row] = (part[0] for part in self._exact(rows[row : row + 1], everything, k))
        return distances, indices

    def _exact(self, rows: Tensor, candidates: Tensor, k: int) -> tuple[Tensor, Tensor]:
        """The k nearest of some candidates (n, c) for each row."""
        found = []
        step = max(1, CELLS // (candidates.shape[1] * self.points.shape[1]))
        for some, columns in zip(rows.split(step), candidates.split(step), strict=True):
            inside = columns.clamp(max=len(self.others) - 1)
            distance = (self.others[inside] - self.points[some][:, None]).square_().sum(dim=2).sqrt_()
            distance[columns >= len(self.others)] = torch.inf
            nearest = distance.topk(k, largest=False)
            found.append((nearest.values, columns.gather(1, nearest.indices)))
        return torch.cat([values for values, _ in found]), torch.cat([indices for _, indices in found])
