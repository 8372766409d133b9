"""CycleGAN's networks: any size, patches of the stated width, padding equal to torch's."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from forger.networks.translation import Discriminator, Generator, ReflectionPad


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize(("shape", "downsamplings"), [((1, 8, 8), 0), ((1, 8, 8), 1), ((3, 32, 48), 2), ((3, 9, 5), 0)])
def test_the_generator_keeps_the_shape(shape, downsamplings):
    network = Generator(shape[0], width=4, blocks=2, downsamplings=downsamplings)
    images = network(torch.randn(2, *shape))
    assert images.shape == (2, *shape)
    assert images.abs().max() <= 1
    images.sum().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_other_channels_out():
    assert Generator(1, 4, 1, 0, out_channels=3)(torch.randn(2, 1, 8, 8)).shape == (2, 3, 8, 8)


@pytest.mark.parametrize(("shape", "downsamplings"), [((10, 8), 2), ((8, 30), 2), ((3, 8), 0), ((4, 4), 2)])
def test_images_that_do_not_fit_the_generator(shape, downsamplings):
    with pytest.raises(ValueError, match=f"{shape[0]}x{shape[1]}.*lower `downsamplings`"):
        Generator(1, 4, 1, downsamplings)(torch.randn(2, 1, *shape))


@pytest.mark.parametrize(("depth", "patch"), [(1, 16), (2, 34), (3, 70)])
def test_each_logit_sees_a_patch(depth, patch):
    """The inputs on which a middle logit depends, found by its gradient; instance norm would spread it."""
    network = Discriminator(1, width=2, depth=depth, norm="none")
    x = torch.randn(1, 1, 2 * patch, 2 * patch, requires_grad=True)
    logits = network(x)
    assert logits.ndim == 3
    middle = logits.shape[1] // 2
    (gradient,) = torch.autograd.grad(logits[0, middle, middle], x)
    rows = gradient[0, 0].abs().sum(1).nonzero().flatten()
    assert len(rows) == rows.max() - rows.min() + 1 == patch


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("norm", ["instance", "batch", "spectral"])
def test_the_smallest_image(depth, norm):
    network = Discriminator(1, 2, depth, norm)
    smallest = 3 * 2**depth
    assert network(torch.randn(2, 1, smallest, smallest)).shape == (2, 1, 1)
    with pytest.raises(ValueError, match=f"needs {smallest} pixels"):
        network(torch.randn(2, 1, smallest, smallest - 1))


def test_digits_fit_with_depth_1():
    assert Discriminator(1, 4, depth=1)(torch.randn(2, 1, 8, 8)).shape == (2, 2, 2)


@pytest.mark.parametrize("width", [1, 3])
def test_padding_is_torchs(width):
    x = torch.randn(2, 3, 5, 7, dtype=torch.float64, requires_grad=True)
    ours, torchs = ReflectionPad(width)(x), F.pad(x, [width] * 4, mode="reflect")
    assert torch.equal(ours, torchs)
    weights = torch.randn_like(ours)
    (a,) = torch.autograd.grad((ours * weights).sum(), x)
    (b,) = torch.autograd.grad((torchs * weights).sum(), x)
    torch.testing.assert_close(a, b)


def test_initial_weights_and_the_papers_width():
    network = Generator(3)
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 10_000:
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.03)
    assert network.blocks[0].residual[1].weight.shape == (256, 256, 3, 3)
    assert len(network.blocks) == 9


def test_channels_last_gives_the_same_numbers():
    generator, discriminator = Generator(3, 4, 2, 1), Discriminator(3, 4, 2)
    x = torch.randn(2, 3, 16, 16)
    images, logits = generator(x), discriminator(x)
    generator.to(memory_format=torch.channels_last)
    discriminator.to(memory_format=torch.channels_last)
    last = x.to(memory_format=torch.channels_last)
    torch.testing.assert_close(generator(last), images, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(discriminator(last), logits, rtol=1e-4, atol=1e-5)


def test_names_of_weights_are_stable():
    assert list(Generator(1, 2, 1, 1, norm="none").state_dict()) == [
        f"{name}.{kind}"
        for name in (
            "input.1",
            "down.0.0",
            "up.0.0",
            "blocks.0.residual.1",
            "blocks.0.residual.4",
            "output.1",
        )
        for kind in ("weight", "bias")
    ]
    assert list(Discriminator(1, 2, 1).state_dict()) == [
        "blocks.0.0.weight",
        "blocks.0.0.bias",
        "blocks.1.0.weight",
        "blocks.1.1.weight",
        "blocks.1.1.bias",
        "output.weight",
        "output.bias",
    ]
