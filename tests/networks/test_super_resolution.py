"""SRGAN's networks: bicubic at the start, VGG19 equal to torchvision's, files of weights that do not fit."""

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

from forger.networks.super_resolution import ConvFeatures, Discriminator, Generator, VGG19Features


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_generator_starts_as_bicubic(scale, channels):
    network = Generator(channels, width=4, blocks=2, scale=scale)
    x = torch.rand(2, channels, 5, 7) * 2 - 1
    images = network(x)
    assert images.shape == (2, channels, 5 * scale, 7 * scale)
    bicubic = F.interpolate(x, scale_factor=scale, mode="bicubic", align_corners=False)
    assert torch.equal(images, bicubic)
    images.square().sum().backward()
    assert network.output.weight.grad.abs().sum() > 0  # a zero layer still learns
    plain = Generator(channels, 4, 2, scale, norm="none", residual=False)(x)
    assert plain.shape == images.shape
    assert not torch.allclose(plain, bicubic, atol=0.05)


def test_the_papers_generator():
    """Figure 4: 16 blocks of two 3×3 convolutions of 64 channels, 9×9 at both ends."""
    with torch.device("meta"):
        convolutions = [m for m in Generator().modules() if isinstance(m, nn.Conv2d)]
    assert [c.kernel_size[0] for c in convolutions] == [9, *[3] * 32, 3, 3, 3, 9]
    assert [c.out_channels for c in convolutions] == [64, *[64] * 32, 64, 256, 256, 3]


@pytest.mark.parametrize("norm", ["batch", "spectral", "none"])
@pytest.mark.parametrize("size", [(24, 24), (96, 96), (17, 30)])
def test_the_discriminator_takes_patches_of_any_size(norm, size):
    assert Discriminator(3, width=2, norm=norm)(torch.randn(2, 3, *size)).shape == (2,)


def test_the_papers_discriminator():
    with torch.device("meta"):
        network = Discriminator()
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert [c.out_channels for c in convolutions] == [64, 64, 128, 128, 256, 256, 512, 512]
    assert [c.stride[0] for c in convolutions] == [1, 2] * 4
    assert network.output[0].out_features == 1024
    assert sum(isinstance(m, nn.BatchNorm2d) for m in network.modules()) == 7


@pytest.fixture(scope="module")
def vgg(tmp_path_factory):
    """torchvision's VGG19 convolutions with random weights, and a file named as in its state dict."""
    from torchvision.models.vgg import cfgs, make_layers

    torch.manual_seed(0)
    features = make_layers(cfgs["E"])
    path = tmp_path_factory.mktemp("weights") / "vgg19.pth"
    state = {f"features.{name}": tensor for name, tensor in features.state_dict().items()}
    torch.save({**state, "classifier.0.weight": torch.zeros(2, 2)}, path)
    return features, str(path)


def test_vgg19_is_torchvisions_up_to_its_last_activation(vgg):
    reference, path = vgg
    network = VGG19Features(path)
    x = torch.rand(1, 3, 32, 32)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = reference[:36](((x.permute(0, 2, 3, 1) - mean) / deviation).permute(0, 3, 1, 2))
    torch.testing.assert_close(network(2 * x - 1), expected, rtol=1e-4, atol=1e-6)
    assert network(torch.rand(1, 1, 16, 16)).shape == (1, 512, 1, 1)
    assert not any(p.requires_grad for p in network.parameters())
    assert not network.train().training


def test_own_features_train_and_come_back_frozen(tmp_path):
    network = ConvFeatures(1, 4, 2)
    x = torch.rand(2, 1, 8, 8, requires_grad=True)
    features = network(x)
    assert features.shape == (2, 8, 4, 4)
    assert network.train().training
    for name, save in [("w.safetensors", save_file), ("w.pt", torch.save)]:
        save(network.state_dict(), str(tmp_path / name))
        again = ConvFeatures(1, 4, 2, weights=str(tmp_path / name))
        assert torch.equal(again(x), features)
        assert not again.train().training
        assert not any(p.requires_grad for p in again.parameters())
    again(x).sum().backward()
    assert x.grad.abs().sum() > 0  # the gradient passes through to the picture


def test_files_of_weights_that_do_not_fit(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no weights at .*nothing.pth; download vgg19"):
        VGG19Features(str(tmp_path / "nothing.pth"))
    path = tmp_path / "other.pt"
    torch.save(ConvFeatures(3, 4, 2).state_dict(), path)
    with pytest.raises(ValueError, match=r"other.pt has \(4, 3, 3, 3\) for features.0.weight, not \(8, 3"):
        ConvFeatures(3, 8, 2, weights=str(path))
    with pytest.raises(ValueError, match=r"has no features.10.weight"):
        ConvFeatures(3, 4, 3, weights=str(path))
    for name in ("torn.pt", "torn.safetensors"):
        (tmp_path / name).write_bytes(path.read_bytes()[:100])
        with pytest.raises(ValueError, match="not a readable file of weights") as error:
            ConvFeatures(3, 4, 2, weights=str(tmp_path / name))
        assert "\n" not in str(error.value)


def test_a_file_with_code_is_refused(tmp_path):
    torch.save(ConvFeatures(3, 4, 2), tmp_path / "module.pt")
    with pytest.raises(ValueError, match="not a readable file of weights"):
        ConvFeatures(3, 4, 2, weights=str(tmp_path / "module.pt"))


def test_names_of_weights_are_stable():
    names = list(Generator(1, 2, 1, 2, "none").state_dict())
    assert names == [
        "input.0.weight",
        "input.0.bias",
        "input.1.weight",
        "blocks.0.residual.0.weight",
        "blocks.0.residual.0.bias",
        "blocks.0.residual.1.weight",
        "blocks.0.residual.2.weight",
        "blocks.0.residual.2.bias",
        "collect.0.weight",
        "collect.0.bias",
        "up.0.0.weight",
        "up.0.0.bias",
        "up.0.2.weight",
        "output.weight",
        "output.bias",
    ]
    assert list(ConvFeatures(1, 2, 1).state_dict()) == [
        f"features.{i}.{kind}" for i in (0, 2) for kind in ("weight", "bias")
    ]
