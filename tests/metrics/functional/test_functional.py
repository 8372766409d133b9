"""Pure scores against hand-computed values and the functions of torch-fidelity."""

import math

import numpy as np
import pytest
import torch
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric

from forger.metrics.functional.image_quality import psnr, same_images, ssim
from forger.metrics.functional.kernel_distance import kernel_distance
from forger.metrics.functional.logits import agreement, inception_score
from forger.metrics.functional.vendi import vendi_score


def normal(n: int, d: int, seed: int, shift: float = 0.0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) + shift


class TestInceptionScore:
    def test_certain_and_even_predictions_score_the_number_of_classes(self):
        logits = 1000 * torch.eye(5).repeat(4, 1)
        assert inception_score(logits) == pytest.approx((5, 0))

    def test_indifferent_predictions_and_one_class_only_score_one(self):
        assert inception_score(torch.zeros(6, 10))[0] == pytest.approx(1)
        assert inception_score(100 * torch.eye(10)[:1].repeat(6, 1))[0] == pytest.approx(1)

    def test_by_hand(self):
        # p = (.8, .2) and (.4, .6), p(y) = (.6, .4)
        p = torch.tensor([[0.8, 0.2], [0.4, 0.6]])
        kl = [
            0.8 * math.log(0.8 / 0.6) + 0.2 * math.log(0.2 / 0.4),
            0.4 * math.log(0.4 / 0.6) + 0.6 * math.log(0.6 / 0.4),
        ]
        assert inception_score(p.log())[0] == pytest.approx(math.exp(sum(kl) / 2), rel=1e-6)

    @pytest.mark.parametrize("splits", [1, 3, 10])
    def test_equals_torch_fidelity_with_its_own_shuffle(self, splits):
        logits = normal(103, 20, 0) * 3
        theirs = isc_features_to_metric(logits, splits, shuffle=True, rng_seed=2020)
        expected = (theirs["inception_score_mean"], theirs["inception_score_std"])
        assert inception_score(logits, splits, seed=2020) == pytest.approx(expected, rel=1e-12, abs=1e-12)

    def test_more_splits_than_images_or_one_image_is_refused(self):
        with pytest.raises(ValueError, match="over 10 splits needs at least 10 images, got 9"):
            inception_score(normal(9, 4, 0), 10)
        with pytest.raises(ValueError, match="at least 2 images, got 1"):
            inception_score(normal(1, 4, 0))

    def test_nan_is_refused(self):
        with pytest.raises(ValueError, match="NaN"):
            inception_score(torch.full((4, 4), float("nan")))


class TestKernelDistance:
    def test_equals_torch_fidelity(self):
        fake, real = normal(60, 16, 0, 0.2), normal(60, 16, 1)
        options = {"kid_subset_size": 60, "kid_subsets": 1, "verbose": False}
        expected = kid_features_to_metric(fake.double(), real.double(), **options)
        value, _ = kernel_distance(fake, real)
        assert value == pytest.approx(expected["kernel_inception_distance_mean"], rel=1e-10)

    def test_subsets_are_those_of_torch_fidelity(self):
        fake, real = normal(80, 16, 0, 0.2), normal(70, 16, 1)
        options = {"kid_subset_size": 30, "kid_subsets": 5, "rng_seed": 7, "verbose": False}
        theirs = kid_features_to_metric(fake.double(), real.double(), **options)
        value, error = kernel_distance(fake, real, subsets=5, subset_size=30, seed=7)
        assert value == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-10)
        assert error == pytest.approx(theirs["kernel_inception_distance_std"] / 5**0.5, rel=1e-8)

    def test_by_hand_in_one_dimension(self):
        # k(x, y) = (xy + 1)³; fakes 0, 0, 0 and reals 1, 1, 1: 1 + 8 − 2 · 1
        assert kernel_distance(torch.zeros(3, 1), torch.ones(3, 1))[0] == pytest.approx(7)

    def test_unbiased_and_its_error_is_the_spread_over_draws(self):
        for shift, largest in ((0.5, 1.25), (0.0, 1.8)):  # at equality the jackknife may overstate
            draws = [kernel_distance(normal(80, 4, i, shift), normal(120, 4, 1000 + i)) for i in range(150)]
            values, errors = map(np.array, zip(*draws, strict=True))
            ratio = np.sqrt((errors**2).mean()) / values.std(ddof=1)
            assert 0.8 < ratio < largest
            if shift == 0:
                assert abs(values.mean()) < 3 * values.std() / len(values) ** 0.5

    def test_what_is_too_small_is_refused(self):
        with pytest.raises(ValueError, match="at least 3 images, got 2"):
            kernel_distance(normal(2, 4, 0), normal(9, 4, 1))
        with pytest.raises(ValueError, match="subsets of 10 images can't be drawn from 12 fakes and 9 reals"):
            kernel_distance(normal(12, 4, 0), normal(9, 4, 1), subsets=2, subset_size=10)


class TestVendi:
    def test_counts_different_images(self):
        assert vendi_score(torch.eye(7).repeat(3, 1)) == pytest.approx(7)
        assert vendi_score(torch.ones(9, 5)) == pytest.approx(1)

    def test_equals_the_definition_on_the_kernel_matrix(self):
        features = normal(12, 30, 0).double()
        cosine = torch.nn.functional.cosine_similarity(features[:, None], features[None], dim=2)
        values = torch.linalg.eigvalsh(cosine / 12)
        assert vendi_score(features) == pytest.approx(float((-(values * values.log()).sum()).exp()), rel=1e-9)


class TestPictures:
    def test_psnr_by_hand(self):
        truth = torch.full((2, 3, 4, 4), 100, dtype=torch.uint8)
        assert psnr(truth + 10, truth) == pytest.approx(10 * math.log10(255**2 / 100))

    def test_ssim_of_the_same_and_of_the_inverted(self):
        truth = torch.randint(0, 256, (2, 1, 16, 16), generator=torch.Generator().manual_seed(0)).byte()
        assert ssim(truth, truth).tolist() == pytest.approx([1, 1])
        assert (ssim(255 - truth, truth) < 0).all()

    def test_floats_and_other_shapes_are_refused(self):
        truth = torch.zeros(2, 1, 16, 16, dtype=torch.uint8)
        with pytest.raises(ValueError, match="uint8"):
            psnr(truth.float(), truth)
        with pytest.raises(ValueError, match="do not pair"):
            same_images(truth[:1], truth)
        with pytest.raises(ValueError, match="window of 11x11"):
            ssim(truth[..., :8], truth[..., :8])


def test_agreement():
    logits = torch.tensor([[1.0, 2.0], [3.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    assert agreement(logits, torch.tensor([1, 0, 0, 1])) == 0.75
