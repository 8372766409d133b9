"""Reconstruction losses against numbers worked out by hand and torch's own KL."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from forger.losses.reconstruction import bce, kl_standard_normal, l1, mse, sparsity


def test_pixel_errors_are_averaged_within_each_sample_only():
    prediction = torch.tensor([[[1.0, 0.0]], [[-1.0, 0.5]]])
    target = torch.tensor([[[0.0, 0.0]], [[1.0, 0.5]]])
    assert mse(prediction, target).tolist() == [0.5, 2.0]
    assert l1(prediction, target).tolist() == [0.5, 1.0]


def test_bce_maps_images_to_probabilities():
    """x = 0.5 is p = 3/4; a target of 1 costs -log 3/4, of -1 -log 1/4, of 0 the mean of both."""
    value = bce(torch.full((3, 1, 1, 1), 0.5), torch.tensor([1.0, -1.0, 0.0]).reshape(3, 1, 1, 1))
    expected = [math.log(4 / 3), math.log(4), (math.log(4 / 3) + math.log(4)) / 2]
    assert value.tolist() == pytest.approx(expected)


def test_bce_is_finite_where_the_decoder_is_sure_and_wrong():
    prediction = torch.tensor([[1.0], [-1.0], [1.0]], requires_grad=True)
    value = bce(prediction, torch.tensor([[-1.0], [1.0], [1.0]]))
    assert value.tolist() == [100, 100, 0]
    value.sum().backward()
    assert prediction.grad.isfinite().all()


def test_kl_by_hand_and_by_torch():
    mean = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    log_variance = torch.tensor([[0.0, math.log(4)], [0.0, 0.0]])
    # ½ (1 + 1 - 0 - 1) + ½ (0 + 4 - log 4 - 1)
    assert kl_standard_normal(mean, log_variance).tolist() == pytest.approx([0.5 + 1.5 - math.log(2), 0.0])
    mean, log_variance = torch.randn(2, 50, 8, dtype=torch.float64)
    reference = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(kl_standard_normal(mean, log_variance), reference)


def test_kl_keeps_its_digits_near_the_prior():
    """v²/4 for small v: in float32, e^v - v - 1 computed as written is 0 or twice that."""
    value = kl_standard_normal(torch.zeros(1, 1), torch.full((1, 1), 3e-2)).item()
    assert value == pytest.approx(0.5 * (math.expm1(3e-2) - 3e-2), rel=1e-5)


def test_kl_slopes():
    mean, log_variance = torch.randn(2, 3, 4, dtype=torch.float64)
    mean.requires_grad_()
    log_variance.requires_grad_()
    assert torch.autograd.gradcheck(kl_standard_normal, (mean, log_variance))


def test_sparsity_counts_every_unit_once():
    one, two = torch.tensor([[1.0, -3.0]]), torch.tensor([[[2.0], [0.0]]])
    assert sparsity(one).tolist() == [2.0]
    assert sparsity([one, two]).tolist() == [1.5]


@pytest.mark.parametrize("loss", [mse, l1, bce])
def test_under_autocast_in_single_precision(loss):
    prediction, target = (torch.rand(2, 4, 3, 5, 5) * 1.8 - 0.9).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(prediction, target)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, loss(prediction.double(), target.double()).float())
