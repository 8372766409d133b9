"""Every shipped model of images on every kind of data that people have: 1,000 images, and a score that nobody named."""

import math

import pytest
import torch

from forger.config.shipped import conf_folder
from forger.errors import ConfigError
from forger.run import train
from running import SMALL, composed, trained
from system import small_data

#: Ten rounds with a check of the watch, a score on the way, a picture and the scores of the end.
SHORT = (
    *("budget.images=1000", "data.batch_size=100", "metrics.every_images=1000", "metrics.n=16", "samples.n=4"),
    *("samples.every_images=1000", "checkpoint.every_images=1000", "watch.every_images=500", "watch.n=16"),
)
DATA = {
    "digits": small_data.digits,
    "fashion_mnist": small_data.fashion,
    "cifar10": small_data.cifar,
    "celeba": small_data.celeba,
    "image_folder": small_data.folder,
    "huggingface": small_data.huggingface,
    "emoji": small_data.emoji,
    "files": small_data.files,
}
#: Data whose config names no classes, which the user has to.
UNNAMED = ("image_folder", "huggingface")
POINTS = ("gan_1d", "gan_2d")
MODELS = sorted({path.stem for path in (conf_folder() / "model").glob("*.yaml")} - {*POINTS})
CONDITIONAL = ("cgan", "cdcgan", "biggan", "cvae", "flow", "diffusion")


@pytest.fixture(scope="module", params=DATA)
def data(request, tmp_path_factory):
    """Its name, and the overrides that read its small files."""
    root = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.hub, "get_dir", lambda: str(root / "hub"))
        yield request.param, DATA[request.param](root, patch)


def thin(model):
    """Narrow networks, where the model's have a width."""
    config = composed(f"model={model}").model
    networks = [name for name in ("generator", "discriminator") if "width" in config.get(name, {})]
    if model == "r3gan":  # deep, and each penalty costs as much as a round
        dear = (
            *(f"+model.{name}.blocks=1" for name in networks),
            "+model.penalties.r1.every=5",
            "+model.penalties.r2.every=5",
        )
    else:
        dear = ()
    return [*(f"model.{name}.width=4" for name in networks), *dear]


@pytest.mark.parametrize("model", [model for model in MODELS if model not in ("cyclegan", "pix2pix")])
@pytest.mark.long
def test_a_pair_trains_and_ends_with_a_score(model, data, tmp_path):
    name, files = data
    classes = ("data.classes=3",) if name in UNNAMED and model in CONDITIONAL else ()
    run = trained(tmp_path, *SHORT, *files, f"model={model}", *thin(model), *classes)
    record = run.read()
    assert (record.status, record.images) == ("finished", 1000)
    assert record.scores["final"]
    assert all(math.isfinite(score["value"]) for score in record.scores["final"].values())
    assert "watch/weight_growth" in run.metrics_file.read_text()
    assert [path.name for path in run.samples.glob("*.png")] == ["000001000.png"]


@pytest.mark.parametrize("name", UNNAMED)
@pytest.mark.parametrize("model", CONDITIONAL)
def test_a_conditional_model_asks_for_classes(name, model):
    with pytest.raises(ConfigError, match=r"data\.classes=0: the model is conditional"):
        train(composed(*SMALL, f"data={name}", f"model={model}"))


def test_a_translation_asks_for_two_domains_before_the_data_are_read(data, tmp_path, monkeypatch):
    name, files = data
    monkeypatch.setattr("forger.run.load_data", lambda config: pytest.fail("the data were read"))
    with pytest.raises(ConfigError, match=f"model: it translates between two domains, and data={name} has one"):
        train(composed(*SMALL, *files, "model=cyclegan", f"run.root={tmp_path}"))
    assert not list(tmp_path.iterdir())
