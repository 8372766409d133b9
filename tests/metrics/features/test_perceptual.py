"""Perceptual distances: LPIPS against torchmetrics' own with the same weights, and what stands in for it."""

import pytest
import torch
import torchvision
from torch import nn
from torchmetrics.functional.image.lpips import _LPIPS

from forger.metrics.features.extractors import DigitsExtractor
from forger.metrics.features.perceptual import FILES, LPIPS, FeatureDistance, Perceptual, apart
from forger.networks.content import PhotoFeatures
from metrics.doubles import pictures

MODELS = {"alex": torchvision.models.alexnet, "vgg": torchvision.models.vgg16}


@pytest.fixture(scope="module")
def backbones(tmp_path_factory):
    """Files of torchvision's format with random weights: only what LPIPS reads, which is all but the classifier."""
    folder = tmp_path_factory.mktemp("hub") / "checkpoints"
    folder.mkdir()
    for seed, (backbone, build) in enumerate(MODELS.items()):
        with torch.device("meta"):
            shapes = {k: v.shape for k, v in build(weights=None).state_dict().items() if k.startswith("features.")}
        rng = torch.Generator().manual_seed(seed)
        state = {
            name: torch.randn(shape, generator=rng) / shape[1:].numel() ** 0.5 if len(shape) > 1 else torch.zeros(shape)
            for name, shape in shapes.items()
        }
        torch.save(state, folder / FILES[backbone])
    return folder


@pytest.mark.parametrize(("backbone", "channels"), [("alex", 1), ("alex", 3), ("vgg", 3)])
def test_equals_torchmetrics(backbones, backbone, channels, monkeypatch):
    def features(net, pretrained=False):
        with torch.device("meta"):
            model = MODELS["alex" if net == "alexnet" else "vgg"](weights=None)
        state = torch.load(backbones / FILES["alex" if net == "alexnet" else "vgg"], weights_only=True)
        model.load_state_dict(state, strict=False, assign=True)
        return model.features

    monkeypatch.setattr("torchmetrics.functional.image.lpips._get_tv_model_features", features)
    theirs = _LPIPS(net=backbone)
    mine = LPIPS(backbone, str(backbones / FILES[backbone]))
    x, y = pictures(2, (channels, 40, 33), 0), pictures(2, (channels, 40, 33), 1)
    expected = theirs(*(image.expand(-1, 3, -1, -1) / 127.5 - 1 for image in (x, y))).flatten()
    torch.testing.assert_close(mine(x, y).float(), expected, rtol=1e-4, atol=1e-7)
    assert mine(x, x).tolist() == [0, 0]
    assert (mine.name, len(mine.about["network_sha256"])) == (f"lpips_{backbone}", 64)


def test_lpips_only_where_its_weights_are(backbones, monkeypatch, tmp_path, caplog):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(backbones.parent))
    assert Perceptual(PhotoFeatures()).name == "lpips_alex"
    assert "is not torchvision's alexnet-owt-7be5be79.pth" in caplog.text
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    distance = Perceptual(PhotoFeatures())
    assert (distance.name, distance.about["network"]) == ("distance_photo", "photo")
    with pytest.raises(FileNotFoundError, match=r"checkpoints/alexnet-owt-7be5be79.pth: put torchvision's") as caught:
        LPIPS()
    assert "\n" not in str(caught.value)
    (tmp_path / "wrong.pth").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"wrong\.pth holds no weights of LPIPS's alex"):
        LPIPS(weights=str(tmp_path / "wrong.pth"))


def test_pictures_that_lpips_would_pool_away_are_refused(backbones):
    with pytest.raises(ValueError, match="31 pixels or more, not 1 channels of 8x8"):
        LPIPS(weights=str(backbones / FILES["alex"])).check(pictures(1, (1, 8, 8)))


def test_equation_1_by_hand():
    """Unit features (1, 0) and (0, 1) at one of two places, equal ones at the other."""
    x = torch.tensor([[3.0, 2.0], [0.0, 2.0]]).reshape(1, 2, 1, 2)
    y = torch.tensor([[0.0, 1.0], [5.0, 1.0]]).reshape(1, 2, 1, 2)
    assert apart(x, y).item() == pytest.approx(1, abs=1e-6)  # (2 + 0) / 2
    weights = torch.tensor([1.0, 0.0]).reshape(1, 2, 1, 1)
    assert apart(x, y, weights).item() == pytest.approx(0.5, abs=1e-6)


def test_distance_grows_with_the_damage():
    photos, digits = FeatureDistance(PhotoFeatures()), FeatureDistance(DigitsExtractor())
    assert (photos.name, digits.name) == ("distance_photo", "distance_digits")
    for distance, shape in ((photos, (3, 16, 16)), (digits, (1, 8, 8))):
        truth = pictures(4, shape)
        few, many = (truth.clone() for _ in range(2))
        few[:, :, :2] = 0
        many[:, :, :6] = 0
        values = [float(distance(images, truth).mean()) for images in (truth, few, many)]
        assert values[0] == 0 < values[1] < values[2] < 4


def test_other_weights_are_another_passport():
    class Net(nn.Linear):
        name = "net"

    one, other = (FeatureDistance(Net(3, 2)) for _ in range(2))
    assert one.about["network"] == other.about["network"] == "net"
    assert one.about["network_sha256"] != other.about["network_sha256"]
