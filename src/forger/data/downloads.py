"""The published sets that torchvision can download: read once, held as one uint8 tensor."""

import gzip
import math
import platform
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Ge
from torch import Tensor
from torch.nn.functional import interpolate

from forger.data.dataset import Data, Split
from forger.data.images import labelled, permutation
from forger.data.pixels.layout import Size, centred
from forger.locking import locked
from forger.sizes import sides

#: Where Debian's package dataset-fashion-mnist puts its files.
DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")


def mnist(
    root: str,
    size: Size = 28,
    download: bool = True,
    validation: Annotated[int, Ge(1)] = 5000,
) -> Data:
    """MNIST (LeCun et al. 1998), grey, 28×28 or resized to `size`.

    The official test split; `validation` of the training images, always the same, are set aside. The files
    lie in `root`/MNIST/raw or in `root` itself, each as it is or as .gz.

    Raises:
        FileNotFoundError: they are missing and can't be downloaded; the message says what to put where.
        ValueError: they are damaged.
    """
    return _idx("mnist", "MNIST", root, size, download, validation)


def fashion_mnist(
    root: str,
    size: Size = 28,
    download: bool = True,
    validation: Annotated[int, Ge(1)] = 5000,
) -> Data:
    """Fashion-MNIST (Xiao et al. 2017), grey, 28×28 or resized to `size`.

    Files (in `root`/FashionMNIST/raw, `root`, or else where Debian's package dataset-fashion-mnist has them), splits
    and errors as for `mnist`.
    """
    return _idx("fashion_mnist", "FashionMNIST", root, size, download, validation, DEBIAN_FASHION_MNIST)


def cifar10(
    root: str,
    size: Size = 32,
    download: bool = True,
    validation: Annotated[int, Ge(1)] = 5000,
) -> Data:
    """CIFAR-10 (Krizhevsky 2009), colour, 32×32 or resized to `size`; files in `root`/cifar-10-batches-py.

    Splits and errors as for `mnist`. torchvision opens the pickles only when their published checksums agree.
    """
    from torchvision.datasets import CIFAR10

    folder = Path(root) / CIFAR10.base_folder
    place = f"data_batch_1 to 5, test_batch and batches.meta into {folder} (or {CIFAR10.filename} into {root})"

    def load(download: bool) -> list[Any]:
        return [CIFAR10(root, train=train, download=download) for train in (True, False)]

    try:
        official = load(download=False)
    except Exception as error:  # torchvision's reader asserts, reshapes and unpacks as the damage has it
        if "not found" not in str(error):
            raise ValueError(f"damaged files below {root} ({_line(error)}): delete them") from error
        with _downloading(root, download, place):
            official = load(download=True)
    parts = [(torch.from_numpy(part.data).permute(0, 3, 1, 2), torch.tensor(part.targets)) for part in official]
    return _with_validation("cifar10", parts, size, validation)


def _idx(name: str, dataset_name: str, root: str, size: Size, download: bool, validation: int, *more: Path) -> Data:
    raw = Path(root) / dataset_name / "raw"
    names = [f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]
    files = _found(names, raw, Path(root), *more)
    if files is None:
        place = f"{', '.join(names)} (or each as .gz) into {raw}"
        place += ", or apt-get install dataset-fashion-mnist" if more else ""
        with _downloading(root, download, place):
            files = _found(names, raw)
            if files is None:  # nobody downloaded them while this process waited
                from torchvision import datasets

                getattr(datasets, dataset_name)(root, download=True)
                files = _found(names, raw)
        assert files is not None
    parts = [_images_and_labels(*files[:2]), _images_and_labels(*files[2:])]
    return _with_validation(name, parts, size, validation)


def _found(names: list[str], *folders: Path) -> list[Path] | None:
    """The files of these names, as they are or as .gz, in the first folder that has them all."""
    for folder in folders:
        candidates = [[folder / name, folder / f"{name}.gz"] for name in names]
        files = [next((path for path in pair if path.is_file()), None) for pair in candidates]
        if all(files):
            return [file for file in files if file]
    return None


def _images_and_labels(*files: Path) -> tuple[Tensor, Tensor]:
    """uint8 (n, 1, 28, 28) and int64 (n,) of two IDX files."""
    images, labels = map(_read_idx, files)
    if images.shape[1:] != (28, 28) or labels.shape != images.shape[:1] or labels.max() > 9:
        found = f"{tuple(images.shape)} and {tuple(labels.shape)}"
        raise ValueError(
            f"{files[0]} and {files[1].name} are damaged: {found} instead of n images of 28x28 and n labels 0 to 9"
        )
    return images.unsqueeze(1), labels.long()


def _read_idx(path: Path) -> Tensor:
    """The uint8 array of an IDX file (yann.lecun.com/exdb/mnist), unpacked if it is a .gz, whoever packed it.

    Raises:
        ValueError: it can't be unpacked, or is not as long as its header says.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is damaged ({_line(error)}): replace it") from error
    dimensions = content[3] if content[:3] == bytes([0, 0, 8]) and len(content) > 3 else 0  # 8: unsigned bytes
    start = 4 + 4 * dimensions
    shape = [int.from_bytes(content[at : at + 4], "big") for at in range(4, start, 4)]
    if not dimensions or len(content) - start != math.prod(shape):
        raise ValueError(f"{path} is damaged: its {len(content)} bytes don't fit its header; replace it")
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy())


@contextmanager
def _downloading(root: str, download: bool, place: str) -> Iterator[None]:
    """Around a download by torchvision: by one process at a time, and what fails says what to put where."""
    why = "download=false"
    if download:
        Path(root).mkdir(parents=True, exist_ok=True)
        try:
            # One at a time: ranks of one run, or the runs of a sweep.
            with locked(Path(root) / ".download.lock"), _inside_their_folder():
                yield
            return
        except tarfile.TarError as error:
            raise ValueError(
                f"the archive in {root} is damaged or not the published one ({_line(error)}): delete it"
            ) from error
        except (RuntimeError, OSError) as error:
            why = _line(error)
    raise FileNotFoundError(f"the data set is not in {root} and was not downloaded ({why}): put {place}")


@contextmanager
def _inside_their_folder() -> Iterator[None]:
    """Have tar archives refuse paths and links that lead out of the folder they are unpacked in (PEP 706).

    Python before 3.11.4, such as Debian 12's, can't tell them: it unpacks none then.
    """
    able = hasattr(tarfile, "data_filter")
    name, value = ("extraction_filter", staticmethod(tarfile.data_filter)) if able else ("extractall", _unable)
    former = vars(tarfile.TarFile).get(name)
    setattr(tarfile.TarFile, name, value)
    try:
        yield
    finally:
        setattr(tarfile.TarFile, name, former)


def _unable(*_: Any, **__: Any) -> None:
    raise RuntimeError(f"Python {platform.python_version()} can't unpack an archive without risk, 3.11.4 and later can")


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _with_validation(name: str, parts: list[tuple[Tensor, Tensor]], size: Size, validation: int) -> Data:
    (images, labels), (test_images, test_labels) = ((resized(images, size), labels) for images, labels in parts)
    if validation >= len(images):
        raise ValueError(f"validation={validation} leaves nothing of the {len(images)} training images of {name}")
    order = permutation(len(images), name)
    return Data(
        name,
        train=labelled(images, labels, order[:-validation]),
        validation=labelled(images, labels, order[-validation:]),
        test=Split({"image": test_images, "label": test_labels}),
        classes=10,
    )


def resized(images: Tensor, size: Size) -> Tensor:
    """The largest centred part of uint8 images (n, c, h, w), at another size: bilinear, antialiased where smaller."""
    height, width = sides(size)
    left, top, right, bottom = centred(images.shape[-1], images.shape[-2], width, height)
    images = images[..., top:bottom, left:right]
    if images.shape[-2:] == (height, width):
        return images.contiguous()
    result = torch.empty(*images.shape[:2], height, width, dtype=torch.uint8)
    for part, out in zip(images.split(1024), result.split(1024), strict=True):  # float32 of a part, never of the whole
        enlarged = interpolate(part.float(), (height, width), mode="bilinear", antialias=True)
        out.copy_(enlarged.round_().clamp_(0, 255))
    return result
