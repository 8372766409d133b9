"""Small trained runs of each kind, and one headless Chromium (`report.conftest`)."""

import pytest
from PIL import Image

from forger.lifecycle.restore import restored
from forger.play.playing import Playing
from forger.run_folder import RunFolder
from report.conftest import browser as browser
from running import trained

LITTLE = ("budget.images=64", "metrics=none", "watch.action=none", "data.batch_size=32", "samples.every_images=null")
THIN = ("model.generator.width=8", "model.generator.blocks=1", "model.discriminator.width=8")


@pytest.fixture(scope="package")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunFolder]:
    """A run of each kind of game, of a few rounds."""
    root = tmp_path_factory.mktemp("runs")
    for i in range(6):
        (root / "photos").mkdir(exist_ok=True)
        Image.effect_noise((40, 36), 10 * i + 5).convert("RGB").save(root / "photos" / f"{i}.png")
    kinds = {
        "gan": ("experiment=digits_cgan",),
        "vae": ("experiment=digits_vae",),
        "autoencoder": ("experiment=digits_ae", "model.autoencoder.latent=2"),
        "cycle": ("experiment=digits_cyclegan",),
        "enlarger": ("model=srgan", "data=photo_folder", f"data.root={root / 'photos'}", "data.size=32", *THIN),
        "points": ("experiment=gaussian_gan", "samples.n=50"),
    }
    return {name: trained(root, *overrides, *LITTLE) for name, overrides in kinds.items()}


@pytest.fixture(scope="package")
def playing(runs: dict[str, RunFolder]) -> dict[str, Playing]:
    """The same, as their pages have them."""
    return {name: Playing(restored(run.path, trust=True), ("--trust",)) for name, run in runs.items()}
