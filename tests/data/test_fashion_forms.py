"""Fashion-MNIST in five forms: the same pictures in the same order are one fingerprint and the same weights."""

import gzip
import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from forger.building import load_data
from forger.config.schema import validate
from forger.data.downloads import DEBIAN_FASHION_MNIST, fashion_mnist
from running import composed, trained, without

#: How many pictures are read of each of Debian's files, and of the training pictures validate.
TRAIN, TEST, VALIDATION = 480, 120, 60
IMAGES = 2_000


def sliced(root, n_train=TRAIN, n_test=TEST):
    """The first pictures and labels of Debian's files, as files of the same format."""
    for part, n in (("train", n_train), ("t10k", n_test)):
        for kind, row in (("images-idx3", 28 * 28), ("labels-idx1", 1)):
            name = f"{part}-{kind}-ubyte"
            content = gzip.decompress((DEBIAN_FASHION_MNIST / f"{name}.gz").read_bytes())
            start = 4 + 4 * content[3]
            (root / name).write_bytes(
                content[:4] + n.to_bytes(4, "big") + content[8:start] + content[start:][: n * row]
            )
    return root


def named(data):
    """The pictures as PNG files in folders that are the splits, whose order by name is theirs, and their labels."""
    files, labels = {}, []
    for split, part in data.splits.items():
        for i, (image, label) in enumerate(zip(part.arrays["image"], part.arrays["label"], strict=True)):
            file = io.BytesIO()
            Image.fromarray(image[0].numpy()).save(file, "png", compress_level=1)
            files[f"{split}/{i:05}.png"] = file.getvalue()
            labels.append((f"{split}/{i:05}.png", int(label)))
    return files | {"dataset.json": json.dumps({"labels": labels}).encode()}


def folder(root, data):
    for name, content in named(data).items():
        (root / "x" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "x" / name).write_bytes(content)
    return root / "x"


def zipped(root, data):
    with zipfile.ZipFile(root / "x.zip", "w") as archive:
        for name, content in named(data).items():
            archive.writestr(name, content)
    return root / "x.zip"


def npz(root, data):
    arrays = {f"{split}_{name}s": part.arrays[name].numpy()
              for split, part in data.splits.items() for name in ("image", "label")}  # fmt: skip
    np.savez(root / "x.npz", **arrays)
    return root / "x.npz"


def parquet(root, data):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    files = named(data)
    labels = json.loads(files.pop("dataset.json"))["labels"]
    (root / "x").mkdir()
    for split in data.splits:
        rows = [(files[name], label) for name, label in labels if name.startswith(split)]
        table = pyarrow.table({"image": [content for content, _ in rows], "label": [label for _, label in rows]})
        parquet.write_table(table, root / "x" / f"{split}-00000-of-00001.parquet", row_group_size=1000)
    return root / "x"


@pytest.fixture(scope="module")
def idx(tmp_path_factory):
    """The idx files' overrides, what they hold, and the weights after some images."""
    if not DEBIAN_FASHION_MNIST.is_dir():
        without("Fashion-MNIST", "dataset-fashion-mnist")
    root = sliced(tmp_path_factory.mktemp("idx"))
    overrides = ("data=fashion_mnist", f"data.root={root}", f"+data.source.validation={VALIDATION}")
    data = fashion_mnist(str(root), validation=VALIDATION, download=False)
    return data, trained(root / "runs", *overrides, *SHORT).read()


SHORT = (
    *("model=cgan", "data.batch_size=50", f"budget.images={IMAGES}", "metrics=none", "samples.every_images=null"),
    *("checkpoint.every_images=null", "watch.action=none"),
)


@pytest.mark.parametrize(
    "form",
    [folder, parquet, *(pytest.param(form, marks=pytest.mark.long) for form in (zipped, npz))],
    ids=lambda form: form.__name__,
)
def test_fashion_mnist_in_other_forms_is_the_same(form, idx, tmp_path):
    data, whole = idx
    overrides = ("data=files", f"data.root={form(tmp_path, data)}", *SHORT)
    config = validate(composed(*overrides))
    assert (config.data.size, config.data.channels, config.data.classes) == (28, 1, 10)
    assert load_data(config.data).fingerprint == data.fingerprint
    assert trained(tmp_path / "runs", *overrides).read().weights_sha256 == whole.weights_sha256
