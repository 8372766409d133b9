"""What torchmetrics and torch-fidelity score wrong without a word: here it is right, or one line says why not."""

import pytest
import torch
from torch_fidelity.metric_isc import isc_features_to_metric

from forger.commands.evaluate import COMMAND
from forger.config.schema import validate
from forger.errors import ConfigError
from forger.metrics.evaluations.sample_quality import SampleQuality
from forger.metrics.features.base import Features, as_pixels
from forger.metrics.features.extractors import DigitsExtractor, build
from forger.metrics.features.reference import Reference
from forger.metrics.functional.logits import inception_score
from forger.metrics.functional.neighbours import precision_recall
from forger.metrics.scores.collection import Scores
from running import SMALL, composed

from .doubles import Projection, pictures
from .evaluations.test_evaluation import DATA, Game


@pytest.fixture(scope="module")
def extractor() -> DigitsExtractor:
    return DigitsExtractor()


@pytest.fixture(scope="module")
def scores(extractor) -> Scores:
    return Scores(extractor, Reference.build(extractor, DATA.test.arrays["image"], split="digits/test"), ["fd", "is"])


def value(scores: Scores, images: torch.Tensor) -> float:
    scores.reset()
    scores.update(images)
    return scores.compute()["fd_digits"]


FAKES = DATA.validation.arrays["image"]


@pytest.mark.parametrize(
    "images",
    [
        FAKES / 255,  # floats in [0, 1]
        FAKES / 127.5 - 1,  # floats in [-1, 1]
        FAKES.float(),  # floats in [0, 255]
        FAKES.short(),
    ],
)
def test_no_other_range_or_type_gets_a_score(scores, images):
    with pytest.raises(ValueError, match=r"takes uint8 images in \[0, 255\]") as refusal:
        value(scores, images)
    assert "\n" not in str(refusal.value)


def test_there_is_no_switch_that_rescales_uint8(extractor, scores):
    """`normalize=True` on uint8, and a network in training, half or autocast: nothing reaches the number."""
    right = value(scores, FAKES)
    scores.train().half()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert value(scores, FAKES) == pytest.approx(right, rel=1e-9)
    with pytest.raises(TypeError, match="normalize"):
        Scores(extractor, scores.reference, ["fd"], normalize=True)  # type: ignore[call-arg]


def test_a_nan_image_is_refused_before_it_becomes_grey():
    with pytest.raises(ValueError, match="hold NaN or infinity: the generator has diverged"):
        as_pixels(torch.tensor([[[[0.5, float("nan")]]]]))

    class Broken(Game):
        def sample(self, *arguments, **options):
            images = super().sample(*arguments, **options)
            images[3, 0, 2, 2] = float("nan")
            return images

    for do in (SampleQuality("digits").evaluate, SampleQuality("digits").estimate):
        with pytest.raises(ValueError, match="diverged"):
            do(Broken(), DATA, "test", n=50, seed=0)


def test_nan_features_are_refused(scores):
    rows = torch.randn(20, 64)
    spoilt = rows.clone()
    spoilt[4, 7] = float("nan")
    with pytest.raises(ValueError, match="NaN"):
        precision_recall(spoilt, rows, [torch.arange(20)])
    for do in (scores.metrics[0].update, scores.metrics[0].of):
        with pytest.raises(ValueError, match="NaN"):
            do(Features(spoilt, torch.randn(20, 10)))


def test_two_images_are_too_few():
    with pytest.raises(ConfigError, match="--n 2: must be a whole number of at least 10"):
        COMMAND(["anything", "--n", "2"])
    with pytest.raises(ConfigError, match=r"metrics\.n=2: must be at least 10"):
        validate(composed(*SMALL, "metrics.n=2"))
    one = Scores(Projection(), Reference.build(Projection(), pictures(5), split="x"), ["fd"])
    one.update(pictures(1, seed=1))
    with pytest.raises(ValueError, match="at least 2 images"):
        one.compute()


def test_fewer_images_than_splits_are_refused():
    with pytest.raises(ValueError, match="over 10 splits needs at least 10 images, got 9"):
        inception_score(torch.randn(9, 4), 10)


def test_the_shuffle_is_seeded_and_torch_fidelitys_own():
    logits = torch.randn(50, 8, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(1)
    one = inception_score(logits, 5, seed=2020)
    torch.manual_seed(2)
    assert inception_score(logits, 5, seed=2020) == one
    theirs = isc_features_to_metric(logits, 5, shuffle=True, rng_seed=2020)["inception_score_mean"]
    assert one[0] == pytest.approx(theirs, rel=1e-9)


def test_other_weights_or_pixels_are_never_taken_from_the_cache(tmp_path):
    first, second = Projection(), Projection()
    second.network.weight.data *= 2
    second.weights_sha256 = "1" * 64
    images = pictures(20)
    one = Reference.build(first, images, split="toy", cache=tmp_path)
    other = Reference.build(second, images, split="toy", cache=tmp_path)
    torch.testing.assert_close(other.features, 2 * one.features)
    changed = images.clone()
    changed[0, 0, 0, 0] ^= 255
    assert not torch.equal(Reference.build(first, changed, split="toy", cache=tmp_path).mean, one.mean)


@pytest.mark.parametrize(
    "do",
    [
        lambda: SampleQuality("digits", ["fd", "fidd"])._prepared(DATA, "test"),
        lambda: build("metrics.doubles.Small", sise=32),
        lambda: SampleQuality("digits", preprocessing={"size": 8}),
    ],
)
def test_a_misspelt_name_is_no_default(do):
    with pytest.raises(ValueError, match=r"no score fidd|takes no such preprocessing: .*sise|neither weights nor"):
        do()


def test_float64_is_float64(scores, extractor):
    """torch-fidelity's `internal_dtype="float64"` computes in float32; sums and roots here are float64."""
    assert scores.metrics[0].outer.dtype == torch.float64
    found = extractor(FAKES)
    doubled = scores.of(Features(found.features.double(), found.logits), seed=0)["fd_digits"].value
    assert doubled == pytest.approx(value(scores, FAKES), rel=1e-9)


def test_weights_files_run_no_code(tmp_path):
    class Evil:
        def __reduce__(self):
            return (pytest.fail, ("code of the file was run",))

    torch.save({"a": Evil()}, tmp_path / "evil.pth")
    for name in ("inception", "dinov2", "metrics.doubles.Small"):
        with pytest.raises(ValueError, match=r"evil\.pth holds no"):
            build(name, tmp_path / "evil.pth")
