"""pix2pix's U-Net: the paper's layers, sizes, and its skips."""

import pytest
import torch
from torch import nn

from forger.networks.pix2pix import Generator


def test_at_256_it_has_the_papers_layers():
    """C64-C128-C256-C512-C512-C512-C512-C512, CD512-CD512-CD512-C512-C256-C128-C64 and the picture."""
    with torch.device("meta"):
        network = Generator(3, 256)
    into = [network.down[i][0].out_channels for i in range(8)]
    assert into == [64, 128, 256, 512, 512, 512, 512, 512]
    out = [(network.up[i][0].in_channels, network.up[i][0].out_channels) for i in range(8)]
    assert out == [
        (512, 512), (1024, 512), (1024, 512), (1024, 512), (1024, 256), (512, 128), (256, 64), (128, 3),
    ]  # fmt: skip
    noisy = [any(isinstance(layer, nn.Dropout) for layer in network.up[i]) for i in range(8)]
    assert noisy == [True] * 3 + [False] * 5
    normed = [any(isinstance(layer, nn.InstanceNorm2d) for layer in network.down[i]) for i in range(8)]
    assert normed == [False] + [True] * 6 + [False]


@pytest.mark.parametrize(("size", "depth"), [(8, 3), (28, 4), ([12, 20], 3), (48, 5), (100, 6), (512, 8)])
def test_it_halves_as_often_as_the_sides_allow(size, depth):
    assert len(Generator(1, size, 1, max_width=2).down) == depth


@pytest.mark.parametrize("size", [[12, 20], [28, 28], [15, 27], [9, 64]])
def test_every_place_is_seen_by_way_of_the_skips(size):
    network = Generator(1, size, 4, dropout=0.0, out_channels=3).eval()
    x = torch.randn(2, 1, *size, requires_grad=True)
    y = network(x)
    assert y.shape == (2, 3, *size)
    y.abs().sum().backward()
    assert x.grad is not None
    assert (x.grad != 0).all()


def test_more_halvings_than_a_side_has_are_refused():
    with pytest.raises(ValueError, match="1x16 can be halved 0 times"):
        Generator(1, [1, 16])
    with pytest.raises(ValueError, match="28x28 can be halved 4 times, and a U-Net of depth 5"):
        Generator(1, 28, depth=5)
