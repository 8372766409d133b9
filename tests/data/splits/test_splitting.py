"""Which pictures are trained on and which are kept for measuring: by folders, or by their contents alone."""

import shutil

import pytest

from data.pictures import write
from forger.data.splits import splitting
from forger.data.splits.splitting import assigned, content_hash, partition


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def of(root):
    """The split of each picture's content."""
    return {(root / path).read_bytes(): name for name, paths in partition(root).items() for path in paths}


def moves(before, after):
    return {(split, after[content]) for content, split in before.items() if split != after[content]}


def test_a_tenth_each_in_expectation(tmp_path):
    touch(tmp_path, *(f"{i}.png" for i in range(2000)))
    parts = partition(tmp_path)
    assert len({path for part in parts.values() for path in part}) == 2000
    # a binomial's five standard deviations
    assert all(abs(len(parts[name]) - 200) < 68 for name in ("validation", "test"))
    assert parts["train"] == sorted(parts["train"], key=lambda path: path.as_posix())


def test_a_growing_folder_moves_no_picture(tmp_path):
    touch(tmp_path, *(f"{i}.png" for i in range(100)))
    before = of(tmp_path)
    touch(tmp_path, *(f"{i}.png" for i in range(100, 400)), *(f"a/{i}.png" for i in range(200)))
    assert moves(before, of(tmp_path)) == set()


def test_names_play_no_part(tmp_path):
    touch(tmp_path / "x", *(f"{i}.png" for i in range(100)))
    (tmp_path / "y" / "deep").mkdir(parents=True)
    for path in (tmp_path / "x").iterdir():
        shutil.copy(path, tmp_path / "y" / "deep" / f"renamed_{path.name}")
    assert of(tmp_path / "x") == of(tmp_path / "y")


def test_the_hash_is_the_same_for_ever():
    assert f"{content_hash(b'picture'):016x}" == "6d06958e9a6f29a2"


@pytest.mark.long
def test_from_the_smallest_folder_on_no_training_picture_is_ever_tested_with(tmp_path):
    """Where a split would be empty it borrows from training, and gives back."""
    seen = set()
    for start in range(20):
        root = tmp_path / str(start)
        touch(root, *(f"{start}/{i}.png" for i in range(3)))
        try:
            former = of(root)
        except ValueError:
            continue  # two of three in one split
        for i in range(3, 60):
            touch(root, f"{start}/{i}.png")
            now = of(root)
            assert set(now.values()) == {"train", "validation", "test"}
            seen |= moves(former, now)
            former = now
    assert seen == {("test", "train"), ("validation", "train"), ("test", "validation")}


def test_an_empty_split_takes_the_lowest_hash():
    low, high = int(0.5 * 2**64), int(0.9 * 2**64)
    assert assigned([high, low, high + 1], ["test", "validation"], "x") == {
        "test": [1],
        "validation": [0],
        "train": [2],
    }
    assert assigned([high, 5, low], ["test", "validation"], "x") == {"test": [1], "validation": [2], "train": [0]}
    assert assigned([high, 5, low], ["validation"], "x") == {"validation": [1], "train": [0, 2]}
    assert assigned([high, int(0.15 * 2**64), low], ["validation"], "x") == {"validation": [1], "train": [0, 2]}


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [("train", "val", "test"), ("Train", "Valid", "Test"), ("training", "VALIDATION", "testing"),
     ("TRAINING", "Val", "Testing")],
)  # fmt: skip
def test_subfolders_say_what_is_for_what_in_any_capitals(tmp_path, train, validation, test):
    touch(tmp_path, *(f"{train}/{i}.png" for i in range(60)), f"{validation}/a.png", f"{test}/b.png", f"{test}/c.png")
    parts = partition(tmp_path)
    assert {name: len(paths) for name, paths in parts.items()} == {"train": 60, "validation": 1, "test": 2}
    before = of(tmp_path)
    (tmp_path / validation / "a.png").unlink()
    drawn = of(tmp_path)
    assert moves({content: split for content, split in before.items() if content in drawn}, drawn) == {
        ("train", "validation")
    }
    touch(tmp_path, "more/d.png")
    with pytest.raises(ValueError, match=rf"more/d.png lies beside .*/{train}"):
        partition(tmp_path)


def test_splits_without_pictures_to_train_on_are_no_classes(tmp_path):
    touch(tmp_path, "Test/a.png", "pictures/b.png", "pictures/c.png", "pictures/d.png")
    with pytest.raises(ValueError, match="has Test, but no folder train: put the pictures to train on there"):
        partition(tmp_path)


def test_folders_too_small_for_three_splits_are_refused(tmp_path):
    touch(tmp_path, "a.png", "b.png")
    with pytest.raises(ValueError, match="has 2 pictures; train, validation and test need at least one"):
        partition(tmp_path)
    touch(tmp_path, "c.png")
    assert [len(paths) for paths in partition(tmp_path).values()] == [1, 1, 1]


def test_of_many_bytes_the_hashes_are_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("FORGER_CACHE", str(tmp_path / "cache"))
    for i in range(30):
        write(tmp_path / "x" / f"{i}.png", seed=i)
    found = partition(tmp_path / "x")
    assert not (tmp_path / "cache").exists()
    monkeypatch.setattr(splitting, "IN_MEMORY", 100)
    assert partition(tmp_path / "x") == found
    with monkeypatch.context() as patch:
        patch.setattr(splitting, "content_hash", lambda content: pytest.fail("read again"))
        assert partition(tmp_path / "x") == found
    write(tmp_path / "x" / "30.png", seed=30)
    assert sum(map(len, partition(tmp_path / "x").values())) == 31
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert sum(map(len, partition(tmp_path / "x").values())) == 31
