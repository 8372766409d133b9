"""The published sets that torchvision can download: read once, held as one uint8 tensor."""

import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import torch
from annotated_types import Ge
from filelock import FileLock
from torch import Tensor
from torch.nn.functional import interpolate

from forger.data.images import Data, Split, labelled, permutation


def mnist(
    root: str,
    size: Annotated[int, Ge(4)] = 28,
    download: bool = True,
    validation: Annotated[int, Ge(1)] = 5000,
) -> Data:
    """MNIST (LeCun et al. 1998), grey, 28×28 or resized to `size`.

    The official test split; `validation` of the training images, always the same, are set aside. The files
    lie in `root`/MNIST/raw. Raises FileNotFoundError, saying what to put where, when they are missing and
    can't be downloaded; ValueError when they are damaged.
    """
    return _idx("mnist", "MNIST", root, size, download, validation)


def fashion_mnist(
    root: str,
    size: Annotated[int, Ge(4)] = 28,
    download: bool = True,
    validation: Annotated[int, Ge(1)] = 5000,
) -> Data:
    """Fashion-MNIST (Xiao et al. 2017), grey, 28×28 or resized to `size`; files in `root`/FashionMNIST/raw.

    Splits and errors as for `mnist`.
    """
    return _idx("fashion_mnist", "FashionMNIST", root, size, download, validation)


def cifar10(
    root: str,
    size: Annotated[int, Ge(4)] = 32,
    download: bool = True,
    validation: Annotated[int, Ge(1)] = 5000,
) -> Data:
    """CIFAR-10 (Krizhevsky 2009), colour, 32×32 or resized to `size`; files in `root`/cifar-10-batches-py.

    Splits and errors as for `mnist`. torchvision opens the pickles only when their published checksums agree.
    """
    from torchvision.datasets import CIFAR10

    folder = Path(root) / CIFAR10.base_folder
    place = f"data_batch_1 to 5, test_batch and batches.meta into {folder} (or {CIFAR10.filename} into {root})"
    official = _official(CIFAR10, root, download, place)
    parts = [(torch.from_numpy(part.data).permute(0, 3, 1, 2), torch.tensor(part.targets)) for part in official]
    return _with_validation("cifar10", parts, size, validation)


def _idx(name: str, dataset_name: str, root: str, size: int, download: bool, validation: int) -> Data:
    from torchvision import datasets

    names = [f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]
    place = f"{', '.join(names)} (or each as .gz) into {Path(root) / dataset_name / 'raw'}"
    official = _official(getattr(datasets, dataset_name), root, download, place)
    parts = [(part.data.unsqueeze(1), part.targets) for part in official]
    return _with_validation(name, parts, size, validation)


def _official(dataset: Callable[..., Any], root: str, download: bool, place: str) -> list[Any]:
    """torchvision's train and test part of a set, downloaded if need be, by one process at a time."""

    def load(download: bool) -> list[Any]:
        return [dataset(root, train=train, download=download) for train in (True, False)]

    try:
        return load(download=False)
    except Exception as error:  # torchvision's readers assert, reshape and unpack as the damage has it
        if "not found" not in str(error):
            raise ValueError(f"damaged files below {root} ({_line(error)}): delete them") from error
        why = "download=false"
    if download:
        Path(root).mkdir(parents=True, exist_ok=True)
        try:
            # One at a time: ranks of one run, or the runs of a sweep.
            with FileLock(Path(root) / ".download.lock"), _inside_their_folder():
                return load(download=True)
        except tarfile.TarError as error:
            raise ValueError(
                f"the archive in {root} is damaged or not the published one ({_line(error)}): delete it"
            ) from error
        except (RuntimeError, OSError) as error:
            why = _line(error)
    raise FileNotFoundError(f"the data set is not in {root} and was not downloaded ({why}): put {place}")


@contextmanager
def _inside_their_folder() -> Iterator[None]:
    """Have tar archives refuse paths and links that lead out of the folder they are unpacked in (PEP 706)."""
    former = tarfile.TarFile.extraction_filter
    tarfile.TarFile.extraction_filter = staticmethod(tarfile.data_filter)
    try:
        yield
    finally:
        tarfile.TarFile.extraction_filter = former


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _with_validation(name: str, parts: list[tuple[Tensor, Tensor]], size: int, validation: int) -> Data:
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


def resized(images: Tensor, size: int) -> Tensor:
    """Square uint8 images (n, c, h, h) at another size: bilinear, antialiased where it is smaller."""
    if images.shape[-1] == size:
        return images.contiguous()
    result = torch.empty(*images.shape[:2], size, size, dtype=torch.uint8)
    for part, out in zip(images.split(1024), result.split(1024), strict=True):  # float32 of a part, never of the whole
        enlarged = interpolate(part.float(), (size, size), mode="bilinear", antialias=True)
        out.copy_(enlarged.round_().clamp_(0, 255))
    return result
