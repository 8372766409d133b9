"""Residual networks (SNGAN, SAGAN, R3GAN): shapes, conditioning, attention, initialisation."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from forger.networks import r3gan, resnet
from forger.networks.blocks import SelfAttention


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("networks", [resnet, r3gan])
@pytest.mark.parametrize(("size", "channels"), [(8, 1), (28, 1), (32, 3), (96, 4)])
def test_shapes_and_ranges(networks, size, channels):
    generator = networks.Generator(5, size, channels, width=4, classes=3, max_width=8)
    discriminator = networks.Discriminator(size, channels, width=4, classes=3, max_width=8)
    labels = torch.tensor([0, 1, 2])
    images = generator(torch.randn(3, 5), labels)
    assert images.shape == (3, channels, size, size)
    assert images.abs().max() <= 1
    logits = discriminator(images, labels)
    assert logits.shape == (3,)
    logits.sum().backward()
    assert all(p.grad is not None for p in [*generator.parameters(), *discriminator.parameters()])


@pytest.mark.parametrize("networks", [resnet, r3gan])
def test_a_size_that_does_not_fit(networks):
    for build in (lambda: networks.Generator(8, 30, 1), lambda: networks.Discriminator(30, 1)):
        with pytest.raises(ValueError, match="28 or 32"):
            build()


@pytest.mark.parametrize("norm", ["batch", "layer", "instance", "none", "spectral"])
@pytest.mark.parametrize("condition", ["projection", "embedding"])
def test_labels_change_the_output(norm, condition):
    z, zeros, ones = torch.randn(2, 4), torch.zeros(2, dtype=torch.long), torch.ones(2, dtype=torch.long)
    generator = resnet.Generator(4, 8, 1, 4, 3, norm="none" if norm == "spectral" else norm).eval()
    discriminator = resnet.Discriminator(8, 1, 4, 3, condition, norm, minibatch_std=True).eval()
    images = generator(z, zeros)
    assert not torch.equal(images, generator(z, ones))
    assert not torch.equal(discriminator(images, zeros), discriminator(images, ones))


def test_labels_change_r3gans_output():
    z, zeros, ones = torch.randn(2, 4), torch.zeros(2, dtype=torch.long), torch.ones(2, dtype=torch.long)
    generator, discriminator = r3gan.Generator(4, 8, 1, 8, 3), r3gan.Discriminator(8, 1, 8, 3)
    images = generator(z, zeros)
    assert not torch.equal(images, generator(z, ones))
    assert not torch.equal(discriminator(images, zeros), discriminator(images, ones))


@pytest.mark.parametrize("networks", [resnet, r3gan])
def test_channels_last_gives_the_same_numbers(networks):
    generator, discriminator = networks.Generator(4, 28, 3, 8).eval(), networks.Discriminator(28, 3, 8).eval()
    z = torch.randn(2, 4)
    images = generator(z)
    logits = discriminator(images)
    generator.to(memory_format=torch.channels_last)
    discriminator.to(memory_format=torch.channels_last)
    torch.testing.assert_close(generator(z), images, rtol=1e-5, atol=1e-5)
    again = discriminator(images.to(memory_format=torch.channels_last))
    torch.testing.assert_close(again, logits, rtol=1e-5, atol=1e-5)


def test_blocks_are_the_papers_though_their_1x1_convolutions_run_where_it_is_cheap():
    up, down = resnet.UpBlock(3, 4, "none"), resnet.DownBlock(3, 4, "none")
    x = torch.randn(2, 3, 6, 6)
    enlarged = F.interpolate(x, scale_factor=2)
    torch.testing.assert_close(up(x), up.residual(x) + up.shortcut(enlarged), rtol=1e-5, atol=1e-6)
    pooled = F.avg_pool2d(down.residual(x) + down.shortcut(x), 2)
    torch.testing.assert_close(down(x), pooled, rtol=1e-5, atol=1e-6)


def test_spectral_is_the_discriminators_default_and_covers_every_weight():
    discriminator = resnet.Discriminator(8, 1, 4, 3, attention=4)
    for module in discriminator.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding):
            assert nn.utils.parametrize.is_parametrized(module, "weight")


def attention_by_hand(network, x):
    """For each place a softmax over pooled places, in loops."""
    n, _, h, w = x.shape
    query, out = network.query(x), torch.zeros(n, network.value.out_channels, h, w)
    key, value = (F.max_pool2d(m(x), 2).flatten(2) for m in (network.key, network.value))
    for b in range(n):
        for i in range(h):
            for j in range(w):
                weights = torch.softmax(torch.stack([query[b, :, i, j] @ k for k in key[b].T]), 0)
                out[b, :, i, j] = value[b] @ weights
    return x + network.gain * network.output(out)


def test_self_attention():
    network = SelfAttention(16)
    x = torch.randn(2, 16, 4, 6)
    assert torch.equal(network(x), x)  # γ = 0: it fades in
    with torch.no_grad():
        network.gain.fill_(0.7)
    torch.testing.assert_close(network(x), attention_by_hand(network, x), rtol=1e-5, atol=1e-5)


def test_attention_sits_at_the_asked_height():
    heights = []
    for network, x in [
        (resnet.Generator(4, 32, 1, 8, attention=16), torch.randn(1, 4)),
        (resnet.Discriminator(32, 1, 8, attention=16), torch.randn(1, 1, 32, 32)),
    ]:
        (attention,) = [m for m in network.modules() if isinstance(m, SelfAttention)]
        attention.register_forward_hook(lambda _, inputs, __: heights.append(inputs[0].shape[2]))
        network.eval()(x)
    assert heights == [16, 16]
    with pytest.raises(ValueError, match=r"height 8, 16, 32 \(0: none\)"):
        resnet.Generator(4, 32, 1, 8, attention=12)
    with pytest.raises(ValueError, match="height 4, 8, 16"):
        resnet.Discriminator(32, 1, 8, attention=32)


def test_r3gan_blocks_start_as_identities_and_hold_no_norm():
    block = r3gan.Block(32, total=16)
    x = torch.randn(2, 32, 4, 4)
    assert torch.equal(block(x), x)
    assert block.mix.groups == 4  # 64 inner channels, 16 a group
    # He's gain for LeakyReLU 0.2, times 16^(-1/4) = 1/2
    expected = 0.5 * (2 / 1.04) ** 0.5
    assert block.expand.weight.std().item() == pytest.approx(expected / 32**0.5, rel=0.05)
    assert block.mix.weight.std().item() == pytest.approx(expected / (16 * 9) ** 0.5, rel=0.05)
    for network in (r3gan.Generator(4, 32, 1, 8), r3gan.Discriminator(32, 1, 8)):
        assert not any("Norm" in type(m).__name__ for m in network.modules())


def test_names_of_weights_are_stable():
    generator = resnet.Generator(4, 8, 1, 2, 3, "none", attention=8)
    assert list(generator.state_dict()) == [
        "embedding.weight",
        "project.weight",
        "project.bias",
        "blocks.0.residual.2.weight",
        "blocks.0.residual.2.bias",
        "blocks.0.residual.4.weight",
        "blocks.0.residual.4.bias",
        "blocks.0.shortcut.weight",
        "blocks.0.shortcut.bias",
        "blocks.1.gain",
        "blocks.1.query.weight",
        "blocks.1.key.weight",
        "blocks.1.value.weight",
        "blocks.1.output.weight",
        "output.1.weight",
        "output.1.bias",
    ]
    block = [f"{m}.{n}" for m in ("expand", "mix") for n in ("weight", "bias")] + ["reduce.weight"]
    assert list(r3gan.Discriminator(8, 1, 8, 3, blocks=1).state_dict()) == [
        "image",
        "input.weight",
        *[f"stages.0.0.0.{n}" for n in block],
        "stages.0.2.weight",
        *[f"stages.1.0.{n}" for n in block],
        "output.weight",
        "output.bias",
        "projection.embedding.weight",
    ]


@pytest.mark.parametrize(("size", "base"), [(28, 3), (32, 2), (24, 3), (20, 2)])
def test_r3gan_goes_on_halving_down_to_smallest(size, base):
    generator, discriminator = r3gan.Generator(4, size, 1, 4, smallest=2), r3gan.Discriminator(size, 1, 4, smallest=2)
    assert generator.image.shape[1:] == discriminator.image.shape[1:] == (base, base)
    images = generator(torch.randn(2, 4))
    assert images.shape == (2, 1, size, size)
    assert discriminator(images).shape == (2,)
