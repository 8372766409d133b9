"""Splits one can trust: a picture, however often it is there, and a group are in one of them only."""

import csv
import logging
import shutil
from dataclasses import asdict

import pytest

from data.forms import SIDE, N, csv_table, folder, named, npy, parquet, tarred, zipped
from data.pictures import write
from forger.building import load_data
from forger.config.explain import explain
from forger.config.schema import validate
from forger.data.files import files, seen
from forger.data.folders import image_folder
from forger.data.forms import look
from forger.data.splits.division import divide, typed_splits
from forger.lifecycle.identity import run_id
from running import composed


def contents(data):
    """The pictures of each split, by their pixels."""
    return {name: [image.numpy().tobytes() for image in split.arrays["image"]] for name, split in data.splits.items()}


def shared(parts):
    train, validation, test = map(set, parts.values())
    return train & validation | train & test | validation & test


def counts(data):
    return {name: len(split) for name, split in data.splits.items()}


def test_links_in_circles_are_followed_at_most_once_and_copies_stay_together(tmp_path, caplog):
    """30 pictures with links to their own folder, links to each other, and copies."""
    for i in range(30):
        write(tmp_path / "x" / "ab"[i % 2] / f"{i}.png", size=(8, 8), mode="L", seed=i)
    plain = files(str(tmp_path / "x"), 8, 1)
    (tmp_path / "x" / "circle").symlink_to(tmp_path / "x")
    for i in range(8):  # from each of eight folders to all of them: 8! ways
        (tmp_path / "x" / f"{i}").mkdir()
        for j in range(8):
            (tmp_path / "x" / f"{i}" / f"to{j}").symlink_to(tmp_path / "x" / f"{j}")
    assert counts(files(str(tmp_path / "x"), 8, 1)) == counts(plain)
    (tmp_path / "x" / "a" / "to").symlink_to(tmp_path / "x" / "b")
    (tmp_path / "x" / "b" / "to").symlink_to(tmp_path / "x" / "a")
    for i in range(0, 30, 2):
        shutil.copy(tmp_path / "x" / "a" / f"{i}.png", tmp_path / "x" / "b" / f"copy of {i}.png")
    with caplog.at_level(logging.INFO, "forger"):
        data = files(str(tmp_path / "x"), 8, 1)
    parts = contents(data)
    assert not shared(parts)
    assert {name: set(part) for name, part in parts.items()} == {
        name: set(part) for name, part in contents(plain).items()
    }
    assert sum(map(len, parts.values())) == 30 + 30 + 2 * 15  # each folder and the way to it, and the copies
    assert f"{tmp_path}/x: 60 of 90 pictures repeat others (a/0.png = a/to/copy of 0.png, …)" in caplog.messages
    caplog.clear()
    with caplog.at_level(logging.INFO, "forger"):
        assert not shared(contents(image_folder(str(tmp_path / "x"), 8, 1)))
    assert any("60 of 90 pictures repeat others" in line for line in caplog.messages)


def test_a_split_that_borrows_takes_all_copies(tmp_path):
    for i in range(2):
        for copy in range(10):
            write(tmp_path / "x" / f"{i}{copy}.png", size=(8, 8), mode="L", seed=i + 6)
    write(tmp_path / "x" / "other.png", size=(8, 8), mode="L", seed=5)
    for make in (files, image_folder):
        parts = contents(make(str(tmp_path / "x"), 8, 1))
        assert [len(set(part)) for part in parts.values()] == [1, 1, 1]
        assert sum(map(len, parts.values())) == 21


def test_what_the_places_own_splits_share_is_told(tmp_path, caplog):
    members = {
        f"{'train' if i < 40 else 'val' if i < 50 else 'test'}/{i}.png": png for i, png in enumerate(named().values())
    }
    members |= {"test/again.png": members["train/3.png"], "val/again.png": members["train/3.png"]}
    with caplog.at_level(logging.INFO, "forger"):
        data = files(str(zipped(tmp_path, members)), SIDE, 1)
    assert counts(data) == {"train": 40, "validation": 11, "test": 11}
    told = [line for line in caplog.messages if "its own splits share" in line]
    assert told == [
        f"{tmp_path}/x.zip: its own splits share 1 pictures, so that scores look at what was trained on: "
        "test/again.png (test) = train/3.png (train) = val/again.png (validation)"
    ]


@pytest.mark.parametrize("form", [folder, zipped, npy, csv_table])
def test_shares_are_the_typed_ones(form, tmp_path):
    place = str(form(tmp_path))
    by_default, half = files(place, SIDE, 1), files(place, SIDE, 1, splits={"validation": 0.2, "test": 0.5})
    assert counts(files(place, SIDE, 1, splits={"test": 0.1, "train": 0.8})) == counts(by_default)
    assert abs(counts(half)["test"] - N / 2) < 3 * (N / 4) ** 0.5
    assert set(contents(by_default)["test"]) < set(contents(half)["test"])
    assert not shared(contents(half))


@pytest.mark.parametrize(
    ("splits", "line"),
    [
        ({"tset": 0.1}, "data.splits.tset: no such split; did you mean 'test'"),
        ({"test": 1.5}, "data.splits.test=1.5: a share lies between 0 and 1, or names a folder"),
        ({"test": 0.6, "val": 0.5}, "validation and test are 0.5 and 0.6, which leaves -0.1 to train on"),
        ({"train": 0.9}, "validation and test are 0.1 and 0.1, which leaves 0.8 to train on"),
        ({"train": "a", "test": "a/"}, "data.splits.test=a/: two splits can't be one folder"),
        ({"test": "nowhere"}, "data.splits.test=nowhere: .* has no pictures in a folder nowhere"),
    ],
)
def test_what_cannot_be_split_is_one_line(splits, line, tmp_path):
    with pytest.raises(ValueError, match=line):
        files(str(folder(tmp_path)), SIDE, 1, splits=splits)


@pytest.mark.parametrize("form", [folder, zipped, tarred, csv_table])
def test_folders_are_splits_by_name(form, tmp_path):
    place = form(tmp_path, {f"x/{name}": png for name, png in named().items()}) if form is tarred else form(tmp_path)
    top = "x/" if form is tarred else ""
    splits = {"train": f"{top}a", "test": f"{top}b", "validation": 0.25}
    data = files(str(place), SIDE, 1, splits=splits)
    assert counts(data)["test"] == 20
    assert counts(data)["train"] + counts(data)["validation"] == 20
    rest = files(str(place), SIDE, 1, splits={"test": f"{top}b", "validation": f"{top}c/"})
    assert counts(rest) == {"train": 20, "validation": 20, "test": 20}


def test_classes_are_the_folders_below_those_that_are_splits(tmp_path):
    members = {f"{'one' if i % 2 else 'two'}/{i % 3}/{i}.png": png for i, png in enumerate(named().values())}
    place = str(zipped(tmp_path, members))
    assert seen(place)["classes"] == 2
    splits = {"train": "one", "test": "two"}
    assert seen(place, None, splits)["classes"] == 3
    assert files(place, SIDE, 1, 3, splits=splits).test.arrays["label"].unique().tolist() == [0, 1, 2]
    typed = ["data=files", f"data.root={place}", "data.splits={train: one, test: two}", "model=cgan"]
    config = validate(composed(*typed, "data.batch_size=16"))
    assert config.data.classes == config.data.source["classes"] == 3
    assert len(load_data(config.data).test) == 30
    with pytest.raises(ValueError, match=r"x.npy has no folders; give shares"):
        files(str(npy(tmp_path)), SIDE, 1, splits=splits)
    own = {f"{'test' if i < 9 else 'train'}/{i}.png": png for i, png in enumerate(named().values())}
    with pytest.raises(ValueError, match=r"data.splits.test=0.2: .* has test pictures of its own; leave it out"):
        files(str(zipped(tmp_path, own)), SIDE, 1, splits={"test": 0.2})


def of_groups(place, group, groups, splits=None):
    """The splits of each group."""
    division = divide(look(place), place, splits, group)
    return {
        name: {split for split, rows in division.rows.items() if any(groups[row] == name for row in rows)}
        for name in set(groups)
    }


@pytest.mark.parametrize("form", ["folder", "zip", "table", "Parquet"])
def test_groups_stay_together(form, tmp_path):
    groups = [f"p{i % 12:02}" for i in range(N)]
    renamed = {f"{group}_{i:02}.png": png for i, (group, png) in enumerate(zip(groups, named().values(), strict=True))}
    pattern = "^(p[0-9]+)_"
    if form in ("folder", "zip"):
        place, groups = zipped(tmp_path, renamed), sorted(groups)
        if form == "folder":
            shutil.unpack_archive(place, tmp_path / "x")
            place = tmp_path / "x"
    elif form == "table":
        place, pattern = folder(tmp_path) / "t.csv", "patient"
        with place.open("w", newline="") as file:
            csv.writer(file).writerows([["patient", "file"], *zip(groups, named(), strict=True)])
    else:
        place, pattern = parquet(tmp_path), "label"
        groups = [i // 20 for i in range(N)]
    found = of_groups(place, pattern, groups)
    assert all(len(splits) == 1 for splits in found.values())
    assert {split for splits in found.values() for split in splits} == {"train", "validation", "test"}


def test_groups_that_share_a_picture_are_one(tmp_path):
    members = {
        f"p{i}_{j}.png": png for i in range(12) for j, png in enumerate(list(named().values())[5 * i : 5 * i + 5])
    }
    alone = of_groups(zipped(tmp_path, members), "^(p[0-9]+)_", [name.partition("_")[0] for name in sorted(members)])
    one, other = (next(name for name in alone if alone[name] == {split}) for split in ("train", "test"))
    members[f"{one}_copy.png"] = members[f"{other}_2.png"]
    groups = [name.partition("_")[0] for name in sorted(members)]
    found = of_groups(zipped(tmp_path, members), "^(p[0-9]+)_", groups)
    assert found[one] == found[other]
    assert all(len(splits) == 1 for splits in found.values())


def test_a_group_that_cannot_be_is_one_line(tmp_path):
    place = folder(tmp_path)
    for group, line in {
        "patient": r"data.group=patient: a regular expression needs one group in parentheses",
        "(a": r"data.group=\(a: no regular expression \(missing \)",
        "^a/(.*)$": r"data.group=\^a/\(\.\*\)\$ finds no group in .*b/020.png",
    }.items():
        with pytest.raises(ValueError, match=line):
            files(str(place), SIDE, 1, group=group)
    with pytest.raises(ValueError, match=r"data.group=lable: .*x.csv has no such column.*label"):
        files(str(csv_table(tmp_path)), SIDE, 1, group="lable")


def test_the_command_line_takes_it_and_the_run_is_known_by_its_pictures(tmp_path):
    place = zipped(tmp_path, {f"p{i % 6}_{i}.png": png for i, png in enumerate(named().values())})
    typed = ["model=gan", "data=files", f"data.root={place}"]
    config = validate(composed(*typed, 'data.group="^(p[0-9]+)_"', "data.splits={validation: .2, test: .2}"))
    assert config.data.source["group"] == "^(p[0-9]+)_"
    assert config.data.source["splits"] == {"validation": 0.2, "test": 0.2}
    assert run_id(asdict(config), "1", "f") == run_id(asdict(validate(composed(*typed))), "1", "f")
    for splits in ("{test: [1]}", "7"):
        with pytest.raises(Exception, match="interpolation") as caught:
            validate(composed(*typed, f"data.splits={splits}"))
        told, code = explain(caught.value)
        assert code == 2
        assert told.startswith("data.splits")
    assert typed_splits(None) == ({}, ())


def test_damaged_pictures_are_left_out_if_that_is_asked_for(tmp_path, caplog):
    members = named() | {"b/030.png": named()["b/030.png"][:50], "c/050.png": b"no picture"}
    place = zipped(tmp_path, members)
    with pytest.raises(ValueError, match=r"x.zip: b/030.png: can't be read .*\(2 such; .*data.skip_damaged=true"):
        files(str(place), SIDE, 1, 3)
    whole = files(
        str(zipped(tmp_path, {k: v for k, v in members.items() if "030" not in k and "050" not in k}, "y.zip")),
        SIDE,
        1,
        3,
    )
    for _ in range(2):  # the second time from what is kept
        caplog.clear()
        with caplog.at_level(logging.INFO, "forger"):
            data = files(str(place), SIDE, 1, 3, skip_damaged=True)
        assert f"{place}: 2 of 60 pictures can't be read and are left out" in caplog.messages
        assert data.fingerprint == whole.fingerprint
        assert list(data.damaged) == ["b/030.png", "c/050.png"]
        assert "c/050.png: can't be read (cannot identify image file" in data.damaged["c/050.png"]
    assert not whole.damaged
