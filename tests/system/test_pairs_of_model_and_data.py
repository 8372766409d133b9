"""Any model on any data, with scores that nobody named: small files of the true formats, tiny networks, two rounds."""

import pytest
import torch

from forger.building import load_data
from forger.config.schema import validate
from forger.default_evaluations import with_evaluations
from forger.errors import ConfigError
from forger.run import train
from running import SMALL, composed, trained
from system.small_data import cifar, fashion, folder

LITTLE = (
    *("budget.images=16", "metrics.every_images=8", "metrics.n=16", "samples.every_images=null"),
    *("checkpoint.every_images=null", "watch.action=none", "data.batch_size=8"),
)
THIN = ("model.generator.width=4", "model.discriminator.width=4")
DATA = ("digits", "fashion_mnist", "cifar10", "celeba", "image_folder", "huggingface", "emoji")
FEW = ("digits", "image_folder")
MODELS = (
    *("gan", "gan_r1", "rpgan", "dcgan", "dcgan_r1", "lsgan", "hinge", "wgan", "wgan_gp", "sngan", "r3gan", "srgan"),
    *("stylegan2", "vae", "autoencoder", "denoising_autoencoder", "sparse_autoencoder", "stacked_autoencoder"),
)
CONDITIONAL = ("cgan", "cdcgan", "biggan")
#: A module of the user's that takes grey 8x8 images, in three channels.
NARROW = """
from torch import nn

def Network():
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 4))
"""
NEIGHBOURS = {"memorisation", "neighbour_ratio"}
DENSITY = ("kl", "elbo", "iwae_64", "mutual_information", "total_correlation")


@pytest.fixture(autouse=True)
def _no_weights(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))


@pytest.mark.parametrize("data", [pytest.param(name, marks=() if name in FEW else pytest.mark.long) for name in DATA])
def test_every_pair_is_valid(data):
    for model in MODELS:
        config = validate(composed(f"data={data}", f"model={model}"))
        assert (config.metrics.auto, config.data.extractor) == (True, "auto")
    labels = ("data.classes=3",) if data in ("image_folder", "huggingface") else ()
    for model in CONDITIONAL:
        assert validate(composed(f"data={data}", f"model={model}", *labels)).model["classes"] > 1
        with pytest.raises(ConfigError, match=r"data\.classes=0: the model is conditional"):
            validate(composed(f"data={data}", f"model={model}", "data.classes=0"))


def scores(run, extractor, *plain):
    """The final scores, which are those of an extractor and others by their names."""
    found = set(run.read().scores["final"])
    assert {f"{name}_{extractor}" for name in ("fd", *NEIGHBOURS)} | set(plain) == found
    assert all(score["value"] is not None for score in run.read().scores["final"].values())


@pytest.mark.parametrize(
    ("data", "model", "extractor", "others"),
    [
        (fashion, ("model=dcgan", "data.size=32", *THIN), "random", ()),
        (cifar, ("model=dcgan", *THIN), "random", ()),
        (cifar, ("model=vae",), "random", (*DENSITY, "active_units", "mse", "psnr", "mse_pca", "mse_over_pca")),
        (folder, ("model=r3gan", *THIN), "random", ()),
    ],
)
def test_a_pair_ends_with_scores_that_nobody_named(data, model, extractor, others, tmp_path, monkeypatch):
    (root := tmp_path / "files").mkdir()
    run = trained(tmp_path / "runs", *LITTLE, *data(root, monkeypatch), *model)
    scores(run, extractor, *others)
    (best,) = [name for name, score in run.read().scores["best"].items() if score["chosen"]]
    assert best == f"fd_{extractor}"


def test_a_game_with_classes_is_asked_for_those_that_the_extractor_of_the_data_tells(tmp_path, monkeypatch):
    (root := tmp_path / "files").mkdir()
    config = validate(composed("model=cdcgan", *LITTLE[-1:], *fashion(root, monkeypatch)))
    metrics = with_evaluations(config, load_data(config.data)).metrics
    assert (metrics.best, metrics.n, list(metrics.evaluations)) == ("fd_fashion", 24, ["quality", "conditional"])
    assert metrics.evaluations["quality"]["scores"] == ["fd", "is", "memorisation"]
    assert {node["extractor"] for node in metrics.evaluations.values()} == {"fashion"}


def test_an_autoencoder_of_colour_pictures(tmp_path, monkeypatch):
    run = trained(tmp_path / "runs", *LITTLE, *folder(tmp_path / "files", monkeypatch), "model=autoencoder")
    assert {"mse", "psnr"} <= run.read().scores["final"].keys()


def test_super_resolution_of_grey_pictures_in_both_stages(tmp_path, monkeypatch):
    (root := tmp_path / "files").mkdir()
    run = trained(tmp_path / "runs", *LITTLE, *fashion(root, monkeypatch), "model=srgan", *THIN, "budget.images=32")
    assert {"psnr", "psnr_first", "psnr_bicubic", "ssim"} <= run.read().scores["final"].keys()


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("metrics=fid",), "no Inception weights|Inception weights are not here"),
        (("data.extractor=inception",), "^data.extractor=inception: the Inception weights are not here"),
        (("data.extractor=digits",), "^data.extractor=digits: the digits extractor takes grey 8x8 images"),
        (
            ("data.extractor=fashion", "model=vae"),
            "^data.extractor=fashion: the fashion .* got RGB 32x32",
        ),
        (("data.extractor=nowhere.safetensors",), "^data.extractor=nowhere.safetensors: .*nowhere.safetensors"),
        (
            ("data.extractor=narrow.Network",),
            "narrow.Network: it takes no images of 3 x 32 x 32: .*mat1",
        ),
        (
            ("metrics=digits", "metrics.evaluations.quality.extractor=narrow.Network"),
            "evaluations.quality can't take data=cifar10: it takes no images of 3 x 32 x 32: .*mat1",
        ),
        (("data.extractor=narrow.Wider",), "^data.extractor=narrow.Wider: .* can't be made"),
        (("metrics=digits",), "digits extractor takes grey 8x8 images, got 3 channels of 32x32"),
        (("metrics=conditional", "data.channels=1"), "digits extractor takes grey 8x8 images, got 1 channels of 32x32"),
    ],
)
def test_what_the_config_alone_tells_is_refused_before_the_data_are_read(overrides, said, tmp_path, monkeypatch):
    (tmp_path / "narrow.py").write_text(NARROW)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("forger.metrics.features.inception.URL", "http://127.0.0.1:1/none")
    nowhere = ("model=dcgan", "data=cifar10", f"data.root={tmp_path / 'nowhere'}", "data.source.download=false")
    monkeypatch.setattr("forger.run.load_data", lambda config: pytest.fail("the data were read"))
    with pytest.raises(Exception, match=said) as refusal:
        train(composed(*SMALL, f"run.root={tmp_path / 'runs'}", *nowhere, *overrides))
    assert isinstance(refusal.value, ConfigError) or "metrics=fid" in overrides
    assert not (tmp_path / "runs").exists()
