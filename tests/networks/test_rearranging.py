"""The rearranging translation: what it can express, and how it starts."""

import pytest
import torch

from forger.networks.rearranging import Generator


def network(channels=1, size=4):
    torch.manual_seed(0)
    return Generator(channels, size)


@pytest.mark.parametrize("moved", [lambda x: x.rot90(1, (2, 3)), lambda x: x.flip(3), lambda x: x.transpose(2, 3)])
def test_can_be_any_permutation_of_the_places(moved):
    net = network(channels=2)
    places = torch.arange(16.0).reshape(1, 1, 4, 4)
    with torch.no_grad():
        net.places.copy_(10 * torch.nn.functional.one_hot(moved(places).flatten().long(), 16))
    x = torch.rand(3, 2, 4, 4) * 2 - 1
    assert torch.allclose(net(x), moved(x), atol=1e-6)


def test_starts_as_little_more_than_the_mean_and_paints_nothing():
    x = torch.rand(3, 1, 4, 4) * 2 - 1
    assert (network()(x) - x.mean((2, 3), keepdim=True)).abs().max() < 0.2


def test_stays_within_the_range_of_its_input_as_long_as_it_only_moves():
    net, x = network(), torch.rand(5, 1, 4, 4)
    y = net(x)
    assert x.amin() <= y.amin()
    assert y.amax() <= x.amax()


def test_every_parameter_gets_a_gradient_once_the_painting_has_begun():
    net = network()
    torch.nn.init.normal_(net.paint[-1].weight)
    net(torch.rand(2, 1, 4, 4)).square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in net.parameters())


def test_another_size_is_refused():
    with pytest.raises(ValueError, match="images of 8x8 do not fit a rearranging network of 4x4"):
        network()(torch.zeros(1, 1, 8, 8))
