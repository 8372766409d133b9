"""`forger data --pack`: a decoded set as one file, for forger and for others, and nothing of it lost."""

import io
import json
import re
import shlex
import zipfile

import numpy as np
import pytest
from PIL import Image

from commands.surveying import surveyed
from data import deep
from data.forms import SIDE, N, folder, named
from forger import cli
from forger.building import load_data
from forger.config.schema import validate
from forger.data.files import files, seen
from running import composed, trained


def stylegan_reader(file):
    """Names, pixels and labels, as `ImageFolderDataset` of stylegan2-ada reads a .zip."""
    with zipfile.ZipFile(file) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".png"))
        pictures = [np.asarray(Image.open(io.BytesIO(archive.read(name)))) for name in names]
        labels = json.loads(archive.read("dataset.json"))["labels"]
    return names, pictures, labels and [dict(labels)[name] for name in names]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_packed_file_is_the_same_data_for_forger_and_for_others(quick, channels, messy, tmp_path, capsys):
    file = tmp_path / "packed.zip"
    typed = ("data.skip_damaged=true", f"data.channels={channels}", "data.size=12")
    assert cli.main(["data", str(messy), *typed, "--pack", str(file)]) == 0
    told = capsys.readouterr().err
    data = files(str(messy), 12, channels, 3, skip_damaged=True)
    names, pictures, labels = stylegan_reader(file)
    assert len(names) == 63
    assert labels == [label for name in ("test", "train", "validation") for label in data.splits[name].arrays["label"]]
    first = data.test.arrays["image"][0].permute(1, 2, 0).numpy()
    assert np.array_equal(pictures[0].reshape(first.shape), first)
    line = next(line for line in told.splitlines() if "forger train" in line)
    config = validate(composed("model=gan", "data.batch_size=16", *shlex.split(line.replace("'forger train'", ""))))
    assert load_data(config.data).fingerprint == data.fingerprint
    assert [seen(str(file))[key] for key in ("size", "channels", "classes")] == [12, min(channels, 3), 3]
    document = surveyed(capsys, file)
    assert [each["name"] for each in document["classes"]] == ["a", "b", "c"]
    assert document["own_splits"] == ["train", "validation", "test"]
    again = tmp_path / "again.zip"
    assert cli.main(["data", str(file), *typed[1:], "--pack", str(again)]) == 0
    assert again.read_bytes() == file.read_bytes()


def test_a_packed_file_is_the_same_run(quick, tmp_path, capsys):
    """Without labels, and with more pictures than a folder of it holds."""
    pixels = np.random.default_rng(0).integers(256, size=(1300, SIDE, SIDE), dtype=np.uint8)
    np.save(tmp_path / "x.npy", pixels)
    assert cli.main(["data", str(tmp_path / "x.npy"), "--pack", str(tmp_path / "x.zip")]) == 0
    assert stylegan_reader(tmp_path / "x.zip")[2] is None
    runs = [trained(tmp_path / "runs", "model=gan", "data=files", f"data.root={tmp_path}/x.{end}", "run.name=x")
            for end in ("npy", "zip")]  # fmt: skip
    assert runs[0].path == runs[1].path


def test_damaged_pictures_are_not_packed_unless_they_are_to_be_left_out(quick, messy, tmp_path, capsys):
    assert cli.main(["data", str(messy), "--pack", str(tmp_path / "packed.zip")]) == 1
    assert "not packed: 4 pictures are damaged; data.skip_damaged=true leaves them out" in capsys.readouterr().err
    assert not (tmp_path / "packed.zip").exists()


def packed(place, tmp_path, capsys, *typed):
    """The packed file, and what the original and it are as data, each with the line that is printed for it."""
    file = tmp_path / "packed.zip"
    assert cli.main(["data", str(place), *typed, "--pack", str(file)]) == 0
    line = next(line for line in capsys.readouterr().err.splitlines() if "forger train" in line)
    of_packed = shlex.split(line.replace("'forger train'", ""))
    small = ("model=gan", "data.batch_size=16")
    read = [
        load_data(validate(composed(*small, *overrides)).data)
        for overrides in (("data=files", f"data.root={place}", *typed), of_packed)
    ]
    return file, *read


def edm2_reader(file):
    """Pictures C×H×W and labels, as `ImageFolderDataset` of EDM2 reads a .zip, .npy too."""
    pictures, labels = [], []
    with zipfile.ZipFile(file) as archive:
        known = dict(json.loads(archive.read("dataset.json"))["labels"] or [])
        for name in sorted(name for name in archive.namelist() if name.endswith((".png", ".npy"))):
            content = io.BytesIO(archive.read(name))
            if name.endswith(".npy"):
                array = np.load(content)
                pictures.append(array.reshape(-1, *array.shape[-2:]))
            else:
                array = np.array(Image.open(content))
                pictures.append(array.reshape(*array.shape[:2], -1).transpose(2, 0, 1))
            labels.append(known.get(name))
    return pictures, labels


KINDS = {
    "16-bit RGB": (np.uint16, (8, 8, 3), deep.png),
    "16-bit RGBA": (np.uint16, (12, 20, 4), deep.png),
    "16-bit grey": (np.uint16, (8, 8), deep.png),
    "2 channels of 16 bits": (np.uint16, (8, 8, 2), deep.tiff),
    "7 channels": (np.uint8, (8, 8, 7), deep.npy),
    "more channels than columns": (np.uint8, (8, 8, 12), deep.npy),
    "float32": (np.float32, (8, 8), deep.tiff),
    "float32 of 5 channels": (np.float32, (8, 8, 5), deep.npz),
    "Hounsfield units": (np.int16, (8, 8), deep.tomograms),
}


#: One for each way of writing them.
FEW = ("16-bit RGBA", "2 channels of 16 bits", "7 channels", "float32 of 5 channels", "Hounsfield units")


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=() if kind in FEW else pytest.mark.long) for kind in KINDS])
def test_all_depths_and_channels_come_back_as_they_were(quick, kind, tmp_path, capsys):
    dtype, shape, form = KINDS[kind]
    rng = np.random.default_rng(0)
    if dtype == np.float32:
        pictures = rng.normal(0, 1e3, (N, *shape)).astype(dtype)
    elif dtype == np.int16:
        pictures = rng.integers(-1000, 2000, (N, *shape), dtype=dtype)
    else:
        pictures = rng.integers(np.iinfo(dtype).max + 1, size=(N, *shape), dtype=dtype)
    channels = () if shape[-1] != 4 else ("data.channels=4",)
    file, before, after = packed(form(tmp_path, pictures), tmp_path, capsys, *channels)
    assert after.fingerprint == before.fingerprint
    assert after.values == before.values
    assert [len(split) for split in after.splits.values()] == [len(split) for split in before.splits.values()]
    read, _ = edm2_reader(file)
    images = before.test.arrays["image"].numpy()  # whose names come first
    if shape != (8, 8, 3) and shape[-1] != 4:  # which Pillow cuts to 8 bits
        assert all(np.array_equal(*pair) for pair in zip(images, read, strict=False))
        assert read[0].dtype == images.dtype


def test_several_labels_are_kept(quick, tmp_path, capsys):
    root = folder(tmp_path)
    rows = (
        f"{name},{i % 2 * 2 - 1},{'grey' if i % 3 else 'dark'},{i / 7},{1990 + i % 3}" for i, name in enumerate(named())
    )
    (root / "metadata.csv").write_text("\n".join(["path,Smiling,hair,age,year", *rows]))
    label = "data.label={Smiling: attribute, hair: attribute, age: value, year: value}"
    file, before, after = packed(root, tmp_path, capsys, label)
    assert after.fingerprint == before.fingerprint
    assert after.conditions == before.conditions
    assert len(after.conditions) == 4
    _, labels = edm2_reader(file)
    assert np.array_equal(np.array(labels, np.float32)[: len(before.test)], before.test.arrays["label"].numpy())
    assert seen(str(file))["classes"] == 0
    with pytest.raises(ValueError, match=r"data.label=agee: .*packed.zip has no such column did you mean 'age'"):
        files(str(file), SIDE, 1, label=["agee"])


def rewritten(file, change):
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members |= change(members)
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


BROKEN = {
    "a cut array": (lambda content: content[:-1], "img00000000.npy: can't be read .*not as long as its header says"),
    "no array": (lambda content: b"PNG" + content, "img00000000.npy: can't be read .*magic string"),
    "objects": (lambda content: saved(np.array([{}], object)), "img00000000.npy: an array of Python objects"),
    "a row": (lambda content: saved(np.zeros(8, np.float32)), r"img00000000.npy: an array of shape \(8,\)"),
}


def saved(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize("damage", BROKEN)
def test_a_broken_array_in_a_zip_is_named(damage, quick, tmp_path):
    place = deep.npy(tmp_path, np.zeros((N, 8, 8), np.float32) + np.arange(N, dtype=np.float32)[:, None, None])
    assert cli.main(["data", str(place), "--pack", str(tmp_path / "x.zip")]) == 0
    change, line = BROKEN[damage]
    rewritten(tmp_path / "x.zip", lambda members: {
        name: change(content) for name, content in members.items() if name == "test/00000/img00000000.npy"
    })  # fmt: skip
    with pytest.raises(ValueError, match=line):
        files(str(tmp_path / "x.zip"), 8, 1, depth="float32", range=[0, 60])


def test_arrays_beside_pictures_are_left_out(tmp_path):
    place = tmp_path / "x.zip"
    with zipfile.ZipFile(place, "w") as archive:
        for name, content in named().items():
            archive.writestr(name, content)
        archive.writestr("means.npy", saved(np.zeros((8, 8), np.float32)))
    assert sum(map(len, files(str(place), SIDE, 1).splits.values())) == N


def test_rows_of_labels_that_do_not_fit_are_refused(quick, tmp_path):
    place = tmp_path / "x.zip"
    for row, line in {"[1]": "rows of numbers", "[5, 0.5]": "has 5 for Smiling, one of"}.items():
        age = '{"name": "age", "mean": 1, "deviation": 1, "low": 0, "high": 2}'
        conditions = f'[{{"name": "Smiling", "values": ["0", "1"]}}, {age}]'
        with zipfile.ZipFile(place, "w") as archive:
            for name, content in named().items():
                archive.writestr(name, content)
            labels = ", ".join(f'["{name}", {row}]' for name in named())
            archive.writestr("dataset.json", f'{{"labels": [{labels}], "conditions": {conditions}}}')
        with pytest.raises(ValueError, match=f"x.zip: dataset.json .*{re.escape(line)}"):
            files(str(place), SIDE, 1)
