"""StyleGAN2's networks: modulation, styles, noise, sizes."""

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F

from forger.networks import modulated, resampling, stylegan2
from forger.networks.equalized import Conv, Linear


def generator(**options):
    torch.manual_seed(0)
    settings = {"width": 4, "style": 6, "depth": 2, "max_width": 8, "decay": 0.75} | options
    return stylegan2.Generator(5, 16, 1, **settings)


@pytest.mark.parametrize("demodulate", [False, True])
@pytest.mark.parametrize("enlarged", [False, True])
def test_modulated_convolution_is_each_samples_own(demodulate, enlarged):
    torch.manual_seed(1)
    x, weight, style = torch.randn(5, 3, 6, 7), torch.randn(4, 3, 3, 3), 1 + torch.randn(5, 3)
    found = modulated.modulated_conv(x, weight, style, demodulate=demodulate, enlarged=enlarged)
    for sample, scale, got in zip(x, style, found, strict=True):
        own = weight * scale[None, :, None, None]
        if demodulate:
            own = torch.stack([kernel / (kernel.square().sum() + 1e-8).sqrt() for kernel in own])
        if enlarged:
            wanted = F.conv_transpose2d(sample[None], own.transpose(0, 1), stride=2)
        else:
            wanted = F.conv2d(sample[None], own, padding=1)
        torch.testing.assert_close(got, wanted[0], rtol=0, atol=1e-5)


def test_a_transposed_convolution_and_its_filter_are_those_of_the_enlarged_image():
    """Away from the edges: zeros between pixels, the kernel, the filter, in any order."""
    torch.manual_seed(1)
    x, weight = torch.randn(1, 2, 6, 5), torch.randn(3, 2, 3, 3)
    layer = resampling.Blur((12, 10), gain=4)
    found = layer(modulated.modulated_conv(x, weight, torch.ones(1, 2), demodulate=False, enlarged=True))
    wanted = F.conv2d(resampling.Enlarge((12, 10))(x), weight.flip(2, 3), padding=1)
    torch.testing.assert_close(found[..., 2:-2, 2:-2], wanted[..., 2:-2, 2:-2])


def test_scaled_weights_by_hand():
    layer, conv = Linear(4, 1, start=1.0, rate=0.01), Conv(4, 1, 3)
    with torch.no_grad():
        layer.weight.fill_(100.0)
        conv.weight.fill_(3.0)
    assert layer(torch.ones(1, 4)).item() == pytest.approx(4 * 100 * 0.01 / 2 + 1)
    assert conv(torch.ones(1, 4, 3, 3))[0, 0, 1, 1].item() == pytest.approx(36 * 3 / 6)
    torch.manual_seed(0)
    assert Linear(500, 500, rate=0.01).weight.std().item() == pytest.approx(100, rel=0.01)


@pytest.mark.parametrize("architecture", ["skip", "residual"])
def test_truncation_goes_from_the_mean_to_the_style(architecture):
    network, z = generator(architecture=architecture), torch.randn(3, 5)
    first = network.training_styles(z)[:, 0].mean(0)
    torch.testing.assert_close(network.mean, 0.25 * first)
    network(z)
    torch.testing.assert_close(network.mean, 0.75 * 0.25 * first + 0.25 * first)
    network.eval()
    before = network.mean.clone()
    styles = network.styles(z)
    assert styles.shape == (3, network.layers, 6)
    assert torch.equal(network(styles), network(z))
    nowhere = network(network.styles(z, truncation=0))
    torch.testing.assert_close(nowhere, nowhere[:1].expand_as(nowhere))
    torch.testing.assert_close(network.styles(z, truncation=0.5), (network.mean + styles) / 2)
    torch.testing.assert_close(network.styles(styles, truncation=0.5), (network.mean + styles) / 2)
    assert torch.equal(network.mean, before)


def test_noise_is_drawn_in_training_alone():
    network, z = generator(mixing=0.0), torch.randn(3, 5)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("strength"):
                parameter.fill_(0.5)
    assert not torch.equal(network(z), network(z))
    torch.manual_seed(3)
    first = network(z)
    torch.manual_seed(3)
    assert torch.equal(network(z), first)
    network.eval()
    assert torch.equal(network(z), network(z))
    torch.testing.assert_close(network(z)[:1], network(z[:1]))


def test_styles_of_others_are_mixed_in_from_some_layer_on():
    network, z = generator(mixing=0.5), torch.randn(400, 5)
    own = network.styles(z)
    same = (network.training_styles(z) == own).all(2)
    assert same[:, 0].all()
    assert bool((same[:, :-1] >= same[:, 1:]).all())  # once foreign, foreign to the end
    assert 0.4 < same.all(1).float().mean() < 0.6
    begun = same.sum(1)[~same.all(1)]
    assert sorted(set(begun.tolist())) == list(range(1, network.layers))
    assert torch.equal(generator(mixing=0.0).training_styles(z), own)


def test_labels_go_into_styles_and_logits():
    network, z = generator(classes=3).eval(), torch.randn(1, 5).expand(3, -1)
    images = network(z, torch.tensor([0, 0, 1]))
    torch.testing.assert_close(images[0], images[1])
    assert not torch.allclose(images[1], images[2])
    judge = stylegan2.Discriminator(16, 1, 4, classes=3, depth=2, max_width=8, minibatch_std=False)
    logits = judge(images[:1].expand(3, -1, -1, -1), torch.tensor([0, 0, 1]))
    torch.testing.assert_close(logits[0], logits[1])
    assert not torch.allclose(logits[1], logits[2])


def test_the_published_networks_at_256_have_the_published_number_of_parameters():
    """Widths 64 at 256×256 to 512 at 32×32 and below, as the authors' config for that size."""
    with torch.device("meta"):
        G, D = stylegan2.Generator(512, 256, 3), stylegan2.Discriminator(256, 3)
    widths = [512, 512, 512, 512, 256, 128, 64]
    convolutions = [(512, 512)] + [pair for a, b in pairwise(widths) for pair in ((a, b), (b, b))]
    mapping = 8 * (512 * 512 + 512)
    layers = sum(512 * a + a + 9 * a * b + b + 1 for a, b in convolutions)
    to_image = sum(512 * a + a + 3 * a + 3 for a in widths)
    assert sum(p.numel() for p in G.parameters()) == mapping + 16 * 512 + layers + to_image
    back = widths[::-1]
    blocks = sum(9 * a * a + a + 9 * a * b + b + a * b for a, b in pairwise(back))
    last = 9 * 513 * 512 + 512 + 16 * 512 * 512 + 512 + 512 + 1
    assert sum(p.numel() for p in D.parameters()) == 3 * 64 + 64 + blocks + last
