from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from forger.data.dataset import Data, Split
from forger.data.images import digits, hashed, permutation, stacked_digits, stratified

# The shipped extractor and every published figure belong to these splits.
DIGITS = "39f26eeb60b3a094dc5524de7e1078e68d565fbd769b30abd7c0f2082ff685a6"


def pixels(split):
    return [image.numpy().tobytes() for image in split.arrays["image"]]


def test_digits_are_scikit_learns_and_their_splits_stay():
    data = digits()
    assert [len(split) for split in data.splits.values()] == [1100, 200, 497]
    assert data.shape == (1, 8, 8)
    assert data.classes == 10
    assert data.kind == "images"
    truth = load_digits()
    expected = sorted(
        (np.rint(image * 255 / 16).astype(np.uint8).tobytes(), label)
        for image, label in zip(truth.images, truth.target, strict=True)
    )
    found = [
        pair
        for split in data.splits.values()
        for pair in zip(pixels(split), split.arrays["label"].tolist(), strict=True)
    ]
    assert sorted(found) == expected
    assert data.fingerprint == DIGITS


def test_digits_splits_are_stratified():
    data = digits()
    whole = sum(split.arrays["label"].bincount() for split in data.splits.values())
    for split in data.splits.values():
        expected = whole * len(split) / 1797
        assert (split.arrays["label"].bincount() - expected).abs().max() < 2
        assert split.arrays["label"].dtype == torch.int64
        assert split.arrays["image"].dtype == torch.uint8


def test_permutations_are_fixed_by_a_hash():
    assert hashed("digits/0").hex() == "412c258c0c69e979"
    assert permutation(8, "a").tolist() != permutation(8, "b").tolist()
    assert sorted(permutation(100, "a").tolist()) == list(range(100))
    assert permutation(8, "a").tolist() == sorted(range(8), key=lambda i: hashed(f"a/{i}"))


def test_every_stretch_of_a_stratified_order_has_the_proportions():
    labels = torch.tensor([0] * 60 + [1] * 30 + [2] * 10)
    order = stratified(labels, "x")
    assert sorted(order.tolist()) == list(range(100))
    for part in labels[order].split(20):
        assert (part.bincount(minlength=3) - torch.tensor([12, 6, 2])).abs().max() <= 1


def tiny():
    images = torch.arange(48, dtype=torch.uint8).reshape(3, 1, 4, 4)
    split = Split({"image": images, "label": torch.arange(3)}, {"target": images.clone()})
    return Data("tiny", split, split, split, classes=3)


def test_the_fingerprint_sees_pixels_labels_shapes_names_and_splits():
    data = tiny()
    assert data.fingerprint == tiny().fingerprint
    assert len(data.fingerprint) == 64
    arrays = data.test.arrays
    image = arrays["image"].clone()
    image[1, 0, 2, 3] += 1
    others = [
        Split({"image": image, "label": arrays["label"]}, data.test.independent),
        Split(arrays, {"target": image}),
        Split(arrays),
        Split({"image": arrays["image"].transpose(2, 3), "label": arrays["label"]}, data.test.independent),
        Split({"image": arrays["image"], "label": arrays["label"].int()}, data.test.independent),
        Split({"image": arrays["image"].reshape(3, 1, 2, 8), "label": arrays["label"]}, data.test.independent),
        Split({"image": arrays["image"], "other": arrays["label"]}, data.test.independent),
    ]
    prints = {data.fingerprint, *(replace(data, test=other).fingerprint for other in others)}
    prints |= {
        replace(data, validation=others[0]).fingerprint,
        replace(data, extra={"x": data.test}).fingerprint,
    }
    assert len(prints) == len(others) + 3


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"size": 8}, "data.size=8, but the data set tiny has size 4"),
        ({"size": 4, "channels": 3}, "data.channels=3, but the data set tiny has channels 1"),
        ({"size": 4, "channels": 1, "classes": 2}, "data.classes=2, but the data set tiny has classes 3"),
    ],
)
def test_declared_facts_are_checked(declared, message):
    with pytest.raises(ValueError, match=message):
        tiny().check(declared)


def test_classes_need_not_be_used():
    tiny().check({"size": 4, "channels": 1, "classes": 0, "batch_size": 64})
    tiny().check({"size": 4, "channels": 1, "classes": 3})


def test_stacked_digits_spell_their_label_and_keep_the_splits_apart():
    source, data = digits(), stacked_digits(n=3000)
    assert [len(split) for split in data.splits.values()] == [3000, 10_000, 26_000]
    assert data.shape == (3, 8, 8)
    assert data.classes == 1000
    for name, split in data.splits.items():
        singles = source.splits[name]
        known = dict(zip(pixels(singles), singles.arrays["label"].tolist(), strict=True))
        for image, label in zip(split.arrays["image"][:500], split.arrays["label"][:500], strict=True):
            assert label == int("".join(str(known[channel.numpy().tobytes()]) for channel in image))
    assert len(data.test.arrays["label"].unique()) == 1000
    assert data.fingerprint == stacked_digits(n=3000).fingerprint
