"""Scores: names, agreement with torchmetrics on the same features, sharing, and refusals."""

import ast
from pathlib import Path

import pytest
import torch
from torch import nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore as TheirInceptionScore
from torchmetrics.image.kid import KernelInceptionDistance

import forger
from forger.metrics.features.base import Features
from forger.metrics.features.reference import Reference
from forger.metrics.scores.buffered import InceptionScore, KernelDistance, PrecisionRecall
from forger.metrics.scores.collection import Scores
from forger.metrics.scores.names import KINDS, METRICS, higher_is_better, score_name
from forger.metrics.scores.streaming import FrechetDistance, Vendi
from metrics.doubles import Projection, pictures

ALL = list(KINDS)


@pytest.fixture(scope="module")
def extractor() -> Projection:
    return Projection()


@pytest.fixture(scope="module")
def reference(extractor) -> Reference:
    return Reference.build(extractor, pictures(60, seed=0), split="toy/test")


@pytest.fixture(scope="module")
def train(extractor) -> Reference:
    return Reference.build(extractor, pictures(80, seed=1), split="toy/train")


@pytest.fixture(scope="module")
def fakes() -> torch.Tensor:
    return pictures(70, seed=2, high=230)


class Column(nn.Module):
    """The extractor as torchmetrics wants it: one tensor."""

    def __init__(self, extractor: Projection, column: int) -> None:
        super().__init__()
        self.extractor, self.column = extractor, column
        self.num_features = (6, 4)[column]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.extractor(images)[self.column]


@pytest.mark.filterwarnings("ignore:Metric .* will save all extracted features:UserWarning")
@pytest.mark.filterwarnings("ignore:std\\(\\).*degrees of freedom:UserWarning")
class TestAgainstTorchmetrics:
    def test_frechet_distance(self, extractor, reference, fakes):
        theirs = FrechetInceptionDistance(Column(extractor, 0)).set_dtype(torch.float64)
        theirs.update(pictures(60, seed=0), real=True)
        theirs.update(fakes, real=False)
        mine = FrechetDistance(reference)
        for part in fakes.split(16):
            mine.update(extractor(part))
        assert float(mine.compute()) == pytest.approx(float(theirs.compute()), rel=1e-5)

    def test_inception_score(self, extractor, reference, fakes):
        theirs = TheirInceptionScore(Column(extractor, 1), splits=1)
        mine = InceptionScore(reference)
        theirs.update(fakes)
        mine.update(extractor(fakes))
        assert float(mine.compute()) == pytest.approx(float(theirs.compute()[0]), rel=1e-5)

    def test_kernel_distance(self, extractor, reference):
        fakes = pictures(60, seed=2, high=128)  # far off: torchmetrics computes the difference in float32
        theirs = KernelInceptionDistance(Column(extractor, 0), subsets=1, subset_size=60)
        theirs.update(pictures(60, seed=0), real=True)
        theirs.update(fakes, real=False)
        mine = KernelDistance(reference)
        mine.update(extractor(fakes))
        assert float(mine.compute()["kd"]) == pytest.approx(float(theirs.compute()[0]), rel=1e-4)


class TestMetrics:
    @pytest.mark.parametrize("kind", [FrechetDistance, InceptionScore, PrecisionRecall, Vendi])
    def test_batches_reset_and_forward(self, kind, extractor, reference, fakes):
        once, parts = kind(reference), kind(reference)
        once.update(extractor(fakes))
        parts.update(extractor(pictures(9, seed=7)))
        parts.reset()
        parts.update(extractor(fakes[:5]))
        parts(extractor(fakes[5:30]))  # the value of a batch, and into the whole as well
        parts.update(extractor(fakes[30:]))
        torch.testing.assert_close(parts.compute(), once.compute(), rtol=1e-9, atol=1e-12)

    def test_half_precision_does_not_reach_the_sums(self, extractor, reference, fakes):
        metric = FrechetDistance(reference)
        metric.update(extractor(fakes))
        expected = metric.compute()
        other = FrechetDistance(reference).half().to(torch.bfloat16).set_dtype(torch.float16)
        other.update(extractor(fakes))
        other.to(torch.bfloat16)
        assert other.outer.dtype == torch.float64
        assert torch.equal(other.compute(), expected)

    def test_sums_survive_features_far_from_zero(self, reference):
        """About 0 the sums of squares would be 1e12 and the variances of 1e-2 mere rounding."""
        noise = torch.randn(500, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        rows = 1e6 + 0.1 * noise

        class Far:
            features, mean, cov = rows, rows.mean(0), rows.T.cov()

        metric = FrechetDistance(Far)
        for part in rows.split(100):
            metric.update(Features(part))
        assert metric.compute() < 1e-9

    def test_nan_features_are_refused(self, reference):
        rows = torch.ones(5, 6)
        rows[2, 2] = float("nan")
        for kind in (FrechetDistance, PrecisionRecall, Vendi):
            with pytest.raises(ValueError, match="NaN"):
                kind(reference).update(Features(rows))


class TestCollection:
    def test_every_score_at_once(self, extractor, reference, train, fakes):
        scores = Scores(extractor, reference, ALL, train=train, splits=2, batch_size=32)
        labels = torch.arange(70) % 4
        scores.update(fakes[:40], labels[:40])
        scores.update(fakes[40:], labels[40:])
        values = scores.compute()
        assert set(values) == {f"{name}_projection" for name in ALL}
        assert all(isinstance(value, float) for value in values.values())
        rows = extractor(fakes)
        alone = FrechetDistance(reference)
        alone.update(rows)
        assert values["fd_projection"] == pytest.approx(float(alone.compute()), rel=1e-12)
        assert values["accuracy_projection"] == (rows.logits.argmax(1) == labels).double().mean()
        assert scores.compute() == values
        scores.reset()
        scores.update(fakes, labels)
        assert scores.compute() == pytest.approx(values, rel=1e-9)

    def test_features_are_extracted_once_and_kept_only_for_a_score_that_needs_them(self, extractor, reference, fakes):
        seen = []
        handle = extractor.network.register_forward_hook(lambda *_: seen.append(1))
        scores = Scores(extractor, reference, ["fd", "kd", "precision", "coverage", "vendi"])
        scores.update(fakes)
        scores.compute()
        handle.remove()
        assert len(seen) == 1
        assert Scores(extractor, reference, ["fd", "vendi"]).buffer is None
        assert Scores(extractor, reference, ["fd", "is"]).buffer.kept == ("logits",)

    def test_the_seed_decides_what_is_random(self, extractor, reference, train, fakes):
        def compute(seed):
            scores = Scores(
                extractor, reference, ["is", "fd_infinity", "memorisation"], train=train, splits=5, seed=seed
            )
            scores.update(fakes)
            torch.rand(3)  # the global stream has no part in it
            return scores.compute()

        assert compute(1) == compute(1)
        one, other = compute(1), compute(2)
        differing = {name for name in one if one[name] != other[name]}
        # The ratio uses all training images; the share only as many as there are held-out ones.
        assert differing >= {"is_projection", "is_std_projection", "fd_infinity_projection"}
        assert "neighbour_ratio_projection" not in differing

    def test_names(self):
        assert [score_name(name, "inception") for name in ("fd", "is", "kd", "precision")] == [
            "fid",
            "is",
            "kid",
            "precision_inception",
        ]
        assert [score_name(name, "digits") for name in ("fd", "is", "kd_error")] == [
            "fd_digits",
            "is_digits",
            "kd_error_digits",
        ]
        lower = {name for name in ALL if not higher_is_better(name)}
        assert lower == {"fd", "fd_infinity", "kd", "kd_error", "memorisation", "neighbour_ratio"}
        assert not higher_is_better("fid")
        assert not higher_is_better("fd_infinity_digits")
        assert higher_is_better("is_digits")

    def test_asked_by_any_name(self, extractor, reference, fakes):
        scores = Scores(extractor, reference, ["fd_projection", "fd", "is"])
        scores.update(fakes)
        assert list(scores.compute()) == ["fd_projection", "is_projection"]

    @pytest.mark.parametrize(
        ("names", "message"),
        [
            (["fid"], "fid means the Inception network: with the projection extractor ask for fd"),
            (["kid"], "ask for kd"),
            (["fd_digits"], "no score fd_digits with the projection extractor: there are fd,"),
            (["quality"], "no score quality"),
            (["memorisation"], "needs the training images"),
        ],
    )
    def test_scores_that_there_are_not(self, extractor, reference, names, message):
        with pytest.raises(ValueError, match=message):
            Scores(extractor, reference, names)

    def test_a_reference_of_other_weights_is_refused(self, extractor, reference):
        other = Projection()
        other.weights_sha256 = "1" * 64
        with pytest.raises(ValueError, match="toy/test was made with other weights"):
            Scores(other, reference)

    def test_memorisation_against_itself_is_refused(self, extractor, reference):
        with pytest.raises(ValueError, match="both are the same"):
            Scores(extractor, reference, ["memorisation"], train=reference)

    def test_wrong_images_and_counts_are_refused(self, extractor, reference, fakes):
        scores = Scores(extractor, reference, ["fd", "accuracy"])
        with pytest.raises(ValueError, match="uint8"):
            scores.update(fakes / 255)
        with pytest.raises(ValueError, match="accuracy needs the classes that were asked for"):
            scores.update(fakes)
        with pytest.raises(ValueError, match="70 images came with 3 labels"):
            scores.update(fakes, torch.zeros(3, dtype=torch.long))
        for names, n, message in (
            (["fd"], 1, "at least 2 images, got 1"),
            (["fd"], 0, "at least 2 images, got 0"),
            (["is"], 0, "at least 2 images, got 0"),
            (["precision"], 3, "3 neighbours need more than 3 images, got 3"),
        ):
            scores = Scores(extractor, reference, names)
            scores.update(fakes[:n])
            with pytest.raises(ValueError, match=message):
                scores.compute()

    def test_passport(self, extractor, reference):
        passport = Scores(extractor, reference).passport(70, weights="ema", seed=3, truncation=0.7)
        assert (passport.extractor, passport.n_real, passport.n_fake) == ("projection", 60, 70)
        assert (passport.split, passport.fingerprint) == ("toy/test", reference.fingerprint)
        assert (passport.weights, passport.seed, passport.truncation) == ("ema", 3, 0.7)


def test_scores_are_named_where_they_are_defined_and_in_their_list_alone():
    """So adding one touches two files."""
    own, root = {metric.__name__ for metric in METRICS}, Path(forger.__file__).parent
    naming = set()
    for path in root.rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
        naming |= {path for node in nodes if {getattr(node, "id", ""), getattr(node, "name", "")} & own}
    assert naming == {root / f"metrics/scores/{name}.py" for name in ("buffered", "names", "streaming")}
