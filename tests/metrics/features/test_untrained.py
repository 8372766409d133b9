"""The random extractor: the same everywhere, for pictures of any size and number of channels."""

import hashlib
import math

import pytest
import torch

from forger.data.images import digits
from forger.metrics.evaluations.sample_quality import SampleQuality
from forger.metrics.features.damage import damage_table
from forger.metrics.features.extractors import build
from forger.metrics.features.reference import Reference
from forger.metrics.scores.collection import Scores
from metrics.doubles import pictures

#: Of the weights, whatever the versions of the packages: another hash is another extractor.
SHA256 = "8d7ad4e649f13b434d15e9c547f216805c37fdde1361575e3532ca30e85d06f4"


def test_weights_are_the_same_for_ever():
    extractor = build("random")
    assert (extractor.name, extractor.weights_sha256) == ("random", SHA256)
    first = extractor.network.get_buffer("stage0").flatten()[:2].tolist()
    bits = hashlib.shake_256(b"forger random extractor, stage 0").digest(8)
    whole = [int.from_bytes(bits[at : at + 4], "little") for at in (0, 4)]
    assert first == pytest.approx([value / 2**31 - 1 for value in whole], rel=1e-7)
    weights = extractor.network.get_buffer("stage1")
    assert weights.abs().max() <= 1
    assert weights.mean().abs() < 4 * (1 / 3 / weights.numel()) ** 0.5
    assert weights.square().mean().item() == pytest.approx(1 / 3, rel=0.05)


def test_first_features_are_of_a_plain_convolution():
    images = pictures(3, (2, 6, 5))
    extractor = build("random")
    pixels = images.double() / 127.5 - 1
    padded = torch.nn.functional.pad(pixels, (1, 1, 1, 1), mode="replicate")
    weight = extractor.network.get_buffer("stage0")[:, :2].double() * math.sqrt(6 / 18)
    response = sum(
        padded[:, None, :, i : i + 6, j : j + 5] * weight[None, :, :, i, j, None, None]
        for i in range(3)
        for j in range(3)
    ).sum(2)
    response = response * (1 + torch.erf(response / 2**0.5)) / 2
    features = extractor(images).features
    torch.testing.assert_close(features[:, :16], response.mean((2, 3)).float(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        features[:, 16:32], response.flatten(2).std(2, correction=0).float(), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(
    ("shape", "width"), [((1, 8, 8), 96), ((1, 28, 28), 128), ((3, 32, 32), 160), ((16, 64, 70), 192), ((4, 2, 9), 32)]
)
def test_any_size_and_up_to_16_channels(shape, width):
    assert build("random")(pictures(3, shape)).features.shape == (3, width)


def test_more_channels_are_refused():
    with pytest.raises(ValueError, match="the random extractor takes up to 16 channels, got 17"):
        build("random")(pictures(2, (17, 8, 8)))


def test_it_sees_known_damage_to_digits():
    rows = damage_table(build("random"), digits())
    assert min(rows, key=rows.__getitem__) == "real training images"
    assert rows["real training images"] == pytest.approx(0.00996995, rel=1e-4)  # with any version of torch
    assert rows["blur, 3×3 mean"] > 20 * rows["real training images"]


def test_scores_of_it_but_those_of_classes():
    data, extractor = digits(), build("random")
    real = Reference.build(extractor, data.test.arrays["image"], split="digits/test")
    train = Reference.build(extractor, data.train.arrays["image"], split="digits/train")
    asked = ["fd", "kd", "precision", "recall", "density", "coverage", "memorisation", "vendi"]
    scores = Scores(extractor, real, asked, train=train)
    scores.update(data.train.arrays["image"][:200])
    values = scores.compute()
    assert {f"{name}_random" for name in (*asked, "neighbour_ratio", "vendi_ratio")} <= {*values}
    assert values["memorisation_random"] > 0.65  # copies of training images
    for name in ("is", "accuracy", "is_random"):
        with pytest.raises(ValueError, match=r"the random extractor tells no classes apart, which .*leave it out"):
            Scores(extractor, real, ["fd", name])
        with pytest.raises(ValueError, match="the random extractor tells no classes apart"):
            SampleQuality("random", ["fd", name]).check(data)
