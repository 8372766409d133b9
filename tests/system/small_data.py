"""Small files of the true formats of the data sets that people have, and the overrides that read them."""

import gzip
import hashlib
import pickle
import struct
import sys
import zipfile
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
from PIL import Image
from torchvision import datasets as published

from data.pictures import write
from forger.data.emoji import FONT, LIST
from running import without


def digits(root, monkeypatch):
    return ("data=digits",)


def fashion(root, monkeypatch):
    raw = root / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for part, n in (("train", 160), ("t10k", 24)):
        for name, array in (
            ("images-idx3", rng.integers(256, size=(n, 28, 28), dtype=np.uint8)),
            ("labels-idx1", np.arange(n, dtype=np.uint8) % 10),
        ):
            header = struct.pack(f">{1 + array.ndim}I", 0x0800 | array.ndim, *array.shape)
            (raw / f"{part}-{name}-ubyte.gz").write_bytes(gzip.compress(header + array.tobytes()))
    return ("data=fashion_mnist", f"data.root={root}", "data.source.download=false", "+data.source.validation=24")


def inverted(root, monkeypatch):
    return ("data=fashion_inverted", *fashion(root, monkeypatch)[1:])


def cifar(root, monkeypatch):
    folder, rng, sums = root / "cifar-10-batches-py", np.random.default_rng(0), {}
    folder.mkdir()
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta"]:
        rows, labels = rng.integers(256, size=(30, 3072), dtype=np.uint8), rng.integers(10, size=30).tolist()
        content = {"data": rows, "labels": labels, "label_names": list("abcdefghij")}
        (folder / name).write_bytes(pickle.dumps(content))
        sums[name] = hashlib.md5((folder / name).read_bytes(), usedforsecurity=False).hexdigest()
    meta = {"filename": "batches.meta", "key": "label_names", "md5": sums.pop("batches.meta")}
    monkeypatch.setattr(published.CIFAR10, "meta", meta)
    monkeypatch.setattr(published.CIFAR10, "test_list", [["test_batch", sums.pop("test_batch")]])
    monkeypatch.setattr(published.CIFAR10, "train_list", [list(item) for item in sums.items()])
    small = ("data.size=16", "+data.source.validation=24")
    return ("data=cifar10", f"data.root={root}", "data.source.download=false", *small)


def folder(root, monkeypatch):
    for i in range(150):
        write(root / "abc"[i % 3] / f"{i}.png", seed=i)
    return ("data=image_folder", f"data.root={root}", "data.size=16")


def files(root, monkeypatch):
    with zipfile.ZipFile(root / "x.zip", "w") as archive:
        for i in range(150):
            write(root / "x.png", size=(16, 16), seed=i)
            archive.write(root / "x.png", f"{'abc'[i % 3]}/{i}.png")
    return ("data=files", f"data.root={root / 'x.zip'}")


def celeba(root, monkeypatch):
    names = [f"{i:06}.jpg" for i in range(1, 161)]
    for i, name in enumerate(names):
        write(root / "img_align_celeba" / name, size=(178, 218), seed=i)
    parts = "".join(f"{name} {0 if i < 112 else 1 + i % 2}\n" for i, name in enumerate(names))
    (root / "list_eval_partition.txt").write_text(parts)
    rows = [f"{name} {' 1' if i % 3 else '-1'}  1" for i, name in enumerate(names)]
    (root / "list_attr_celeba.txt").write_text("\n".join(["160", "Smiling Young ", *rows]) + "\n")
    return ("data=celeba", f"data.root={root}", "data.size=16")


def huggingface(root, monkeypatch):
    rng = np.random.default_rng(0)
    images = [Image.fromarray(rng.integers(256, size=(18, 16 + i % 3, 3), dtype=np.uint8)) for i in range(150)]
    rows = {"image": images, "label": [i % 3 for i in range(150)]}
    if find_spec("datasets"):
        import datasets

        features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b", "c"])})
        datasets.Dataset.from_dict(rows, features=features).save_to_disk(str(root / "set"))
    else:
        double = SimpleNamespace(load_dataset=lambda path, config: {"train": Table(rows)})
        monkeypatch.setitem(sys.modules, "datasets", double)
    return ("data=huggingface", f"data.root={root / 'set'}", "data.size=16")


class Table:
    """What is asked of a table of the package `datasets`, which is not everywhere."""

    def __init__(self, columns):
        self.columns = columns
        self.column_names = list(columns)
        self.cache_files = []

    def __len__(self):
        return len(self.columns["image"])

    def __getitem__(self, key):
        return self.columns[key] if isinstance(key, str) else {name: rows[key] for name, rows in self.columns.items()}

    def select_columns(self, names):
        return self


def emoji(root, monkeypatch):
    for path, what, package in (
        (FONT, "colour font", "fonts-noto-color-emoji"),
        (LIST, "list of emoji", "unicode-data"),
    ):
        if not path.is_file():
            without(what, package)
    lines = LIST.read_text(encoding="utf-8").splitlines()
    (few := root / "emoji.txt").write_text(
        "\n".join(line for i, line in enumerate(lines) if line.startswith("# group:") or i % 6 == 0), encoding="utf-8"
    )
    return ("data=emoji", "data.size=16", f"++data.source.emoji_list={few}")
