"""Autoencoders: the interface that the game relies on, stage by stage, and PCA as the linear case."""

import pytest
import torch
from torch import nn

from forger.networks.autoencoders import MLP, Convolutional


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def both(**options):
    return [
        (MLP([1, 8, 8], 3, [16, 12], **options), (1, 8, 8)),
        (Convolutional(28, 3, 3, width=4, **options), (3, 28, 28)),
    ]


def test_codes_images_and_gradients():
    for network, shape in both():
        x = torch.rand(5, *shape) * 2 - 1
        z = network.encode(x)
        assert z.shape == (5, 3)
        assert torch.equal(network(x), network.decode(z))
        image = network.decode(torch.randn(5, 3) * 100)
        assert image.shape == x.shape
        assert image.abs().max() <= 1
        network(x).sum().backward()
        assert all(p.grad is not None for p in network.parameters())


def test_variational_codes_are_a_mean_and_a_log_variance():
    for network, shape in both(variational=True):
        x = torch.rand(5, *shape)
        mean, log_variance = network.encode(x)
        assert mean.shape == log_variance.shape == (5, 3)
        assert torch.equal(torch.cat([mean, log_variance], 1), network.activations(x)[-1])
        assert torch.equal(network(x), network.decode(mean))
        assert isinstance(network.encode(x, depth=1), torch.Tensor)
    for build in (
        lambda: MLP([4], 2, [3], variational=True, code="relu"),
        lambda: both(variational=True, code="relu"),
    ):
        with pytest.raises(ValueError, match="use code=identity"):
            build()


def test_stages_undo_each_other_one_by_one():
    """Greedy training of stage k: its decoder gives back what its encoder was given, in shape."""
    for network, shape in both():
        assert len(network.encoder) == len(network.decoder) == 3
        x = torch.rand(2, *shape)
        inputs = x
        for k, (encode, decode) in enumerate(zip(network.encoder, network.decoder, strict=True), start=1):
            outputs = encode(inputs)
            assert decode(outputs).shape == inputs.shape
            assert torch.equal(network.encode(x, depth=k), outputs)
            assert network.decode(outputs, depth=k).shape == x.shape
            inputs = outputs
        assert torch.equal(
            network.decode(network.encode(x, 2), 2),
            network.decoder[0](network.decoder[1](network.encode(x, 2))),
        )


def test_activations_are_the_outputs_of_all_stages():
    for network, shape in both(code="relu"):
        x = torch.rand(4, *shape)
        activations = network.activations(x)
        assert len(activations) == 3
        assert all((a >= 0).all() for a in activations)
        assert torch.equal(activations[-1], network.encode(x))
        assert len(network.activations(x, depth=2)) == 2


def test_outputs():
    x = torch.randn(3, 2)
    for output, activation in [
        ("sigmoid", lambda a: 2 * torch.sigmoid(a) - 1),
        ("tanh", torch.tanh),
        ("identity", lambda a: a),
    ]:
        network = MLP([2], 1, [], output=output)
        raw = network.decoder[0][0](network.encode(x))
        assert torch.equal(network(x), activation(raw))


def test_a_linear_autoencoder_finds_pca():
    """The best rank-2 reconstruction leaves exactly the other singular values."""
    x = torch.randn(200, 5) @ torch.diag(torch.tensor([3.0, 2.0, 0.5, 0.3, 0.1]))
    x -= x.mean(0)
    network = MLP([5], 2, [], output="identity")
    optimizer = torch.optim.LBFGS(network.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        error = (network(x) - x).square().sum()
        error.backward()
        return error

    optimizer.step(loss)
    assert loss().item() == pytest.approx(torch.linalg.svdvals(x)[2:].square().sum().item(), rel=1e-3)


def test_convolutional_sizes():
    for size in (8, 28, 32, 64):
        network = Convolutional(size, 1, 4, width=2, norm="batch", activation="gelu", max_width=4)
        assert network(torch.rand(2, 1, size, size)).shape == (2, 1, size, size)
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                assert module.bias is None
    with pytest.raises(ValueError, match="28 or 32"):
        Convolutional(30, 1, 2)


def test_channels_last_gives_the_same_numbers():
    network = Convolutional(28, 3, 3, width=4, variational=True)
    x = torch.rand(2, 3, 28, 28)
    image = network(x)
    network.to(memory_format=torch.channels_last)
    again = network(x.to(memory_format=torch.channels_last))
    torch.testing.assert_close(again, image, rtol=1e-5, atol=1e-6)


def test_names_of_weights_are_stable():
    assert list(MLP([4], 2, [3]).state_dict()) == [
        f"{name}.{kind}"
        for name in ("encoder.0.1", "encoder.1.1", "decoder.0.0", "decoder.1.0")
        for kind in ("weight", "bias")
    ]
    assert list(Convolutional(8, 1, 2, 2).state_dict()) == [
        f"{name}.{kind}"
        for name in ("encoder.0.0", "encoder.1.1", "decoder.0.0", "decoder.1.0")
        for kind in ("weight", "bias")
    ]
