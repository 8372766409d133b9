"""Every network that takes a size takes a height and a width that differ, and any number of channels."""

import pytest
import torch

from forger.networks import (
    autoencoders,
    biggan,
    dcgan,
    mlp,
    r3gan,
    rearranging,
    resnet,
    stylegan2,
    super_resolution,
    translation,
)

SIZES = [([12, 20], 1), ([16, 24], 7), ([40, 16], 16), ([8, 256], 2)]
PAIRS = {
    "dcgan": (
        lambda size, c: dcgan.Generator(5, size, c, width=2, max_width=4),
        lambda size, c: dcgan.Discriminator(size, c, width=2, max_width=4, minibatch_std=True),
    ),
    "deep dcgan": (
        lambda size, c: dcgan.Generator(5, size, c, width=2, max_width=4, smallest=2),
        lambda size, c: dcgan.Discriminator(size, c, width=2, max_width=4, smallest=2, classes=3),
    ),
    "resnet": (
        lambda size, c: resnet.Generator(5, size, c, width=2, max_width=4, attention=size[0]),
        lambda size, c: resnet.Discriminator(size, c, width=2, max_width=4, attention=size[0] // 2),
    ),
    "r3gan": (
        lambda size, c: r3gan.Generator(5, size, c, width=2, max_width=4),
        lambda size, c: r3gan.Discriminator(size, c, width=2, max_width=4),
    ),
    "deep r3gan": (
        lambda size, c: r3gan.Generator(5, size, c, width=2, max_width=4, smallest=2),
        lambda size, c: r3gan.Discriminator(size, c, width=2, max_width=4, smallest=2),
    ),
    "biggan": (
        lambda size, c: biggan.Generator(5, size, c, width=2, max_width=4, attention=size[0]),
        lambda size, c: biggan.Discriminator(size, c, width=2, max_width=4, attention=size[0] // 2),
    ),
    "stylegan2": (
        lambda size, c: stylegan2.Generator(5, size, c, width=2, style=4, depth=1, max_width=4),
        lambda size, c: stylegan2.Discriminator(size, c, width=2, max_width=4),
    ),
    "deep stylegan2, the other way round": (
        lambda size, c: stylegan2.Generator(
            5, size, c, width=2, style=4, depth=1, max_width=4, smallest=2, architecture="residual"
        ),
        lambda size, c: stylegan2.Discriminator(size, c, width=2, max_width=4, smallest=2, architecture="skip"),
    ),
    "mlp": (
        lambda size, c: mlp.Generator(5, [c, *size], width=4),
        lambda size, c: mlp.Discriminator([c, *size], width=4),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("size", "channels"), SIZES)
@pytest.mark.parametrize("name", PAIRS)
def test_generators_and_discriminators(name, size, channels):
    torch.manual_seed(0)
    generator, discriminator = (build(size, channels) for build in PAIRS[name])
    labels = torch.tensor([0, 1, 2])
    images = generator(torch.randn(3, 5))
    assert images.shape == (3, channels, *size)
    logits = discriminator(images, labels)
    assert logits.shape == (3,)
    logits.sum().backward()
    assert all(p.grad is not None for p in [*generator.parameters(), *discriminator.parameters()])


@pytest.mark.parametrize(("size", "channels"), SIZES)
def test_autoencoders(size, channels):
    x = torch.rand(3, channels, *size) * 2 - 1
    for network in (autoencoders.Convolutional(size, channels, 4, width=2, max_width=4),
                    autoencoders.MLP([channels, *size], 4, [8])):  # fmt: skip
        assert network.encode(x).shape == (3, 4)
        assert network(x).shape == x.shape


@pytest.mark.parametrize(("size", "channels"), [([12, 20], 1), ([16, 24], 7)])
def test_translation_and_enlargement(size, channels):
    x = torch.rand(2, channels, *size) * 2 - 1
    assert rearranging.Generator(channels, size)(x).shape == x.shape
    assert translation.Generator(channels, width=2, blocks=1, downsamplings=1)(x).shape == x.shape
    assert translation.Discriminator(channels, width=2, depth=1)(x).shape[0] == 2
    height, width = size
    larger = super_resolution.Generator(channels, width=2, blocks=1, scale=2)(x)
    assert larger.shape == (2, channels, 2 * height, 2 * width)
    assert super_resolution.Discriminator(channels, width=2, depth=2)(larger).shape == (2,)


def test_a_size_that_does_not_fit_names_what_is_near():
    for build in (
        lambda: dcgan.Generator(5, [12, 21], 1),
        lambda: resnet.Discriminator([12, 21], 1),
        lambda: r3gan.Generator(5, [12, 21], 1),
        lambda: stylegan2.Generator(5, [12, 21], 1),
        lambda: autoencoders.Convolutional([12, 21], 1, 4),
    ):
        with pytest.raises(ValueError, match=r"resize to \[12, 20\] or \[12, 22\]"):
            build()
