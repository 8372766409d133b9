import sys

import numpy as np
import pytest
import torch
from PIL import Image

from data import forms
from data.pictures import write
from forger.data import folders, store
from forger.data.files import files
from forger.data.folders import celeba, huggingface, image_folder
from forger.data.forms.hub import Rows
from system import small_data


def test_a_folder_of_any_pictures(tmp_path):
    for i in range(20):
        write(tmp_path / "faces" / f"{i}.png", size=(8 + i, 20), seed=i)
    data = image_folder(str(tmp_path / "faces"), size=8, channels=3)
    assert data.name == "faces"
    assert sum(len(split) for split in data.splits.values()) == 20
    assert data.shape == (3, 8, 8)
    assert data.classes == 0
    assert set(data.train.arrays) == {"image"}
    assert image_folder(str(tmp_path / "faces"), size=8, channels=1).shape == (1, 8, 8)
    write(tmp_path / "faces" / "7.png", size=(15, 20), seed=99)
    assert image_folder(str(tmp_path / "faces"), size=8).fingerprint != data.fingerprint


@pytest.mark.parametrize("declared", [(), ("train", "validation", "test"), ("Training", "Val", "Testing")])
def test_class_subfolders_become_labels(tmp_path, declared):
    levels = {"cat": 0, "dog": 90, "emu": 180}
    for part in declared or ("",):
        for name, level in levels.items():
            for i in range(10):
                path = tmp_path / part / name / "deep" / f"{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("L", (9, 9), level + i).save(path)
    data = image_folder(str(tmp_path), size=4, channels=1, classes=3)
    assert data.classes == 3
    assert [len(split) for split in data.splits.values()] == [30, 30, 30] or not declared
    for split in data.splits.values():
        assert torch.equal(split.arrays["image"][:, 0, 0, 0] // 90, split.arrays["label"])


def test_class_subfolders_that_do_not_fit_are_refused(tmp_path):
    for seed, name in enumerate(("cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png")):
        write(tmp_path / name, seed=seed)
    with pytest.raises(ValueError, match=r"2 class subfolders \(cat, dog\), but data.classes=10"):
        image_folder(str(tmp_path), size=8, classes=10)
    write(tmp_path / "loose.png")
    with pytest.raises(ValueError, match=r"loose.png lies in no class subfolder"):
        image_folder(str(tmp_path), size=8, classes=2)


ATTRIBUTES = ["5_o_Clock_Shadow", "Smiling", "Young"]


@pytest.fixture
def faces(tmp_path):
    """CelebA's layout: jpegs of 178×218, a partition file and an attribute file with its two header lines."""
    names = [f"{i:06}.jpg" for i in range(1, 9)]
    for i, name in enumerate(names):
        write(tmp_path / "img_align_celeba" / name, size=(178, 218), seed=i, quality=95)
    parts = [f"{name} {part}" for name, part in zip(names, [0, 0, 0, 0, 1, 1, 2, 2], strict=True)]
    (tmp_path / "list_eval_partition.txt").write_text("\n".join(parts) + "\n")
    rows = [f"{name} -1 {' 1' if i % 3 == 0 else '-1'}  1" for i, name in enumerate(names)]
    (tmp_path / "list_attr_celeba.txt").write_text("\n".join(["8", " ".join(ATTRIBUTES) + " ", *rows]) + "\n")
    return tmp_path


def test_celeba_with_an_attribute(faces):
    data = celeba(str(faces), size=16)
    assert [len(split) for split in data.splits.values()] == [4, 2, 2]
    assert data.shape == (3, 16, 16)
    assert data.classes == 2
    assert [split.arrays["label"].tolist() for split in data.splits.values()] == [
        [1, 0, 0, 1],
        [0, 0],
        [1, 0],
    ]
    assert celeba(str(faces), size=16, label="Young").train.arrays["label"].tolist() == [1] * 4
    with Image.open(faces / "img_align_celeba" / "000007.jpg") as picture:
        middle = np.asarray(picture.crop((0, 20, 178, 198)).resize((16, 16), Image.Resampling.BICUBIC))
    assert np.array_equal(data.test.arrays["image"][0].permute(1, 2, 0), middle)


def test_celeba_of_kaggle_is_the_same(faces):
    """Tables with commas and a header, pictures in a folder of the same name in their folder."""
    official = celeba(str(faces), size=16)
    for name, header in (
        ("list_attr_celeba", f"image_id,{','.join(ATTRIBUTES)}"),
        ("list_eval_partition", "image_id,partition"),
    ):
        rows = [line.split() for line in (faces / f"{name}.txt").read_text().splitlines() if ".jpg" in line]
        (faces / f"{name}.csv").write_text("\n".join([header, *map(",".join, rows), ""]))
        (faces / f"{name}.txt").unlink()
    (faces / "img_align_celeba").rename(faces / "inner")
    (faces / "img_align_celeba").mkdir()
    (faces / "inner").rename(faces / "img_align_celeba" / "img_align_celeba")
    assert celeba(str(faces), size=16).fingerprint == official.fingerprint


def test_image_folder_takes_a_file_too(tmp_path):
    place = forms.zipped(tmp_path)
    assert image_folder(str(place), 8, 1, 3).fingerprint == files(str(place), 8, 1, 3).fingerprint


def test_celeba_without_labels_needs_no_attributes(faces):
    (faces / "list_attr_celeba.txt").unlink()
    data = celeba(str(faces), size=16, label=None)
    assert data.classes == 0
    assert set(data.train.arrays) == {"image"}
    with pytest.raises(FileNotFoundError, match=r"list_attr_celeba.txt .* missing in .*: put CelebA's"):
        celeba(str(faces), size=16)


def test_celeba_says_what_is_wrong(faces):
    with pytest.raises(ValueError, match=r"data.label=Smilling: .* no such column.* did you mean 'Smiling'\?"):
        celeba(str(faces), size=16, label="Smilling")
    attributes = (faces / "list_attr_celeba.txt").read_text()
    (faces / "list_attr_celeba.txt").write_text(attributes[:-5])
    with pytest.raises(ValueError, match=r"list_attr_celeba.txt: can't be read .*line 10 has not as many values"):
        celeba(str(faces), size=16)
    (faces / "img_align_celeba" / "000002.jpg").unlink()
    with pytest.raises(ValueError, match=r"list_eval_partition.txt, line 2: image_id=000002.jpg is missing"):
        celeba(str(faces), size=16, label=None)
    parts = (faces / "list_eval_partition.txt").read_text()
    (faces / "list_eval_partition.txt").write_text(parts[:-3])
    (faces / "list_attr_celeba.txt").write_text(attributes)
    (faces / "img_align_celeba" / "000002.jpg").write_bytes((faces / "img_align_celeba" / "000001.jpg").read_bytes())
    with pytest.raises(ValueError, match=r"list_eval_partition.txt has no split of 000008.jpg"):
        celeba(str(faces), size=16)
    (faces / "list_eval_partition.txt").write_text(parts.replace(" 2\n", " 1\n"))
    with pytest.raises(ValueError, match="no picture of split test"):
        celeba(str(faces), size=16, label=None)


def table(n, seed=0):
    datasets = pytest.importorskip("datasets")
    rng = np.random.default_rng(seed)
    images = [Image.fromarray(rng.integers(256, size=(10, 12 + i % 3, 3), dtype=np.uint8)) for i in range(n)]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["a", "b", "c"])})
    return datasets.Dataset.from_dict({"image": images, "label": [i % 3 for i in range(n)]}, features=features)


def test_a_saved_hugging_face_set_is_read(tmp_path):
    datasets = pytest.importorskip("datasets")
    parts = {"train": table(40), "test": table(7, 1)}
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "set"))
    data = huggingface(str(tmp_path / "set"), size=10, classes=3)
    assert data.name == "set"
    assert sum(len(split) for split in (data.train, data.validation)) == 40
    assert len(data.test) == 7
    assert data.test.arrays["label"].tolist() == [0, 1, 2, 0, 1, 2, 0]
    first = np.asarray(parts["test"][0]["image"])[:, 1:11]
    assert np.array_equal(data.test.arrays["image"][0].permute(1, 2, 0), first)
    assert data.fingerprint == huggingface(str(tmp_path / "set"), size=10, classes=3).fingerprint
    swapped = huggingface(str(tmp_path / "set"), size=10, split="test")
    assert sum(len(split) for split in swapped.splits.values()) == 7
    assert swapped.classes == 0


def test_a_set_in_the_hub_s_layout_is_decoded_once_into_a_mapped_file(tmp_path, monkeypatch):
    """As `load_dataset` finds it after a download: Parquet files by split, with the types of the columns in them."""
    pytest.importorskip("datasets")
    monkeypatch.setenv("FORGER_CACHE", str(tmp_path / "cache"))
    (tmp_path / "faces" / "data").mkdir(parents=True)
    for name, part in {"train-00000-of-00001": table(40), "test-00000-of-00001": table(7, 1)}.items():
        part.to_parquet(str(tmp_path / "faces" / "data" / f"{name}.parquet"))

    def load():
        return huggingface(str(tmp_path / "faces"), size=10, classes=3)

    in_memory = load()
    assert [len(in_memory.train) + len(in_memory.validation), len(in_memory.test)] == [40, 7]
    monkeypatch.setattr(store, "IN_MEMORY", 0)
    mapped = load()
    assert mapped.train.block == store.SHARD
    for name, split in in_memory.splits.items():
        assert all(torch.equal(array, mapped.splits[name].arrays[key]) for key, array in split.arrays.items())
    monkeypatch.setattr(Rows, "opened", lambda *about: pytest.fail("decoded again"))
    assert load().fingerprint == mapped.fingerprint


class Table(small_data.Table):
    """``n`` pictures of noise in three classes."""

    def __init__(self, n, seed=0):
        noise = np.random.default_rng(seed).integers(256, size=(n, 10, 12, 3), dtype=np.uint8)
        super().__init__({"image": [Image.fromarray(pixels) for pixels in noise], "label": [i % 3 for i in range(n)]})


def test_a_hugging_face_set_that_grows_moves_no_row_and_names_its_splits_as_it_likes(monkeypatch):
    def splits(n):
        monkeypatch.setattr(folders, "opened_tables", lambda path, config: {"Train": Table(n), "Val": Table(7, 1)})
        data = huggingface("set", size=10, classes=3)
        assert (len(data.validation), data.validation.arrays["label"].tolist()) == (7, [0, 1, 2, 0, 1, 2, 0])
        parts = {name: data.splits[name].arrays["image"] for name in ("train", "test")}
        assert sum(map(len, parts.values())) == n
        return {image.numpy().tobytes(): name for name, images in parts.items() for image in images}

    few, many = splits(100), splits(160)
    assert all(many[image] == split for image, split in few.items())
    assert {*few.values()} == {"train", "test"}


def test_a_hugging_face_set_that_does_not_fit_is_refused(tmp_path):
    path = str(tmp_path / "one")
    table(10).save_to_disk(path)
    with pytest.raises(ValueError, match="has no split 'tain'; it has train"):
        huggingface(path, size=8, split="tain")
    with pytest.raises(ValueError, match="has no column 'img'; it has image, label"):
        huggingface(path, size=8, image_key="img")
    with pytest.raises(ValueError, match=r"label=2, but data.classes=2 allows 0..1"):
        huggingface(path, size=8, classes=2)
    with pytest.raises(ValueError, match=r"row 0: can't be read \(label is a int, not a picture\)"):
        huggingface(path, size=8, image_key="label")
    with pytest.raises(FileNotFoundError, match=r"no Hugging Face data set .*nowhere"):
        huggingface(str(tmp_path / "nowhere"), size=8)


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ValueError, match=r"pip install 'forger\[huggingface\]'"):
        huggingface("mnist", size=28)
