"""Which targets a stranger's record may name."""

import pytest

from forger.config.trust import trusted_target


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
        "pytorch_lightning.Trainer",
        "pytorch_lightning.strategies.DDPStrategy",
        "pytorch_lightning.callbacks.ModelCheckpoint",
        "pytorch_lightning.loggers.CSVLogger",
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
        "forger.records.RunFolder",
        "forger.files.write_atomically",
        "forger.data.images.np.load",
        "forger.data.images.torch.load",
        "forger.data.images.Any",
        "forger.data.decoding.decode",
        "forger.data.images.permutation",
        "forger.metrics.extractors.build",
        "forger.metrics.extractors.ModuleExtractor",
        "forger.metrics.extractors.importlib.import_module",
        "forger.networks.super_resolution.torch.load",
        "forger.losses.adversarial._missing",
        "forger.games.base.Game.sample",
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
