import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image

from data import deep
from data.pictures import write
from forger.data.downloads import fashion_mnist
from forger.data.images import digits
from forger.data.pairs import (
    digits_averaged,
    digits_inverted,
    digits_rotated,
    fashion_inverted,
    fashion_outlines,
    outlines,
    paired_folder,
    patches_of_folder,
    photos,
    side_by_side,
    unpaired_folders,
)
from system import small_data


def rows(images):
    return {image.numpy().tobytes() for image in images.contiguous()}


@pytest.mark.parametrize(
    ("source", "back"),
    [(digits_inverted, lambda x: 255 - x), (digits_rotated, lambda x: x.rot90(-1, (2, 3)))],
)
def test_domains_come_from_disjoint_halves_and_the_truth_is_hidden(source, back):
    data, plain = source(), digits()
    a, b = data.train.arrays["image"], back(data.train.independent["target"])
    assert len(a) == len(b) == 550
    assert not rows(a) & rows(b)
    assert rows(a) | rows(b) == rows(plain.train.arrays["image"])
    assert "truth" not in data.train.arrays
    for label in (data.train.arrays["label"], data.train.independent["target_label"]):
        assert (label.bincount() - 55).abs().max() <= 2
    for name in ("validation", "test"):
        split, original = data.splits[name], plain.splits[name]
        assert torch.equal(split.arrays["image"], original.arrays["image"])
        assert torch.equal(back(split.arrays["truth"]), split.arrays["image"])
        assert rows(split.independent["target"]) == rows(split.arrays["truth"])
        assert not torch.equal(split.independent["target"], split.arrays["truth"])
    known = {
        image.numpy().tobytes(): label.item()
        for image, label in zip(plain.train.arrays["image"], plain.train.arrays["label"], strict=True)
    }
    for image, label in zip(b.contiguous(), data.train.independent["target_label"], strict=True):
        assert known[image.numpy().tobytes()] == label


def test_garments_are_inverted_too(tmp_path, monkeypatch):
    small_data.fashion(tmp_path, monkeypatch)
    data = fashion_inverted(str(tmp_path), validation=24)
    plain = fashion_mnist(str(tmp_path), validation=24)
    assert (data.shape, data.classes, len(data.train)) == ((1, 28, 28), 10, 68)
    assert torch.equal(data.test.arrays["truth"], 255 - plain.test.arrays["image"])


def test_shown_pairs_are_all_of_the_training_pictures_beside_their_truth():
    data, hidden, plain = digits_averaged(paired=True), digits_averaged(), digits()
    for name in ("train", "validation", "test"):
        split, original = data.splits[name].arrays, plain.splits[name].arrays
        assert torch.equal(split["truth"], original["image"])
        blocks = split["truth"].double().unfold(2, 2, 2).unfold(3, 2, 2).mean((4, 5))
        for row in (0, 1):
            for column in (0, 1):
                assert (split["image"][:, :, row::2, column::2] - blocks).abs().max() <= 0.5
        assert torch.equal(split["label"], original["label"])
    assert not data.train.independent
    assert data.test.fingerprint == hidden.test.fingerprint
    assert (len(hidden.train), "truth" in hidden.train.arrays) == (550, False)
    assert rows(hidden.train.independent["target"]) < rows(data.train.arrays["truth"])


def test_outlines_are_where_grey_changes():
    image = torch.zeros(1, 1, 4, 4, dtype=torch.uint8)
    image[..., 1:3, 1:3] = 200
    image[..., 3, 3] = 40
    drawn = [[0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]]
    assert torch.equal(outlines(image)[0, 0], 255 * torch.tensor(drawn, dtype=torch.uint8))


def test_garments_are_drawn_as_outlines(tmp_path, monkeypatch):
    small_data.fashion(tmp_path, monkeypatch)
    data = fashion_outlines(str(tmp_path), validation=24, paired=True)
    plain = fashion_mnist(str(tmp_path), validation=24)
    assert (data.shape, data.classes, len(data.train)) == ((1, 28, 28), 10, 136)
    assert torch.equal(data.train.arrays["truth"], plain.train.arrays["image"])
    assert torch.equal(data.test.arrays["image"], outlines(plain.test.arrays["image"]))


def test_rotation_is_counter_clockwise():
    split = digits_rotated().test
    assert torch.equal(split.arrays["truth"][:, :, 0], split.arrays["image"][:, :, :, -1])


def folder(root, n, offset=0, size=(12, 9)):
    for i in range(n):
        write(root / f"{i:02}.png", size=size, seed=offset + i)
    return str(root)


def test_unpaired_folders_have_their_own_lengths(tmp_path):
    a, b = folder(tmp_path / "summer", 20), folder(tmp_path / "winter", 30, 100)
    data = unpaired_folders(a, b, size=8)
    assert data.name == "summer-winter"
    assert sum(len(split) for split in data.splits.values()) == 20
    assert sum(len(split.independent["target"]) for split in data.splits.values()) == 30
    assert data.shape == (3, 8, 8)


def test_unpaired_folders_with_tests_of_their_own(tmp_path):
    a, b = folder(tmp_path / "trainA", 20), folder(tmp_path / "trainB", 10, 100)
    test_a, test_b = folder(tmp_path / "testA", 4, 200), folder(tmp_path / "testB", 5, 300)
    data = unpaired_folders(a, b, size=8, channels=1, test_a=test_a, test_b=test_b)
    parts = (data.train, data.validation)
    assert sum(len(split) for split in parts) == 20
    assert sum(len(split.independent["target"]) for split in parts) == 10
    assert (len(data.test), len(data.test.independent["target"])) == (4, 5)


def test_unpaired_folders_that_do_not_fit_get_one_line(tmp_path):
    a = folder(tmp_path / "a", 5)
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere"):
        unpaired_folders(a, str(tmp_path / "nowhere"), size=8)
    with pytest.raises(ValueError, match="are the same folder"):
        unpaired_folders(a, f"{a}/../a", size=8)
    with pytest.raises(ValueError, match="test_a and test_b come together"):
        unpaired_folders(a, folder(tmp_path / "b", 5), size=8, test_a=a)


def test_a_paired_folder_hides_its_pairs_in_training(tmp_path):
    for i in range(20):
        pixels = write(tmp_path / "A" / f"{i:02}.png", size=(8, 8), seed=i)
        write(tmp_path / "B" / f"{i:02}.png", size=(8, 8), seed=i)
        assert pixels.shape == (8, 8, 3)
    data = paired_folder(str(tmp_path), size=8)
    assert not rows(data.train.arrays["image"]) & rows(data.train.independent["target"])
    assert abs(len(data.train) - len(data.train.independent["target"])) <= 1
    assert sum(len(split) for split in data.splits.values()) + len(data.train.independent["target"]) == 20
    for split in (data.validation, data.test):
        assert torch.equal(split.arrays["image"], split.arrays["truth"])
        assert rows(split.independent["target"]) == rows(split.arrays["truth"])
    (tmp_path / "B" / "04.png").unlink()
    with pytest.raises(ValueError, match=r"A/04.png has no partner .*B/04.png \(1 such\)"):
        paired_folder(str(tmp_path), size=8)
    (tmp_path / "A" / "04.png").unlink()
    write(tmp_path / "B" / "x.png")
    with pytest.raises(ValueError, match=r"B/x.png has no partner"):
        paired_folder(str(tmp_path), size=8)


@pytest.mark.parametrize("source", [paired_folder, side_by_side])
@pytest.mark.parametrize("direction", ["ab", "ba"])
def test_pairs_that_are_shown_stay_together(source, direction, tmp_path):
    pairs = {}
    for i in range(20):
        both = np.random.default_rng(i).integers(256, size=(8, 16, 3), dtype=np.uint8)
        a, b = np.split(both, 2, axis=1)
        halves = {"A": a, "B": b} if source is paired_folder else {".": both}
        for folder, pixels in halves.items():
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(tmp_path / folder / f"{i:02}.png")
        a, b = (torch.from_numpy(side).permute(2, 0, 1).contiguous().numpy().tobytes() for side in (a, b))
        pairs |= {a: b} if direction == "ab" else {b: a}
    data = source(str(tmp_path), size=8, paired=True, direction=direction)
    assert not data.train.independent
    found = {
        image.numpy().tobytes(): truth.numpy().tobytes()
        for split in data.splits.values()
        for image, truth in zip(split.arrays["image"], split.arrays["truth"], strict=True)
    }
    assert found == pairs
    hidden = source(str(tmp_path), size=8, direction=direction)
    assert rows(hidden.train.arrays["image"]) | rows(hidden.train.independent["target"]) <= {*pairs, *pairs.values()}
    assert not {pairs[a] for a in rows(hidden.train.arrays["image"])} & rows(hidden.train.independent["target"])
    assert hidden.test.fingerprint == data.test.fingerprint


def test_side_by_side_takes_the_splits_of_its_authors_and_refuses_odd_widths(tmp_path):
    for split, n in {"train": 3, "val": 2, "test": 1}.items():
        folder(tmp_path / split, n, offset=10 * n, size=(24, 9))
    data = side_by_side(str(tmp_path), size=8, channels=1, paired=True)
    assert {name: len(split) for name, split in data.splits.items()} == {"train": 3, "validation": 2, "test": 1}
    assert data.shape == (1, 8, 8)
    write(tmp_path / "train" / "odd.png", size=(25, 9))
    with pytest.raises(ValueError, match=r"train/odd.png: 25x9, and two pictures side by side have an even width"):
        side_by_side(str(tmp_path), size=8, paired=True)


def test_photos_are_split_by_region():
    china, flower = (load_sample_image(name).transpose(2, 0, 1) for name in ("china.jpg", "flower.jpg"))
    data = photos(stride=24, turns=1)
    # (427 - 48) // 24 + 1 = 16 rows; (384 - 48) // 24 + 1 = 15 and (480 - 48) // 24 + 1 = 19 columns
    assert len(data.train) == 16 * 15 + 16 * 19
    assert data.shape == (3, 48, 48)
    train = data.train.arrays["image"]
    assert np.array_equal(train[16], china[:, 24:72, 24:72])
    assert np.array_equal(train[16 * 15 - 1], china[:, 360:408, 336:384])
    assert np.array_equal(train[-1], flower[:, 360:408, 432:480])
    assert np.array_equal(data.validation.arrays["image"][-1], china[:, 336:384, 432:480])
    assert np.array_equal(data.test.arrays["image"][0], china[:, :48, 480:528])
    assert len(data.test) == 8 * 3
    assert np.array_equal(data.extra["china"].arrays["image"][0], china[:, :424, 480:])
    assert np.array_equal(data.extra["flower"].arrays["image"][0], flower[:, :424, 480:])


def test_photos_can_be_turned():
    once, all_four = photos(stride=48, turns=1).train, photos(stride=48).train
    assert len(all_four) == 4 * len(once)
    third = all_four.arrays["image"][2 * len(once) : 3 * len(once)]
    assert torch.equal(third.flip((2, 3)), once.arrays["image"])


def test_the_default_photos_fit_in_memory():
    image = photos().train.arrays["image"]
    assert 100e6 < image.numel() < 300e6


def test_deep_pictures_are_refused_not_cut(tmp_path):
    for side in "AB":
        deep.png(tmp_path / side, np.random.default_rng(0).integers(60_000, size=(5, 20, 20), dtype=np.uint16))
    for read in (
        lambda: patches_of_folder(str(tmp_path), patch=16),
        lambda: unpaired_folders(str(tmp_path / "A"), str(tmp_path / "B"), 16),
        lambda: paired_folder(str(tmp_path), 16),
    ):
        with pytest.raises(ValueError, match=r"png/00\d\.png: more than 8 bits a channel .* model=srgan too"):
            read()


def test_patches_of_a_folder_come_from_their_pictures(tmp_path):
    arrays = [write(tmp_path / f"{i:02}.png", size=(40, 30 + i), seed=i) for i in range(5)]
    data = patches_of_folder(str(tmp_path), patch=16, crops=6)
    assert sum(len(split) for split in data.splits.values()) == 30
    assert data.shape == (3, 16, 16)
    every = {
        array[y : y + 16, x : x + 16].tobytes(): i
        for i, array in enumerate(arrays)
        for y in range(array.shape[0] - 15)
        for x in range(25)
    }
    origins = [
        {every[patch.permute(1, 2, 0).contiguous().numpy().tobytes()] for patch in split.arrays["image"]}
        for split in data.splits.values()
    ]
    assert sum(len(origin) for origin in origins) == 5  # split by picture
    assert set.union(*origins) == set(range(5))
    assert len(rows(data.train.arrays["image"])) > len(data.train) * 2 / 3
    assert data.fingerprint == patches_of_folder(str(tmp_path), patch=16, crops=6).fingerprint
    with pytest.raises(ValueError, match=r"0\d.png is 40 x 3\d, smaller than a patch of 48"):
        patches_of_folder(str(tmp_path), patch=48)
