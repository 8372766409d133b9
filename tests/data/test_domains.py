"""Folders of two domains are told from folders of classes by the names of their subfolders."""

import pytest

from data.pictures import write
from forger.data.domains import domains
from forger.data.pairs import paired_folder, unpaired_folders


def folders(root, counts):
    names = [f"{folder}/{i:02}.png" for folder, n in counts.items() for i in range(n)]
    for seed, name in enumerate(names):
        write(root / name, size=(24, 24), seed=seed)
    return names


def counts(*splits):
    return [{"train": len(a), "validation": len(b), "test": len(c)} for a, b, c in splits]


def test_the_folders_of_cyclegan_with_their_tests(tmp_path):
    found = domains(tmp_path, folders(tmp_path, {"trainA": 20, "trainB": 30, "testA": 4, "testB": 5, "valA": 2}))
    assert found is not None
    assert found.certain
    assert (found.source, found.folders_of(1)) == ("unpaired_folders", ["trainB", "testB"])
    assert [found.split_of(name) for name in ("trainB/x.png", "testA/x.png", "valA/x.png")] == ["train", "test", None]
    read = unpaired_folders(*(str(tmp_path / f"{split}{domain}") for split in ("train",) for domain in "AB"), size=8,
                            test_a=str(tmp_path / "testA"), test_b=str(tmp_path / "testB"))  # fmt: skip
    a = [split.arrays["image"] for split in read.splits.values()]
    b = [split.independent["target"] for split in read.splits.values()]
    assert found.splits() == counts(a, b)
    assert [each["test"] for each in found.splits()] == [4, 5]


def test_pairs_have_the_same_names(tmp_path):
    names = folders(tmp_path, {"A": 31, "B": 31})
    found = domains(tmp_path, names)
    assert found is not None
    assert (found.source, found.certain) == ("paired_folder", False)
    read = paired_folder(str(tmp_path), size=8)
    halves = [read.train.arrays["image"], read.train.independent["target"]]
    assert found.splits() == counts(*((half, read.validation, read.test) for half in halves))
    unpaired = domains(tmp_path, names[1:])
    assert unpaired is not None
    assert (unpaired.source, unpaired.certain) == ("unpaired_folders", False)


@pytest.mark.parametrize(
    "names",
    [["A/0.png"], ["A/0.png", "B/0.png", "C/0.png"], ["A/0.png", "B/0.png", "0.png"], ["trainA/0.png", "B/0.png"],
     ["testA/0.png", "testB/0.png"], ["a.png", "b.png"]],
)  # fmt: skip
def test_classes_and_loose_pictures_are_no_domains(names, tmp_path):
    assert domains(tmp_path, names) is None
