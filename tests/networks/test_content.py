"""The shipped content features: frozen, scaled as said, and with an eye for sharpness."""

import pytest
import torch

from forger.data.pairs import photos
from forger.data.pixels.ranges import to_float
from forger.data.pixels.resizing import bicubic, shrink
from forger.networks.content import PhotoFeatures


@pytest.fixture(scope="module")
def data():
    return photos(patch=48, stride=48, turns=1)


def test_features_are_frozen_and_let_gradients_through():
    network = PhotoFeatures()
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert not network.train().training
    x = torch.zeros(2, 3, 32, 32, requires_grad=True)
    features = network(x)
    features.square().sum().backward()
    assert features.shape == (2, 64, 8, 8)
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


def test_their_mean_square_is_about_one_on_the_patches_they_were_trained_on(data):
    with torch.no_grad():
        assert PhotoFeatures()(to_float(data.train.arrays["image"])).square().mean().item() == pytest.approx(1, abs=0.1)


def test_what_was_shrunk_more_is_farther_away(data):
    """On pictures that they were not trained on."""
    network, images = PhotoFeatures(), to_float(data.test.arrays["image"])
    with torch.no_grad():
        truth = network(images)
        near, far = (((network(bicubic(shrink(images, s), s)) - truth) ** 2).mean((1, 2, 3)) for s in (2, 4))
    assert (far > near).double().mean() > 0.9
