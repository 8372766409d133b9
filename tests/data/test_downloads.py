import gzip
import hashlib
import pickle
import shutil
import struct

import numpy as np
import pytest
import torch
from torchvision import datasets

from forger.data.downloads import cifar10, fashion_mnist, mnist, resized

COUNTS = {"train": 30, "t10k": 8}


def md5(path):
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def idx(array):
    """The format of yann.lecun.com/exdb/mnist: magic number, sizes (big-endian), bytes."""
    return struct.pack(f">{1 + array.ndim}I", 0x0800 | array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def written(tmp_path):
    """Raw idx files of 30 + 8 random digits, and the arrays."""
    rng = np.random.default_rng(0)
    arrays = {}
    for name in ("MNIST", "FashionMNIST"):
        raw = tmp_path / name / "raw"
        raw.mkdir(parents=True)
        for part, n in COUNTS.items():
            images = rng.integers(256, size=(n, 28, 28), dtype=np.uint8)
            labels = rng.integers(10, size=n, dtype=np.uint8)
            (raw / f"{part}-images-idx3-ubyte").write_bytes(idx(images))
            (raw / f"{part}-labels-idx1-ubyte").write_bytes(idx(labels))
            arrays[name, part] = images, labels
    return tmp_path, arrays


@pytest.mark.parametrize(("source", "name"), [(mnist, "MNIST"), (fashion_mnist, "FashionMNIST")])
def test_idx_files_are_read(written, source, name):
    root, arrays = written
    data = source(str(root), download=False, validation=10)
    assert [len(split) for split in data.splits.values()] == [20, 10, 8]
    assert data.shape == (1, 28, 28)
    assert data.classes == 10
    images, labels = arrays[name, "t10k"]
    assert np.array_equal(data.test.arrays["image"][:, 0], images)
    assert np.array_equal(data.test.arrays["label"], labels)
    images, labels = arrays[name, "train"]
    whole = {image.tobytes(): label for image, label in zip(images, labels, strict=True)}
    for split in (data.train, data.validation):
        for image, label in zip(split.arrays["image"], split.arrays["label"], strict=True):
            assert whole.pop(image.numpy().tobytes()) == label
    assert not whole
    assert source(str(root), download=True, validation=10).fingerprint == data.fingerprint


def test_gz_files_put_there_are_unpacked_without_network(written, monkeypatch, tmp_path):
    root, _ = written
    expected = mnist(str(root), validation=10).fingerprint
    raw, resources = root / "MNIST" / "raw", []
    for name, _ in datasets.MNIST.resources:
        unpacked = raw / name.removesuffix(".gz")
        (raw / name).write_bytes(gzip.compress(unpacked.read_bytes()))
        unpacked.unlink()
        resources.append((name, md5(raw / name)))
    monkeypatch.setattr(datasets.MNIST, "resources", resources)
    monkeypatch.setattr(datasets.MNIST, "mirrors", ["http://127.0.0.1:1/"])
    assert mnist(str(root), validation=10).fingerprint == expected


def test_another_size_is_resized_once(written):
    data = mnist(str(written[0]), size=32, validation=10)
    assert data.shape == (1, 32, 32)
    assert data.train.arrays["image"].dtype == torch.uint8


def test_resizing_averages_and_keeps_the_range():
    checkers = (torch.arange(16)[:, None] + torch.arange(16)).remainder(2).mul(255).to(torch.uint8)
    small = resized(checkers.expand(2, 3, 16, 16), 4)
    assert small.shape == (2, 3, 4, 4)
    assert small[:, :, 1:3, 1:3].float().sub(127.5).abs().max() <= 1
    white = torch.full((1, 1, 8, 8), 255, dtype=torch.uint8)
    assert resized(white, 12).unique().tolist() == [255]


def test_missing_files_are_named_with_their_place(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"download=false.*train-images-idx3-ubyte.*MNIST/raw") as error:
        mnist(str(tmp_path), download=False)
    assert "\n" not in str(error.value)
    monkeypatch.setattr(datasets.FashionMNIST, "mirrors", ["http://127.0.0.1:1/"])  # nobody listens there
    with pytest.raises(FileNotFoundError, match=r"not downloaded \(Error .*FashionMNIST/raw") as error:
        fashion_mnist(str(tmp_path))
    assert "\n" not in str(error.value)
    monkeypatch.setattr(datasets.CIFAR10, "url", "http://127.0.0.1:1/cifar-10-python.tar.gz")
    with pytest.raises(FileNotFoundError, match=r"data_batch_1 to 5.*cifar-10-batches-py") as error:
        cifar10(str(tmp_path))
    assert "\n" not in str(error.value)


def test_a_damaged_file_is_told_from_a_missing_one(written):
    root, _ = written
    path = root / "MNIST" / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"damaged files below .*delete them"):
        mnist(str(root), validation=10)


def test_a_validation_split_must_leave_something(written):
    with pytest.raises(ValueError, match="validation=5000 leaves nothing of the 30 training images"):
        mnist(str(written[0]))


@pytest.fixture
def cifar(tmp_path, monkeypatch):
    """CIFAR-10's pickles of rows of 3,072 bytes, 4 per file, whose checksums torchvision is told."""
    folder, rng, sums, arrays = tmp_path / "cifar-10-batches-py", np.random.default_rng(0), {}, {}
    folder.mkdir()
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        rows, labels = rng.integers(256, size=(4, 3072), dtype=np.uint8), rng.integers(10, size=4).tolist()
        (folder / name).write_bytes(pickle.dumps({"data": rows, "labels": labels}))
        arrays[name], sums[name] = (rows, labels), md5(folder / name)
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list("abcdefghij")}))
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [["test_batch", sums.pop("test_batch")]])
    monkeypatch.setattr(datasets.CIFAR10, "train_list", [list(item) for item in sums.items()])
    meta = {"filename": "batches.meta", "key": "label_names", "md5": md5(folder / "batches.meta")}
    monkeypatch.setattr(datasets.CIFAR10, "meta", meta)
    return tmp_path, arrays


def test_cifar_pickles_are_read(cifar):
    root, arrays = cifar
    data = cifar10(str(root), download=False, validation=5)
    assert [len(split) for split in data.splits.values()] == [15, 5, 4]
    rows, labels = arrays["test_batch"]
    assert np.array_equal(data.test.arrays["image"], rows.reshape(4, 3, 32, 32))
    assert data.test.arrays["label"].tolist() == labels
    assert data.train.arrays["image"].is_contiguous()


def test_a_cifar_file_with_another_checksum_is_not_opened(cifar):
    root, _ = cifar
    (root / "cifar-10-batches-py" / "data_batch_3").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(FileNotFoundError, match="data_batch_1 to 5"):
        cifar10(str(root), download=False)


def test_a_download_happens_once_under_a_lock(written, monkeypatch):
    root, _ = written
    fresh = root / "fresh"
    calls = []

    class Slow(datasets.MNIST):
        def download(self):
            calls.append((root / "fresh" / ".download.lock").exists())
            if not (fresh / "MNIST").exists():
                shutil.copytree(root / "MNIST", fresh / "MNIST")

    Slow.__name__ = "MNIST"
    monkeypatch.setattr(datasets, "MNIST", Slow)
    assert len(mnist(str(fresh), validation=10).train) == 20
    assert calls == [True, True]
    mnist(str(fresh), validation=10)
    assert len(calls) == 2
