"""One way in for pictures in any form: the same pictures in the same order are the same data."""

import io
import json
import logging
import os
import sys

import numpy as np
import pytest
import torch
from PIL import Image, features

from data import forms
from data.forms import (
    SIDE,
    N,
    csv_of_splits,
    csv_table,
    database,
    folder,
    json_lines,
    kaggle_celeba,
    named,
    npy,
    npz,
    npz_of_splits,
    parquet,
    parquet_of_paths,
    pixels,
    plain_parquet,
    saved_set,
    stylegan,
    tarred,
    zipped,
)  # fmt: skip
from data.pictures import write
from data.traps import BROKEN, broken
from forger.building import load_data
from forger.config.explain import explain
from forger.config.schema import validate
from forger.data import files as source
from forger.data import store
from forger.data.files import files, seen
from forger.data.forms import archives
from forger.data.pixels import decoding
from forger.data.pixels.decoding import suffixes
from running import composed

LABELLED = [folder, zipped, stylegan, tarred, npz, csv_table, json_lines, parquet, plain_parquet,
            parquet_of_paths, saved_set]  # fmt: skip
FORMS = [*LABELLED, npz_of_splits, npy, database]


def in_order(data):
    """Rows of the original for each split, known by their pixels."""
    place = {array.tobytes(): row for row, array in enumerate(pixels())}
    return {
        name: [place[image.numpy().tobytes()] for image in split.arrays["image"]] for name, split in data.splits.items()
    }


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    return files(str(folder(tmp_path_factory.mktemp("reference"))), SIDE, 1, 3)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_the_same_pictures_are_the_same_data_in_any_form(form, tmp_path, reference):
    place = form(tmp_path)
    classes = 0 if form in (npy, database) else 3
    assert seen(str(place)) == {"size": SIDE, "channels": 1, "depth": "uint8", "classes": classes}
    data = files(str(place), SIDE, 1, classes)
    rows = in_order(data)
    assert all(part == sorted(part) for part in rows.values())
    assert sorted(row for part in rows.values() for row in part) == list(range(N))
    if form is npz_of_splits:
        assert rows["test"] == list(range(50, 60))
    else:
        assert rows == in_order(reference)
    if classes:
        assert all(data.splits[name].arrays["label"].tolist() == [i // 20 for i in part] for name, part in rows.items())
    if form in LABELLED:
        assert data.fingerprint == reference.fingerprint


@pytest.mark.parametrize("room", [True, False])
def test_of_large_sets_too_and_on_a_full_disk(tmp_path, monkeypatch, room, reference):
    monkeypatch.setattr(store, "IN_MEMORY", 0)
    monkeypatch.setattr(store, "SHARD", 8)
    monkeypatch.setenv("FORGER_CACHE", str(tmp_path / "cache"))
    if not room:
        (tmp_path / "cache").write_text("a file where the folder should be")
    found = [files(str(form(tmp_path)), SIDE, 1, 3) for form in (folder, zipped, npz, tarred)]
    for data in found:
        assert data.train.block == 8
        rows = torch.arange(len(data.train))
        assert torch.equal(data.train.arrays["image"].index_select(0, rows), reference.train.arrays["image"])
        assert torch.equal(data.test.arrays["image"], reference.test.arrays["image"])
    assert len({data.fingerprint for data in found}) == (1 if room else 4)


def test_splits_are_those_of_the_place_where_it_has_them(tmp_path):
    pictures = list(named().values())
    members = {f"top/{'train' if i < 40 else 'Test'}/{i % 2}/{i}.jfif": content for i, content in enumerate(pictures)}
    members |= {"__MACOSX/top/train/0/._0.jfif": b"x", "top/notes.txt": b"x"}
    for place in (zipped(tmp_path, members), tarred(tmp_path, members)):
        data = files(str(place), SIDE, 1, 2)
        rows = in_order(data)
        assert sorted(rows["test"]) == list(range(40, 60))
        assert all(
            data.splits[name].arrays["label"].tolist() == [row % 2 for row in part] for name, part in rows.items()
        )
        assert sorted(rows["train"] + rows["validation"]) == list(range(40))
    rows = ["path,split,Smiling,Young", *(f"x/{name},{'test' if i < 9 else 'train'},{i % 2 * 2 - 1},1"
                                          for i, name in enumerate(named()))]  # fmt: skip
    folder(tmp_path)
    (tmp_path / "t.csv").write_text("\n".join(rows))
    assert seen(str(tmp_path / "t.csv"))["classes"] == 0
    data = files(str(tmp_path / "t.csv"), SIDE, 1, 2, "Smiling")
    assert in_order(data)["test"] == list(range(9))
    assert data.test.arrays["label"].tolist() == [0, 1, 0, 1, 0, 1, 0, 1, 0]


@pytest.mark.parametrize("suffix", [".csv", ".txt"])
def test_celeba_is_read_as_people_have_it(suffix, tmp_path):
    place = kaggle_celeba(tmp_path, suffix)
    for root in (place, place / f"list_attr_celeba{suffix}") if suffix == ".csv" else (place,):
        assert seen(str(root)) == {"size": SIDE, "channels": 1, "depth": "uint8", "classes": 0}
        assert seen(str(root), "Smiling")["classes"] == 2
        data = files(str(root), SIDE, 1, 2, "Smiling")
        assert in_order(data) == {"train": [*range(30)], "validation": [*range(30, 55)], "test": [*range(55, 60)]}
        assert data.validation.arrays["label"].tolist() == [0] * 10 + [1] * 15
    (place / f"list_eval_partition{suffix}").write_text("")
    with pytest.raises(ValueError, match=r"list_eval_partition.* has no split of 000.png"):
        files(str(place), SIDE, 1)


def test_a_folder_with_a_table_for_each_split(tmp_path):
    data = files(str(csv_of_splits(tmp_path)), SIDE, 1, 3)
    assert in_order(data)["test"] == [*range(59, 49, -1)]
    assert data.test.arrays["label"].tolist() == [2] * 10
    rows = in_order(data)["train"]
    assert rows == sorted(rows, reverse=True)
    assert data.train.arrays["label"].tolist() == [row // 20 for row in rows]
    (tmp_path / "x" / "test.csv").write_text("id\n059\n")
    with pytest.raises(ValueError, match=r"test.csv has no column label; it has id"):
        files(str(tmp_path / "x"), SIDE, 1)


@pytest.mark.parametrize("form", [folder, zipped, tarred], ids=lambda form: form.__name__)
def test_jfif_and_avif_are_read_or_said_not_to_be(form, tmp_path, monkeypatch, caplog):
    def content(i, kind):
        file = io.BytesIO()
        Image.new("L", (SIDE, SIDE), 4 * i).convert("RGB").save(file, kind, quality=100)
        return file.getvalue()

    if not features.check("avif"):
        pytest.skip("no AVIF in this Pillow")
    kinds = ("jpeg", "avif", "bmp")
    pictures = {f"{i:02}{('.jfif', '.avif', '.bmp')[i % 3]}": content(i, kinds[i % 3]) for i in range(60)}
    monkeypatch.setattr(forms, "named", lambda: pictures)
    found = files(str(form(tmp_path)), SIDE, 3)
    levels = sorted(int(image.median()) for split in found.splits.values() for image in split.arrays["image"])
    assert levels == pytest.approx([4 * i for i in range(60)], abs=2)
    for module in (decoding, archives):  # as where Pillow was built without AVIF
        monkeypatch.setattr(module, "suffixes", lambda: suffixes() - {".avif", ".avifs"})
    place = form(tmp_path)
    os.utime(place)
    with caplog.at_level(logging.INFO, "forger"):
        assert sum(map(len, files(str(place), SIDE, 3).splits.values())) == 40
    assert f"{place}: left out what is no picture by its suffix: 20 .avif" in caplog.messages


def test_a_parquet_folder_is_split_by_the_names_of_its_files(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    contents = list(named().values())
    for name, part in {"train-00000-of-00001": contents[:45], "test-00000-of-00001": contents[45:]}.items():
        (tmp_path / "x" / "data").mkdir(parents=True, exist_ok=True)
        parquet.write_table(pyarrow.table({"img": part}), tmp_path / "x" / "data" / f"{name}.parquet")
    data = files(str(tmp_path / "x"), SIDE, 1)
    assert in_order(data)["test"] == list(range(45, 60))


def test_a_column_that_is_no_label_is_left_out_unless_it_is_asked_for(tmp_path, caplog):
    where = folder(tmp_path)
    rows = [json.dumps({"file": name, "label": 0.5}) for name in named()]
    (where / "x.jsonl").write_text("\n".join(rows))
    with caplog.at_level(logging.INFO, "forger"):
        assert seen(str(where / "x.jsonl"))["classes"] == 0
    assert caplog.messages == [f"{where}/x.jsonl, line 1: label: 0.5 is no label (60 such), so there are no labels"]
    with pytest.raises(ValueError, match=r"x.jsonl, line 1: label: 0.5 is no label"):
        seen(str(where / "x.jsonl"), "label")


@pytest.mark.parametrize(
    ("sizes", "mode", "expected"),
    [
        ([(28, 28)] * 3, "L", {"size": 28, "channels": 1, "depth": "uint8", "classes": 0}),
        ([(178, 218)] * 3, "RGB", {"size": 128, "channels": 3, "depth": "uint8", "classes": 0}),
        ([(40, 30), (20, 50), (90, 70)], "RGB", {"size": 16, "channels": 3, "depth": "uint8", "classes": 0}),
        ([(300, 300)] * 3, "L", {"size": 256, "channels": 1, "depth": "uint8", "classes": 0}),
        ([(5, 7)] * 3, "RGBA", {"size": 8, "channels": 3, "depth": "uint8", "classes": 0}),
    ],
)
def test_what_need_not_be_typed(tmp_path, sizes, mode, expected):
    for i, size in enumerate(sizes):
        write(tmp_path / "x" / f"{i}.png", size=size, mode=mode, seed=i)
    assert seen(str(tmp_path / "x")) == expected


def test_colour_arrays_of_either_layout_are_the_same_pictures(tmp_path):
    array = np.random.default_rng(0).integers(256, size=(20, 8, 8, 3), dtype=np.uint8)
    np.save(tmp_path / "last.npy", array)
    np.save(tmp_path / "first.npy", array.transpose(0, 3, 1, 2))
    last, first = (files(str(tmp_path / f"{name}.npy"), 8, 3) for name in ("last", "first"))
    assert last.fingerprint == first.fingerprint
    assert any(torch.equal(image, torch.from_numpy(array[0]).permute(2, 0, 1)) for image in last.train.arrays["image"])


@pytest.mark.parametrize("form", BROKEN)
def test_what_is_broken_is_one_line_that_names_it(form, tmp_path):
    make, line = BROKEN[form]
    place = make(tmp_path)
    with pytest.raises((ValueError, FileNotFoundError), match=line) as caught:
        files(str(place), SIDE, 1)
    told, code = explain(caught.value)
    assert code == 2
    assert str(tmp_path) in told
    assert "\n" not in told


TYPED = ("data.size=16", "data.channels=3", "data.classes=0")


def test_what_is_seen_stands_in_the_checked_config_and_what_is_typed_wins(tmp_path):
    place = zipped(tmp_path)
    config = validate(composed("data=files", f"data.root={place}", "model=cgan"))
    assert (config.data.size, config.data.channels, config.data.classes) == (SIDE, 1, 3)
    assert config.data.source["size"] == SIDE
    assert config.model["classes"] == 3
    assert config.model["generator"]["shape"] == [1, SIDE, SIDE]
    typed = validate(composed("data=files", f"data.root={place}", "model=gan", *TYPED))
    assert typed.model["generator"]["shape"] == [3, 16, 16]
    with pytest.raises(ValueError, match=r"x.zip has 3 classes \(a, b, c\), but data.classes=5"):
        files(str(place), SIDE, 1, 5)
    with pytest.raises(ValueError, match=r"data.label=Male: .*x.zip has no columns"):
        files(str(place), SIDE, 1, label="Male")
    with pytest.raises(ValueError, match=r"data.label=Male: .*x.csv has no such column"):
        files(str(csv_table(tmp_path)), SIDE, 1, label="Male")


def test_a_place_that_cannot_be_read_is_told_before_anything_begins(tmp_path):
    for place, line in ((tmp_path / "none.zip", "there is no"), (broken(zipped(tmp_path)), "can't be read as a zip")):
        with pytest.raises(Exception, match="interpolation") as caught:
            validate(composed("data=files", f"data.root={place}"))
        told, code = explain(caught.value)
        assert code == 2
        assert told.startswith(f"data.root: {line}" if "none" in place.name else f"data.root: {place}: {line}")
    with pytest.raises(Exception, match="interpolation") as caught:
        validate(composed("data=files", "data.root=5"))
    assert explain(caught.value) == ("data.root=5: must be text", 2)


def test_each_config_looks_once_and_the_log_tells_what_is_there(tmp_path, monkeypatch, caplog):
    looked = []
    look = source.look
    monkeypatch.setattr(source, "look", lambda *about: looked.append(about) or look(*about))
    config = validate(composed("data=files", f"data.root={zipped(tmp_path)}", "model=cgan", "data.batch_size=16"))
    assert len(looked) == 1
    with caplog.at_level(logging.INFO, "forger"):
        load_data(config.data)
    assert f"{tmp_path}/x.zip: zip of 60 pictures, 8x8, grey, 3 classes (a, b, c), split by pixels" in caplog.messages


@pytest.mark.parametrize(("form", "package"), [(parquet, "pyarrow"), (saved_set, "pyarrow"), (database, "lmdb")])
def test_without_the_package_of_a_form_its_extra_is_named(form, package, tmp_path, monkeypatch):
    place = form(tmp_path)
    for name in [package, *(name for name in sys.modules if name.startswith(f"{package}."))]:
        monkeypatch.setitem(sys.modules, name, None)
    extra = "lmdb" if package == "lmdb" else "parquet"
    with pytest.raises(ValueError, match=rf"x.* needs the package {package}: pip install 'forger\[{extra}\]'"):
        files(str(place), SIDE, 1)
