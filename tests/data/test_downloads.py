import gzip
import hashlib
import pickle
import shutil
import struct

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import datasets

from forger.data import downloads
from forger.data.downloads import DEBIAN_FASHION_MNIST, cifar10, fashion_mnist, mnist, resized
from running import without

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


@pytest.mark.parametrize("place", ["MNIST/raw", "."])
def test_gz_files_put_there_are_taken_whoever_packed_them(written, monkeypatch, tmp_path, place):
    root, _ = written
    expected = mnist(str(root), validation=10).fingerprint
    for level, (name, _) in enumerate(datasets.MNIST.resources):  # another compressor's work each
        unpacked = root / "MNIST" / "raw" / name.removesuffix(".gz")
        (root / place / name).write_bytes(gzip.compress(unpacked.read_bytes(), level))
        unpacked.unlink()
    monkeypatch.setattr(datasets.MNIST, "mirrors", ["http://127.0.0.1:1/"])
    assert mnist(str(root), validation=10).fingerprint == expected


def test_a_damaged_gz_file_is_named(written):
    root, _ = written
    path = root / "MNIST" / "raw" / "t10k-labels-idx1-ubyte"
    packed = bytearray(gzip.compress(path.read_bytes()))
    path.unlink()
    for damaged in (packed[:-9], packed[:-8] + bytes(8), b"no gzip", gzip.compress(b"no idx")):
        path.with_suffix(".gz").write_bytes(damaged)
        with pytest.raises(ValueError, match=r"t10k-labels-idx1-ubyte\.gz is damaged.*replace it"):
            mnist(str(root), validation=10)


def test_labels_that_do_not_fit_the_images_are_refused(written):
    root, _ = written
    path = root / "MNIST" / "raw" / "t10k-labels-idx1-ubyte"
    for labels in (np.zeros(7, np.uint8), np.full(8, 10, np.uint8)):
        path.write_bytes(idx(labels))
        with pytest.raises(ValueError, match=r"t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte are damaged"):
            mnist(str(root), validation=10)


def test_the_files_of_debians_package_are_found(tmp_path):
    if not DEBIAN_FASHION_MNIST.is_dir():
        without("Fashion-MNIST", "dataset-fashion-mnist")
    data = fashion_mnist(str(tmp_path / "nothing"), download=False)
    assert [len(split) for split in data.splits.values()] == [55000, 5000, 10000]
    # The first test image is an ankle boot; facts of the files that Zalando published.
    assert data.test.arrays["label"][:10].tolist() == [9, 2, 1, 1, 6, 1, 4, 6, 5, 7]
    assert data.test.arrays["image"].double().mean().item() == pytest.approx(73.1466, abs=1e-4)
    assert data.train.arrays["label"].bincount().add(data.validation.arrays["label"].bincount()).unique() == 6000


def test_another_size_is_resized_once(written):
    data = mnist(str(written[0]), size=32, validation=10)
    assert data.shape == (1, 32, 32)
    assert data.train.arrays["image"].dtype == torch.uint8


def test_height_and_width_may_differ(written, cifar):
    """The largest centred part of these proportions: of 28×28 the rows 6 to 21, of 32×32 the rows 6 to 24."""
    (root, arrays), (_, pickles) = written, cifar
    for source, name in ((mnist, "MNIST"), (fashion_mnist, "FashionMNIST")):
        found = source(str(root), size=[12, 20], validation=10).test.arrays["image"]
        part = Image.fromarray(arrays[name, "t10k"][0][0, 6:22]).resize((20, 12), Image.Resampling.BILINEAR)
        assert found.shape == (8, 1, 12, 20)
        assert (found[0, 0].int() - torch.from_numpy(np.array(part)).int()).abs().max() <= 1
    found = cifar10(str(root), size=[24, 40], download=False, validation=5).test.arrays["image"]
    assert found.shape == (4, 3, 24, 40)
    picture = pickles["test_batch"][0][0].reshape(3, 32, 32)[:, 6:25]
    for channel, pixels in zip(found[0], picture, strict=True):
        enlarged = np.array(Image.fromarray(pixels).resize((40, 24), Image.Resampling.BILINEAR))
        assert (channel.int() - torch.from_numpy(enlarged).int()).abs().max() <= 1


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
    monkeypatch.setattr(downloads, "DEBIAN_FASHION_MNIST", tmp_path / "none")
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
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte is damaged: its 1000 bytes .*replace it"):
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
    assert calls == [True]
    mnist(str(fresh), validation=10)
    assert len(calls) == 1
