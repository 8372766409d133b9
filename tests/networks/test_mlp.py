"""Fully connected networks: shapes, conditioning, the mixture latent and Fourier features."""

import math

import pytest
import torch
from torch import nn

from forger.networks.mlp import Discriminator, FourierFeatures, Generator, MixtureLatent


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("shape", [[1, 8, 8], [3, 5, 7], [2], [1]])
@pytest.mark.parametrize("norm", ["batch", "layer", "none"])
def test_shapes(shape, norm):
    generator = Generator(6, shape, width=8, depth=3, norm=norm)
    samples = generator(torch.randn(4, 6), None)
    assert samples.shape == (4, *shape)
    assert Discriminator(shape, 8, 3, norm=norm)(samples, None).shape == (4,)
    hidden = [m for m in generator.modules() if isinstance(m, nn.Linear)]
    assert len(hidden) == 4


def test_images_are_bounded_and_points_are_not():
    z = 1e4 * torch.randn(4, 6)
    assert Generator(6, [1, 8, 8])(z).abs().max() <= 1
    assert Generator(6, [2], output="identity")(z).abs().max() > 10


@pytest.mark.parametrize("condition", ["projection", "embedding"])
@pytest.mark.parametrize("norm", ["none", "batch", "layer", "spectral"])
def test_labels_change_the_output(condition, norm):
    generator = Generator(4, [1, 8, 8], 8, classes=3).eval()
    discriminator = Discriminator([1, 8, 8], 8, 2, 3, condition, norm, minibatch_std=True).eval()
    z, zeros, ones = torch.randn(2, 4), torch.zeros(2, dtype=torch.long), torch.ones(2, dtype=torch.long)
    images = generator(z, zeros)
    assert not torch.equal(images, generator(z, ones))
    assert not torch.equal(discriminator(images, zeros), discriminator(images, ones))


def test_spectral_norm_makes_the_network_1_lipschitz():
    network = Discriminator([2], 16, 3, norm="spectral")
    for _ in range(50):
        network(torch.randn(8, 2))
    network.eval()
    x = torch.randn(200, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad(network(x).sum(), x)
    assert gradient.norm(dim=1).max() < 1.01


def test_mixture_latent_is_a_fixed_function_of_z_with_equal_shares():
    mixture = MixtureLatent(5, 3)
    with torch.no_grad():
        mixture.means.copy_(torch.arange(5.0)[:, None].expand(5, 2) * 100)
    z = torch.randn(20_000, 3)
    out = mixture(z)
    assert torch.equal(out, mixture(z))
    k = (out / 100).round()[:, 0]
    shares = torch.bincount(k.long(), minlength=5) / len(z)
    assert shares.sub(0.2).abs().max() < 0.01
    # within a component: its mean, its deviation 0.2, and the rest of z
    torch.testing.assert_close(out - 100 * k[:, None], 0.2 * z[:, 1:], rtol=1e-3, atol=1e-4)
    assert (out - 100 * k[:, None]).std().item() == pytest.approx(0.2, rel=0.02)
    # quantiles in order: the smallest first coordinates pick the first component
    assert k[z[:, 0].argmin()] == 0
    assert k[z[:, 0].argmax()] == 4


def test_mixture_latent_survives_the_tails_and_learns():
    mixture = MixtureLatent(7, 2)
    z = torch.tensor([[40.0, 0.5], [-40.0, 0.5], [0.0, 0.5]])
    mixture(z).sum().backward()
    assert mixture.means.grad.flatten().tolist() == [1, 0, 0, 1, 0, 0, 1]
    assert mixture.deviations.grad.flatten().tolist() == [0.5, 0, 0, 0.5, 0, 0, 0.5]
    with pytest.raises(ValueError, match="latent >= 2"):
        Generator(1, [2], components=3)


def test_fourier_features():
    features = FourierFeatures(2, 3, scale=1.0)
    x = torch.tensor([[0.25, -1.0]])
    out = features(x)
    phase = 2 * math.pi * (0.25 * features.frequencies[0] - features.frequencies[1])
    amplitude = 1 / (2 * math.pi * features.frequencies.norm(dim=0))
    expected = torch.cat([x[0], amplitude * phase.cos(), amplitude * phase.sin()])
    torch.testing.assert_close(out[0], expected, rtol=1e-5, atol=1e-6)
    assert FourierFeatures(2, 20_000, scale=3.0).frequencies.std().item() == pytest.approx(3, rel=0.02)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(features(x), out)


def test_every_fourier_feature_has_slopes_up_to_one():
    features = FourierFeatures(2, 3, scale=2.0)
    x = torch.randn(4000, 2, requires_grad=True)
    slopes = [torch.autograd.grad(column.sum(), x, retain_graph=True)[0].norm(dim=1) for column in features(x).T]
    assert torch.stack(slopes).amax(1).tolist() == pytest.approx([1.0] * 8, abs=1e-3)


def test_fourier_frequencies_are_saved_not_trained():
    network = Discriminator([2], 8, fourier=4)
    assert "fourier.frequencies" in network.state_dict()
    assert "fourier.frequencies" not in dict(network.named_parameters())


def test_names_of_weights_are_stable():
    assert list(Generator(4, [2], 8, 2, classes=3, components=2).state_dict()) == [
        "mixture.means",
        "mixture.deviations",
        "embedding.weight",
        "blocks.0.0.weight",
        "blocks.0.0.bias",
        "blocks.1.0.weight",
        "blocks.1.0.bias",
        "output.weight",
        "output.bias",
    ]
    assert list(Discriminator([2], 8, 1, classes=3).state_dict()) == [
        "blocks.0.0.weight",
        "blocks.0.0.bias",
        "output.weight",
        "output.bias",
        "projection.embedding.weight",
    ]
