"""Games whose generator has styles: their state, over kills too, and latents in w."""

import numpy as np
import pytest
import torch

from export.untrained import THIN, built
from forger import cli
from forger.errors import ConfigError
from forger.inversion import Inversion
from running import interrupted, trained

SMALL = ("model=stylegan2", "data=digits", THIN, "model.discriminator.width=4", "model.latent=6", "metrics=none")
EVERY = ("data.batch_size=32", "budget.images=192", "checkpoint.every_images=32", "samples.every_images=null")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("whole"), *SMALL, *EVERY)


def test_a_killed_run_goes_on_bit_identically(whole, tmp_path):
    interrupted(tmp_path, *SMALL, *EVERY, after=3)
    again = trained(tmp_path, *SMALL, *EVERY)
    assert again.read().weights_sha256 == whole.read().weights_sha256
    state = torch.load(again.checkpoints / "final.ckpt", weights_only=False)["state_dict"]
    assert state["generator.mean"].abs().sum() > 0
    assert not torch.equal(state["generator.mean"], state["average.network.mean"])


def test_pictures_are_found_in_w_and_drawn_from_it(whole, tmp_path, capsys):
    pictures, out = tmp_path / "own", tmp_path / "found"
    assert cli.main(["sample", str(whole.path), "--n", "2", "--out", f"{pictures}/"]) == 0
    found = ("invert", str(whole.path), "--input", str(pictures), "--steps", "3", "--out", str(out), "--space", "w")
    assert cli.main(list(found)) == 0
    with np.load(out / "latents.npz", allow_pickle=False) as arrays:
        assert (arrays["w"].shape, "z" in arrays) == ((2, 6), False)
    raw = tmp_path / "raw.npz"
    assert cli.main(["sample", str(whole.path), "--latents", str(out / "latents.npz"), "--out", str(raw)]) == 0
    assert np.load(raw)["samples"].shape == (2, 8, 8, 1)
    for what in ("mixing", "directions"):
        assert cli.main(["sample", str(whole.path), "--what", what, "--out", str(tmp_path / "x.png")]) == 0
    np.savez(out / "latents.npz", w=np.zeros((2, 5)))
    capsys.readouterr()
    assert cli.main(["sample", str(whole.path), "--latents", str(out / "latents.npz"), "--out", str(raw)]) == 2
    assert "w must be finite floats (n, 6), and is float64 (2, 5)" in capsys.readouterr().err


def test_its_own_samples_are_nearer_in_w():
    game, _ = built(*SMALL)
    images = game.decode(game.latents(4, torch.Generator().manual_seed(5)))
    found = Inversion(game, steps=60, space="w").found(images, None, lambda *_: None)
    assert found.z.shape == (4, 6)
    assert bool((found.errors < 1e-3 * images.var()).all())
    assert torch.allclose(found.errors, (found.images - images).square().mean((1, 2, 3)), atol=1e-6)
    with pytest.raises(ConfigError, match=r"--space w: its AdversarialGame has no styles; take z"):
        Inversion(built("experiment=digits_gan")[0], space="w")
