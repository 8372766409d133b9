"""docs/techniques.md, row by row, and every adversarial model: each trains."""

import json
import math
import re
from pathlib import Path

import pytest

from forger.config.schema import validate
from running import composed, trained

PAGE = (Path(__file__).parents[2] / "docs" / "techniques.md").read_text()
ROWS = re.findall(r"^\| (.+?) \| `(.+?)` \| .*\|$", PAGE, re.MULTILINE)
SMALL = ("data.batch_size=32", "metrics=none", "samples.every_images=null")
MODELS = (
    "gan", "gan_r1", "rpgan", "cgan", "dcgan", "dcgan_r1", "cdcgan",
    "r3gan", "stylegan2", "wgan", "wgan_gp", "sngan", "lsgan", "hinge", "biggan",
)  # fmt: skip


def rows_that_train():
    signals = PAGE.index("## Signals")
    return [(name, line.split()) for name, line in ROWS if PAGE.index(f"`{line}`") < signals]


@pytest.mark.parametrize(
    ("name", "overrides"), rows_that_train(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_row_trains(name, overrides, tmp_path):
    if not any(override.startswith("model=") for override in overrides):
        overrides = ["model=gan", *overrides]
    record = trained(tmp_path, *overrides, *SMALL, "budget.images=192", "checkpoint.every_images=null").read()
    assert (record.status, record.images) == ("finished", 192)


@pytest.mark.parametrize("model", MODELS)
def test_every_model_trains(model, tmp_path):
    width = ["model.generator.width=16", "model.discriminator.width=16"]
    folder = trained(tmp_path, f"model={model}", "trainer=cpu", *width, *SMALL, "budget.images=320")
    assert (folder.read().status, folder.read().images) == ("finished", 320)


def test_all_of_them_at_once_under_mixed_precision(tmp_path):
    everything = [
        "model=dcgan", "trainer.precision=bf16-mixed", "model.generator.width=8", "model.discriminator.width=8",
        "++model.discriminator.norm=spectral", "++model.discriminator.minibatch_std=true", "++model.flip_labels=0.1",
        "+model/penalties=[r1_r2,wgan_gp,zero_centered,dragan,lecam,bcr]",
        "+model/augmentations=[ada,diffaugment,instance_noise]", "++model.players.generator.every=2",
        "++model.players.generator.clip=1.0",
    ]  # fmt: skip
    folder = trained(tmp_path, *everything, *SMALL, "budget.images=128")
    assert folder.read().status == "finished"
    values = {}
    for line in (folder.path / "metrics.jsonl").read_text().splitlines():
        values |= json.loads(line)
    terms = {"bcr", "dragan", "gradient_penalty", "lecam", "r1", "r2", "zero_centered"}
    assert {f"train/discriminator/{term}" for term in terms} | {"watch/ada_p"} <= set(values)
    assert all(value is None or math.isfinite(value) for value in values.values())


def test_the_modern_baseline_fits_every_size():
    for size in (8, 28, 256):
        assert validate(composed("model=r3gan", f"data.size={size}"))
