"""Two domains for translation, whose pairs training sees or does not, and patches for super-resolution."""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from annotated_types import Ge, Le, MaxLen, MinLen
from torch import Tensor
from torch.nn.functional import avg_pool2d

from forger.data.collection import Files
from forger.data.dataset import Data, Split
from forger.data.downloads import fashion_mnist
from forger.data.images import digits
from forger.data.pixels.decoding import decode, listing
from forger.data.pixels.layout import Channels, Fit, Layout, Pixels, Size
from forger.data.splits.splitting import SPLIT_NAMES, partition
from forger.data.store import decoded, kept
from forger.data.translations import Half, of_pairs, with_translations
from forger.randomness import generator
from forger.sizes import sides

#: Height and width of a patch alike, or both.
PatchSide = Annotated[int, Ge(16)]
Patch = PatchSide | Annotated[list[PatchSide], MinLen(2), MaxLen(2)]
#: Which of the pictures of a pair is translated into the other.
Direction = Literal["ab", "ba"]
#: Change of grey from a pixel to the next, of 255, that is an outline.
_EDGE = 48


def digits_inverted(paired: bool = False) -> Data:
    """Digits ↔ inverted digits (255 - x); `paired`: `with_translations`."""
    return with_translations(digits(), "inverted", paired, b=_inverted)


def digits_rotated(paired: bool = False) -> Data:
    """Digits ↔ digits turned by 90° counter-clockwise; `paired`: `with_translations`."""
    return with_translations(digits(), "rotated", paired, b=lambda images: images.rot90(1, (2, 3)).contiguous())


def digits_averaged(paired: bool = False) -> Data:
    """Digits of which each 2×2 block is its mean (4×4 values on 8×8 pixels) → digits; `paired`: `with_translations`."""
    return with_translations(digits(), "averaged", paired, a=_averaged)


def fashion_inverted(
    root: str, size: Size = 28, download: bool = True, validation: Annotated[int, Ge(1)] = 5000, paired: bool = False
) -> Data:
    """As `digits_inverted`, of Fashion-MNIST, whose parameters these are (`forger.data.downloads.fashion_mnist`)."""
    return with_translations(fashion_mnist(root, size, download, validation), "inverted", paired, b=_inverted)


def fashion_outlines(
    root: str, size: Size = 28, download: bool = True, validation: Annotated[int, Ge(1)] = 5000, paired: bool = False
) -> Data:
    """Outlines of Fashion-MNIST's garments, white on black → garments; parameters as of `fashion_inverted`."""
    return with_translations(fashion_mnist(root, size, download, validation), "outlines", paired, a=outlines)


def _inverted(images: Tensor) -> Tensor:
    return 255 - images


def _averaged(images: Tensor) -> Tensor:
    means = avg_pool2d(images.float(), 2).round().to(torch.uint8)
    return means.repeat_interleave(2, 2).repeat_interleave(2, 3)


def outlines(images: Tensor) -> Tensor:
    """Where uint8 images (n, c, h, w) change, to the right or downwards, by 48 or more: 255, elsewhere 0."""
    x = images.short()
    across = torch.zeros_like(x)
    across[..., :-1] = (x[..., 1:] - x[..., :-1]).abs()
    down = torch.zeros_like(x)
    down[..., :-1, :] = (x[..., 1:, :] - x[..., :-1, :]).abs()
    return 255 * (torch.maximum(across, down) >= _EDGE).to(torch.uint8)


def unpaired_folders(
    root_a: str,
    root_b: str,
    size: Size,
    channels: Channels = 3,
    test_a: str | None = None,
    test_b: str | None = None,
    fit: Fit = "crop",
) -> Data:
    """Two folders of pictures, domain A ("image") and domain B ("target"), without partners; `size`, `fit`: `Layout`.

    Each is split like an `image_folder`; with `test_a` and `test_b` (CycleGAN's trainA, trainB, testA, testB)
    the tests are those folders.

    Raises:
        FileNotFoundError: a folder is missing.
        ValueError: a folder's pictures don't fit.
    """
    if (test_a is None) != (test_b is None):
        raise ValueError("test_a and test_b come together: name both folders or neither")
    if Path(root_a).resolve() == Path(root_b).resolve():
        raise ValueError(f"root_a and root_b are the same folder, {root_a}: a translation needs two domains")

    layout = Layout.of(channels, size, fit)

    def domain(root: str, test: str | None) -> dict[str, Tensor]:
        return {
            name: torch.cat([decoded(Files(place, part), layout) for place, part in parts])
            for name, parts in parts_of_domain(Path(root), None if test is None else Path(test)).items()
        }

    a, b = domain(root_a, test_a), domain(root_b, test_b)
    train, validation, test = (Split({"image": a[name]}, {"target": b[name]}) for name in SPLIT_NAMES)
    return Data(f"{Path(root_a).name}-{Path(root_b).name}", train, validation, test)


def parts_of_domain(root: Path, test: Path | None = None) -> dict[str, list[tuple[Path, list[Path]]]]:
    """The pictures of a domain for each split, as folders and paths below them; `test` is the folder of the tests."""
    parts = {name: [(root, paths)] for name, paths in partition(root).items()}
    if test is not None:
        parts["train"] += parts["test"]
        parts["test"] = [(test, listing(test))]
    return parts


def paired_folder(
    root: str,
    size: Size,
    channels: Channels = 3,
    fit: Fit = "crop",
    paired: bool = False,
    direction: Direction = "ab",
) -> Data:
    """`root`/A and `root`/B with the same file names are pairs (`of_pairs`); `size`, `fit`: `Layout`.

    Raises:
        ValueError: a picture, named by its path, has no partner.
    """
    folder = Path(root)
    names = {side: listing(folder / side) for side in "AB"}
    for here, there in ("AB", "BA"):
        if alone := set(names[here]) - set(names[there]):
            first = min(alone)
            raise ValueError(f"{folder / here / first} has no partner {folder / there / first} ({len(alone)} such)")
    parts = partition(folder / "A", names["A"])
    a, b = (folder / side for side in direction.upper())
    domains = (lambda paths: Files(a, paths), lambda paths: Files(b, paths))
    return of_pairs(folder, parts, domains, Layout.of(channels, size, fit), paired)


def side_by_side(
    root: str,
    size: Size,
    channels: Channels = 3,
    fit: Fit = "crop",
    paired: bool = False,
    direction: Direction = "ab",
) -> Data:
    """Picture files below `root` that hold A on the left and B on the right are pairs (`of_pairs`).

    Split as an `image_folder`; `size` (of each half), `fit`: `Layout`.

    Raises:
        ValueError: a picture of an odd width.
    """
    folder = Path(root)
    left, right = (0, 1) if direction == "ab" else (1, 0)
    domains = (lambda paths: Half(folder, paths, left), lambda paths: Half(folder, paths, right))
    return of_pairs(folder, partition(folder), domains, Layout.of(channels, size, fit), paired)


def photos(
    patch: Annotated[int, Ge(16), Le(96)] = 48,
    stride: Annotated[int, Ge(1)] = 8,
    turns: Annotated[int, Ge(1), Le(4)] = 4,
) -> Data:
    """Patches of scikit-learn's photographs china.jpg and flower.jpg, for super-resolution; split by region.

    Train: overlapping patches every `stride` pixels of china's columns 0..383 and flower's 0..479, each
    turned by 0 to `turns` - 1 quarters. Validation: china's columns 384..479, test: 480..639, cut into
    patches that don't overlap, so `patch` is at most 96. `extra` has each test strip whole, uint8
    (1, 3, 424, 160): "china", and "flower", which is mostly blurred background and not averaged in.
    """
    from sklearn.datasets import load_sample_image

    china, flower = (
        torch.from_numpy(np.array(load_sample_image(name))).permute(2, 0, 1) for name in ("china.jpg", "flower.jpg")
    )
    crops = torch.cat([_patches(china[:, :, :384], patch, stride), _patches(flower[:, :, :480], patch, stride)])
    strips = {"china": china[:, :424, 480:], "flower": flower[:, :424, 480:]}
    return Data(
        "photos",
        train=Split({"image": torch.cat([crops.rot90(turn, (2, 3)) for turn in range(turns)])}),
        validation=Split({"image": _patches(china[:, :, 384:480], patch, patch)}),
        test=Split({"image": _patches(china[:, :, 480:], patch, patch)}),
        extra={name: Split({"image": strip[None].contiguous()}) for name, strip in strips.items()},
    )


def _patches(image: Tensor, patch: int, stride: int) -> Tensor:
    """Every patch at multiples of `stride`: uint8 (n, c, patch, patch) of an image (c, h, w)."""
    grid = image.unfold(1, patch, stride).unfold(2, patch, stride)
    return grid.permute(1, 2, 0, 3, 4).reshape(-1, len(image), patch, patch).contiguous()


def patches_of_folder(root: str, patch: Patch = 48, channels: Channels = 3, crops: Annotated[int, Ge(1)] = 64) -> Data:
    """`crops` random patches, always the same, of each picture below `root`, for super-resolution.

    Split by picture, as an `image_folder`; nothing is resized.

    Raises:
        ValueError: a picture smaller than a patch.
    """
    folder = Path(root)
    height, width = patch_sides = sides(patch)

    def cut(paths: list[Path]) -> tuple[Tensor, dict[str, int]]:
        result = torch.empty(len(paths), crops, channels, *patch_sides, dtype=torch.uint8)
        for path, out in zip(paths, result, strict=True):
            picture, _ = decode(folder / path, Pixels(channels))
            room = [extent - side + 1 for extent, side in zip(picture.shape[1:], patch_sides, strict=True)]
            if min(room) < 1:
                size = f"{picture.shape[2]} x {picture.shape[1]}"
                raise ValueError(
                    f"{folder / path} is {size}, smaller than a patch of {width} x {height}: remove it or set data.size"
                )
            corners = torch.rand(crops, 2, generator=generator(0, "patches_of_folder", path.as_posix()))
            for crop, (top, left) in zip(out, (corners * torch.tensor(room)).long().tolist(), strict=True):
                crop.copy_(picture[:, top : top + height, left : left + width])
        return result.flatten(0, 1), {}

    def split(paths: list[Path]) -> Split:
        return Split({"image": kept(Files(folder, paths), ("patches", channels, patch, crops), lambda: cut(paths))[0]})

    parts = partition(folder)
    train, validation, test = (split(parts[name]) for name in SPLIT_NAMES)
    return Data(folder.resolve().name, train, validation, test)
