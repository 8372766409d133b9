"""Sizes as configs write them, one number for height and width or [height, width]; and which of them networks take."""

from collections.abc import Iterator, Sequence

#: The side of the largest picture that networks take, and of the smallest.
LARGEST, SMALLEST = 256, 8
#: How often the shorter side of a picture is halved, where it is 4 to 7 times a power of two.
_HALVED = {base << k: k for base in range(4, 8) for k in range(1, 7) if base << k <= LARGEST}


def sides(size: int | Sequence[int]) -> tuple[int, int]:
    """Height and width."""
    height, width = (size, size) if isinstance(size, int) else size
    return height, width


def written(height: int, width: int) -> int | list[int]:
    """A height and a width as a config would write them."""
    return height if height == width else [height, width]


def taken(height: int, width: int) -> bool:
    """Whether networks take pictures of this size: from 8 to 256, the shorter side 4 to 7 times a power of two, the
    longer one a multiple of this power."""
    shorter, longer = sorted((height, width))
    return longer <= LARGEST and shorter in _HALVED and longer % (1 << _HALVED[shorter]) == 0


def halvings(size: int | Sequence[int], smallest: int = 4) -> tuple[tuple[int, int], int]:
    """((height, width), k) of the map in which strided convolutions end, size / 2^k, and how many they are.

    The shorter side of the map is 4 to 7, k >= 1. A `smallest` below 4 goes on halving, rounded down, as long as the
    shorter half is at least that: 8, 4, 2 and 28, 14, 7, 3.

    Raises:
        ValueError: a size that is not `taken`; the message names the nearest that are.
    """
    height, width = sides(size)
    if not taken(height, width):
        raise ValueError(_refusal(height, width))
    count = _HALVED[min(height, width)]
    while min(height, width) >> count + 1 >= smallest:
        count += 1
    return (height >> count, width >> count), count


def _refusal(height: int, width: int) -> str:
    if height == width:
        nearest = [max((s for s in _HALVED if s < height), default=None)]
        nearest += [min((s for s in _HALVED if s > height), default=None)]
        names = " or ".join(str(s) for s in nearest if s is not None)
        return f"size {height} is not 4 to 7 times a power of two from 8 to 256; resize to {names}"
    near = sorted(_all(), key=lambda size: (abs(size[0] - height) + abs(size[1] - width), size))[:2]
    return (
        f"size [{height}, {width}] (height, width): from 8 to 256 the shorter side must be 4 to 7 times a power of two "
        f"and the longer one a multiple of this power; resize to {' or '.join(str(list(size)) for size in near)}"
    )


def _all() -> Iterator[tuple[int, int]]:
    sizes = range(SMALLEST, LARGEST + 1)
    return ((height, width) for height in sizes for width in sizes if height != width and taken(height, width))
