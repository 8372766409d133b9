"""A whole run, with all that looks on, has the bits of a plain PyTorch loop: comfort costs time, never the result."""

import copy
import io
import itertools
from functools import partial

import pytest
import torch
from rich.console import Console

from forger import building
from forger.callbacks import chain, progress
from forger.config.schema import validate
from forger.data.images import digits
from forger.data.loader import Batches
from forger.losses.adversarial import non_saturating
from reference import adversarial as reference
from running import SMALL, composed, trained

ROUNDS, BATCH = 24, 32
#: Small; without the schedule, which the plain loop does not have.
GAME = (
    "model=gan", "model.generator.width=32", "model.discriminator.width=32", "data.classes=0",
    "model.players.discriminator.schedule=null", "model.players.generator.schedule=null",
    f"data.batch_size={BATCH}", f"budget.images={ROUNDS * BATCH}",
)  # fmt: skip
#: What looks on: everything at odd intervals, and nothing.
BUSY = (
    "metrics=digits", "metrics.every_images=350", "metrics.n=64", "samples.every_images=250", "log.every=3",
    "checkpoint.every_images=200", "watch.every_images=150", "watch.n=64", "logger=csv",
)  # fmt: skip
LEAN = (
    "metrics=none", "samples.every_images=null", "log.every=1000", "checkpoint.every_images=null",
    "watch.action=none", "logger=none",
)  # fmt: skip
#: A callback of the user's, for which every move goes through Lightning's own calls.
HOOKED = (*LEAN, "+callbacks.onlooker._target_=pytorch_lightning.callbacks.Callback")


@pytest.fixture(scope="module")
def plain():
    """G, D and the average of G after as many rounds of the plain loop, from the same initial weights."""
    game = building.build_game(validate(composed(*SMALL[-2:], *GAME, *LEAN)))
    G, D, average = game.generator, game.discriminator, copy.deepcopy(game.generator)
    adam = partial(torch.optim.Adam, lr=1e-3, betas=(0.0, 0.99), fused=True)
    batches = itertools.islice(Batches(digits().train, batch_size=BATCH, seed=0, position=lambda: 0), ROUNDS)
    unlabelled = ({"image": batch["image"]} for batch in batches)
    reference.train(G, D, non_saturating, adam, unlabelled, latent=game.latent, average=average)
    return {"generator": G, "discriminator": D, "average.network": average}


@pytest.mark.parametrize("pauses", [0.0, 1e9], ids=["each round", "when due"])
@pytest.mark.parametrize("extras", [BUSY, LEAN, HOOKED], ids=["busy", "lean", "hooked"])
def test_a_whole_run_has_the_bits_of_a_plain_loop(plain, extras, pauses, tmp_path, monkeypatch):
    drawn = io.StringIO()
    monkeypatch.setattr(chain, "SECONDS", pauses)
    monkeypatch.setattr(progress, "console", Console(file=drawn, force_terminal=True))
    folder = trained(tmp_path, *GAME, *extras)
    saved = torch.load(folder.checkpoints / "final.ckpt", weights_only=True)["state_dict"]
    for part, network in plain.items():
        for name, value in network.state_dict().items():
            assert torch.equal(saved[f"{part}.{name}"], value), f"{part}.{name}"
    assert "images/s" in drawn.getvalue()


def test_a_step_on_the_cpu_asks_for_no_gpu(monkeypatch):
    game = building.build_game(validate(composed(*SMALL[-2:], *GAME, *LEAN)))
    optimizers = game.configure_optimizers()
    assert isinstance(optimizers, list)

    def asked(*_: object, **__: object) -> None:
        raise AssertionError("looked for a GPU")

    monkeypatch.setattr(torch.cuda, "is_available", asked)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", asked)
    for optimizer, player in zip(optimizers, game.players, strict=True):
        for parameter in game.trained_by(player):
            parameter.grad = torch.ones_like(parameter)
        before = game.trained_by(player)[0].detach().clone()
        optimizer.step()
        assert (game.trained_by(player)[0] != before).all()
