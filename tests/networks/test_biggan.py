"""BigGAN's networks: what classes and parts of z reach, and spectral normalisation in both and in the average."""

import pytest
import torch
from torch import nn

from forger.games.ema import MovingAverage
from forger.networks import biggan


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_a_conditional_norm_equals_a_loop_over_samples():
    norm, x, condition = biggan.ConditionalNorm(3, 4), 2 + 3 * torch.randn(5, 3, 2, 2), torch.randn(5, 4)
    found = norm(x, condition)
    mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)
    for sample in range(5):
        gain, shift = 1 + norm.gain.weight @ condition[sample], norm.shift.weight @ condition[sample]
        for c in range(3):
            expected = (x[sample, c] - mean[c]) / (variance[c] + 1e-5).sqrt() * gain[c] + shift[c]
            torch.testing.assert_close(found[sample, c], expected)


def test_parts_of_z_reach_the_first_layer_and_one_block_each():
    generator = biggan.Generator(11, 32, 1, 4, classes=3, max_width=8).eval()
    assert generator.parts == [5, 2, 2, 2]
    inputs = {}
    generator.project.register_forward_pre_hook(lambda module, given: inputs.update(first=given[0]))
    for place, block in enumerate(generator.blocks):
        block.register_forward_pre_hook(lambda module, given, place=place: inputs.update({place: given[1]}))
    z, labels = torch.randn(2, 11), torch.tensor([0, 2])
    generator(z, labels)
    assert torch.equal(inputs["first"], z[:, :5])
    for place in range(3):
        shared = generator.embedding(labels)
        assert torch.equal(inputs[place], torch.cat([shared, z[:, 5 + 2 * place : 7 + 2 * place]], 1))


def test_labels_change_both():
    generator = biggan.Generator(8, 8, 1, 4, classes=3, attention=8).eval()
    discriminator = biggan.Discriminator(8, 1, 4, classes=3, attention=4).eval()
    z, zeros, ones = torch.randn(2, 8), torch.zeros(2, dtype=torch.long), torch.ones(2, dtype=torch.long)
    images = generator(z, zeros)
    assert not torch.equal(images, generator(z, ones))
    assert not torch.equal(discriminator(images, zeros), discriminator(images, ones))


def matrices(network):
    return {
        name: module.weight.flatten(1) for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding)
    }  # fmt: skip


def test_every_weight_has_singular_values_of_at_most_one_but_the_shared_embedding():
    generator, discriminator = biggan.Generator(8, 8, 1, 4, classes=3, attention=8), biggan.Discriminator(8, 1, 4, 3)
    with torch.no_grad():
        for network in (generator, discriminator):
            for parameter in network.parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
            for _ in range(50):
                network(*((torch.randn(4, 8),) if network is generator else (torch.randn(4, 1, 8, 8),)),
                        torch.tensor([0, 1, 2, 0]))  # fmt: skip
    values = {
        (type(network).__name__, name): torch.linalg.matrix_norm(weight, 2).item()
        for network in (generator, discriminator) for name, weight in matrices(network).items()
    }  # fmt: skip
    assert values.pop(("Generator", "embedding")) > 1.1
    assert all(value == pytest.approx(1, abs=0.01) for value in values.values()), values


def test_the_average_of_a_normalised_network_keeps_vectors_of_length_one():
    """Averaged with the weights, they would shrink, and the weights that they divide would grow."""
    network = nn.utils.parametrizations.spectral_norm(nn.Linear(6, 6))
    average = MovingAverage(network, 0.9, warm_up=False)
    for step in range(20):
        with torch.no_grad():
            network.parametrizations.weight.original.copy_(torch.randn(6, 6))
        network(torch.randn(1, 6))
        average.update(network, step)
    average.eval()
    for vector in ("_u", "_v"):
        kept, live = (getattr(each.parametrizations.weight[0], vector) for each in (average.network, network))
        assert torch.equal(kept, live)


def test_what_does_not_fit_is_said():
    with pytest.raises(ValueError, match="latent=3: must be at least 4, one number for the first layer and each block"):
        biggan.Generator(3, 32, 1)
    with pytest.raises(ValueError, match="attention=16: this network has feature maps of height 8"):
        biggan.Generator(8, 8, 1, attention=16)
