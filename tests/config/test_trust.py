"""Which targets a stranger's record may name, and which of their arguments are places."""

import re
from typing import get_args

import pytest

from forger.config.shipped import conf_folder
from forger.config.targets import _located, _signature
from forger.config.trust import is_place, trusted_target

#: Texts that are no places: names of extractors, of columns, of an attribute, of players and networks.
_NAMES = {"extractor", "name", "label", "config", "split", "image_key", "label_key", "group"}
_NAMES |= {"main", "networks", "player", "players", "freeze"}


@pytest.mark.parametrize(
    "path",
    [
        "forger.augmentation.adaptive.Adaptive",
        "forger.data.images.digits",
        "forger.games.base.Player",
        "forger.games.adversarial.AdversarialGame",
        "forger.losses.adversarial.non_saturating",
        "forger.losses.constraints.clip_weights",
        "forger.networks.dcgan.Generator",
        "torch.nn.Linear",
        "torch.nn.modules.linear.Linear",
        "torch.optim.Adam",
        "torch.optim.lr_scheduler.CosineAnnealingLR",
        "torchvision.transforms.RandomHorizontalFlip",
        "torchvision.transforms.v2.Resize",
        "torchmetrics.image.PeakSignalNoiseRatio",
        "torchmetrics.MeanMetric",
    ],
)
def test_what_runs_are_made_of_is_trusted(path: str) -> None:
    assert trusted_target(path)


@pytest.mark.parametrize(
    "path",
    [
        "torch.hub.load",
        "torch.load",
        "torch.nn",
        "torch",
        "torch.save",
        "torch.nn.init.normal_",
        "torch.nn.functional.relu",
        "torch.nn.modules.module.torch.hub.load",
        "torch.nn.modules.module.functools.partial",
        "torch.nn.modules.module.Any",
        "torch.nn.Parameter",
        "torch.nn.utils.clip_grad_norm_",
        "torch.optim.optimizer.functools.partial",
        "torch.nn.Linear.forward",
        "torch.nn.Linear.__init__",
        "torch.nn._reduction.get_enum",
        "torch.optim.",
        "torch.optim.Nothing",
        "torchvision.transforms.functional.to_tensor",
        "torchvision.transforms.transforms.torch.load",
        "torchvision.io.read_image",
        "torchvision.datasets.MNIST",
        "torchmetrics.functional.accuracy",
        "torchmetrics.utilities.data.select_topk",
        "pytorch_lightning.cli.LightningCLI",
        "pytorch_lightning.LightningModule.load_from_checkpoint",
        "pytorch_lightning.utilities.migration.utils.pl_legacy_patch",
        "pytorch_lightning.Trainer.fit",
        "os.system",
        "builtins.eval",
        "eval",
        "",
        ".",
        "forger",
        "forger.",
        "forger.data",
        "forger.cli.main",
        "forger.run.train",
        "forger.run_folder.RunFolder",
        "forger.files.write_atomically",
        "forger.data.images.np.load",
        "forger.data.images.torch.load",
        "forger.data.images.Any",
        "forger.data.pixels.decoding.decode",
        "forger.data.images.permutation",
        "forger.metrics.features.extractors.build",
        "forger.metrics.features.extractors.ModuleExtractor",
        "forger.metrics.features.extractors.importlib.import_module",
        "forger.networks.super_resolution.torch.load",
        "forger.losses.adversarial._missing",
        "forger.games.base.Game.play",
        "pytorch_lightning.Trainer",
        "pytorch_lightning.strategies.DDPStrategy",
        "pytorch_lightning.callbacks.ModelCheckpoint",
        "pytorch_lightning.loggers.CSVLogger",
        "forger.tracking.loggers.wandb_logger",
        "forger.tracking.loggers.csv_logger",
        "forger.tracking.wandb_account.answers",
        "forger.tracking.wandb_account.server",
        "forger.callbacks.samples.Samples",
        "forger.callbacks.profiling.Profiling",
        "forger.data.downloads.resized",
        "forger.data.store.stored",
        "forger.data.store.Undecoded",
        "forger.data.images.Data",
        "forger.losses.adversarial.paired",
        "forger.games.training.tensor_checks.copied",
        "forger.watch.signals.Signals",
        "subprocess.Popen",
        "sys.exit",
        "os; import os",
    ],
)
def test_everything_else_is_not(path: str) -> None:
    assert not trusted_target(path)


def test_nothing_is_imported_for_a_name_off_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} was imported")

    monkeypatch.setattr("forger.config.trust.import_module", refuse)
    for path in ("evil.Class", "forger.evil.Class", "torch.evil.Class", "torchvision.evil"):
        assert not trusted_target(path)


def shipped() -> list[str]:
    """Every target of the shipped configs but the reader's own loggers."""
    files = [file for file in conf_folder().rglob("*.yaml") if file.parent.name not in ("logger", "launcher")]
    found = {name for file in files for name in re.findall(r"_target_: ([\w.]+)", file.read_text())}
    return sorted(name for name in found if not name.startswith("hydra"))


@pytest.mark.parametrize("path", shipped())
def test_shipped_configs_are_trusted_and_their_texts_known_to_be_places_or_not(path: str) -> None:
    assert trusted_target(path)
    if path.startswith("forger."):
        for name, parameter in _signature(_located(path, path)).parameters.items():
            if any(kind is str for kind in (parameter.annotation, *get_args(parameter.annotation))):
                assert is_place(name, "x") != (name in _NAMES), name
