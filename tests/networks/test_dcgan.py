"""DCGAN: shapes, the paper's rules, conditioning, and what others rely on (names, memory format)."""

import pytest
import torch
from torch import nn

from forger.networks.dcgan import Discriminator, Generator
from forger.sizes import halvings


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("size", [8, 28, 32, 64, 128, 256])
def test_shapes_and_ranges(size, channels):
    generator = Generator(5, size, channels, width=2, max_width=8)
    discriminator = Discriminator(size, channels, width=2, max_width=8)
    images = generator(torch.randn(3, 5), None)
    assert images.shape == (3, channels, size, size)
    assert images.abs().max() <= 1
    logits = discriminator(images, None)
    assert logits.shape == (3,)
    logits.sum().backward()
    assert all(p.grad is not None for p in [*generator.parameters(), *discriminator.parameters()])


@pytest.mark.parametrize(("size", "maps"), [(8, [4, 2]), (20, [10, 5, 2]), (28, [14, 7, 3]), (32, [16, 8, 4, 2])])
def test_halving_goes_on_below_four_and_rounds_down(size, maps):
    assert halvings(size, smallest=2) == ((maps[-1], maps[-1]), len(maps))
    generator, discriminator = Generator(5, size, 1, width=2, smallest=2), Discriminator(size, 1, width=2, smallest=2)
    x, seen = generator(torch.randn(2, 5)), []
    assert x.shape == (2, 1, size, size)
    for block in discriminator.blocks:
        x = block(x)
        seen.append(x.shape[-1])
    assert seen == maps


@pytest.mark.parametrize(("size", "nearest"), [(30, "28 or 32"), (4, "to 8"), (300, "to 256"), (100, "96 or 112")])
def test_a_size_that_does_not_fit_names_its_neighbours(size, nearest):
    for build in (lambda: Generator(8, size, 1), lambda: Discriminator(size, 1)):
        with pytest.raises(ValueError, match=nearest) as error:
            build()
        assert "\n" not in str(error.value)


def test_the_papers_network():
    """Radford et al. 2016, figure 1: 4×4×1024, 8×8×512, 16×16×256, 32×32×128, 64×64×3."""
    with torch.device("meta"):
        generator = Generator(100, 64, 3, width=128, max_width=1024)
        convolutions = [m for m in generator.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert [(c.in_channels, c.out_channels) for c in convolutions] == [
        (100, 1024),
        (1024, 512),
        (512, 256),
        (256, 128),
        (128, 3),
    ]
    assert all(c.kernel_size == (4, 4) for c in convolutions)
    assert [c.stride[0] for c in convolutions] == [1, 2, 2, 2, 2]


def kinds(network):
    return [type(m).__name__ for m in network.modules() if not list(m.children())]


def test_layers_in_the_papers_order():
    up = ["ConvTranspose2d", "BatchNorm2d", "ReLU"]
    assert kinds(Generator(4, 32, 1, width=2)) == [*up, *up, *up, "ConvTranspose2d"]
    first, down = ["Conv2d", "LeakyReLU"], ["Conv2d", "BatchNorm2d", "LeakyReLU"]
    discriminator = Discriminator(32, 1, width=2)
    assert kinds(discriminator) == [*first, *down, *down, "Conv2d"]
    assert all(m.negative_slope == 0.2 for m in discriminator.modules() if isinstance(m, nn.LeakyReLU))


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("condition", ["projection", "embedding"])
def test_no_fully_connected_layer(classes, condition):
    networks = [Generator(4, 8, 1, 2, classes), Discriminator(8, 1, 2, classes, condition)]
    assert not any("Linear" in kinds(network) for network in networks)


def test_bias_is_off_before_a_norm_and_on_elsewhere():
    for norm in ("batch", "layer", "instance", "none"):
        for network in (Generator(4, 32, 1, 2, norm=norm), Discriminator(32, 1, 2, norm=norm)):
            modules = [m for m in network.modules() if not list(m.children())]
            for module, following in zip(modules, [*modules[1:], None], strict=True):
                if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                    assert (module.bias is None) == ("Norm" in type(following).__name__)


def test_initial_weights():
    for network in (Generator(64, 64, 3, width=32), Discriminator(64, 3, width=32)):
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.weight.numel() > 10_000:
                assert module.weight.mean().abs() < 1e-3
                assert module.weight.std().item() == pytest.approx(0.02, rel=0.03)
            elif isinstance(module, nn.BatchNorm2d):
                assert module.weight.mean().item() == pytest.approx(1, abs=0.02)
                assert 0.01 < module.weight.std().item() < 0.03
                assert (module.bias == 0).all()


@pytest.mark.parametrize("condition", ["projection", "embedding"])
@pytest.mark.parametrize("norm", ["batch", "layer", "instance", "none", "spectral"])
def test_labels_change_the_output(condition, norm):
    generator = Generator(4, 8, 1, width=4, classes=3).eval()
    z = torch.randn(2, 4)
    zeros, ones = torch.zeros(2, dtype=torch.long), torch.ones(2, dtype=torch.long)
    images = generator(z, zeros)
    assert not torch.equal(images, generator(z, ones))
    discriminator = Discriminator(8, 1, 4, 3, condition, norm).eval()
    assert not torch.equal(discriminator(images, zeros), discriminator(images, ones))


def test_unconditional_networks_ignore_labels():
    generator, discriminator = Generator(4, 8, 1, 2).eval(), Discriminator(8, 1, 2).eval()
    z, labels = torch.randn(2, 4), torch.tensor([0, 9])
    images = generator(z)
    assert torch.equal(images, generator(z, labels))
    assert torch.equal(discriminator(images), discriminator(images, labels))


def test_conditional_networks_need_labels():
    for network, x in [
        (Generator(4, 8, 1, 2, 3), torch.randn(2, 4)),
        (Discriminator(8, 1, 2, 3), torch.randn(2, 1, 8, 8)),
        (Discriminator(8, 1, 2, 3, "embedding"), torch.randn(2, 1, 8, 8)),
    ]:
        with pytest.raises(AssertionError, match="needs labels"):
            network(x)


def test_spectral_norm_bounds_every_weight_by_1():
    discriminator = Discriminator(28, 1, width=4, classes=3, norm="spectral")
    x, y = torch.randn(4, 1, 28, 28), torch.arange(4) % 3
    for _ in range(30):
        discriminator(x, y)
    discriminator.eval()
    for module in discriminator.modules():
        if isinstance(module, nn.Conv2d | nn.Embedding):
            norm = torch.linalg.matrix_norm(module.weight.flatten(1), 2).item()
            assert norm == pytest.approx(1, abs=0.02)


def test_minibatch_std_sees_the_batch():
    """With it a sample's logit depends on its companions, without it (and without batch norm) it does not."""
    x = torch.randn(4, 1, 8, 8)
    x[1:3] = x[0]
    for minibatch_std in (False, True):
        network = Discriminator(8, 1, 4, norm="none", minibatch_std=minibatch_std).eval()
        alike, mixed = network(x[:2])[0], network(x[[0, 3]])[0]
        assert (not torch.allclose(alike, mixed, rtol=1e-6)) == minibatch_std
    network(x[:2]).sum().backward()
    assert all(p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize("norm", ["batch", "spectral"])
def test_channels_last_gives_the_same_numbers(norm):
    generator = Generator(4, 28, 3, width=4, classes=3).eval()
    discriminator = Discriminator(28, 3, 4, 3, norm=norm, minibatch_std=True).eval()
    z, y = torch.randn(4, 4), torch.arange(4) % 3
    images = generator(z, y)
    logits = discriminator(images, y)
    generator.to(memory_format=torch.channels_last)
    discriminator.to(memory_format=torch.channels_last)
    again = generator(z, y)
    torch.testing.assert_close(again, images, rtol=1e-5, atol=1e-6)
    again = again.to(memory_format=torch.channels_last)
    torch.testing.assert_close(discriminator(again, y), logits, rtol=1e-5, atol=1e-6)


def test_names_of_weights_are_stable():
    batch_norm = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    generator = ["embedding.weight", "project.0.weight", *[f"project.1.{n}" for n in batch_norm]]
    generator += ["blocks.0.0.weight", *[f"blocks.0.1.{n}" for n in batch_norm]]
    generator += ["output.weight", "output.bias"]
    assert list(Generator(4, 16, 1, 2, 3).state_dict()) == generator
    discriminator = ["blocks.0.0.weight", "blocks.0.0.bias", "blocks.1.0.weight"]
    discriminator += [f"blocks.1.1.{n}" for n in batch_norm]
    discriminator += ["output.weight", "output.bias", "projection.embedding.weight"]
    assert list(Discriminator(16, 1, 2, 3).state_dict()) == discriminator
