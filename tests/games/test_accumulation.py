"""Batches in parts: the gradients of the whole, less memory, and what is refused."""

from functools import partial

import pytest
import torch

from forger.augmentation.adaptive import Adaptive
from forger.augmentation.noise import InstanceNoise
from forger.building import build_game
from forger.config.schema import validate
from forger.errors import ConfigError
from forger.games.base import Player
from forger.games.variational import VariationalGame
from forger.losses.penalties import R1
from forger.networks.autoencoders import MLP
from forger.run import train as run
from games.ddp_worker import LOSSES, PENALTIES, game, with_codes
from games.training import train
from running import SMALL, composed, trained

#: What keeps means of whole batches is refused.
SPLIT = {name: penalty for name, penalty in PENALTIES.items() if name != "lecam"}


def batches(n=64, rounds=1, channels=1, size=8):
    stream = torch.Generator().manual_seed(1)
    for _ in range(rounds):
        images = torch.randint(256, (n, channels, size, size), dtype=torch.uint8, generator=stream)
        yield {"image": images, "label": torch.randint(10, (n,), generator=stream)}


def in_parts(made, parts, rounds=3, n=64, **options):
    made.accumulate = parts
    return train(made, list(batches(n * made.batches_a_round, rounds)), rounds, **options)


def difference(one, two):
    """‖a − b‖ / ‖a‖ over the weights of a player's networks, the largest of the players."""
    found = []
    for name in one.players:
        a, b = (torch.cat([p.detach().flatten() for p in g.trained_by(name)]) for g in (one, two))
        found.append(float((a - b).norm() / a.norm()))
    return max(found)


@pytest.mark.parametrize("loss", LOSSES)
def test_four_parts_move_the_players_as_the_whole_does(loss):
    for name, penalty in SPLIT.items():
        whole, parts = (in_parts(game(loss, penalty), n) for n in (1, 4))
        assert difference(whole, parts) <= 1e-5, name
        assert (parts.iteration, parts.shown) == (whole.iteration, whole.shown) == (3, 192)


def test_codes_are_those_of_the_whole():
    assert difference(in_parts(with_codes(), 1), in_parts(with_codes(), 4)) <= 1e-5


def everything():
    made = game("relativistic", R1, options={
        "augmentations": lambda: {"ada": Adaptive(every=2, speed=2000, p=0.2), "noise": InstanceNoise(0.1)},
        "flip_labels": lambda: 0.1,
        "fresh_batch": lambda: True,
        "ema": lambda: 0.9,
    })  # fmt: skip
    made.penalties["bcr"] = made._penalties["bcr"] = PENALTIES["consistency"]()
    made.observe_every = 1
    return made


@pytest.mark.parametrize("rounds", [6, pytest.param(50, marks=pytest.mark.long)])
def test_with_everything_that_draws_or_learns(rounds):
    whole, parts = (in_parts(everything(), n, rounds) for n in (1, 4))
    assert difference(whole, parts) <= 1e-5
    assert parts.augmentations["ada"].p == whole.augmentations["ada"].p != 0.2
    for name, value in whole.observed.items():
        assert parts.observed[name].item() == pytest.approx(value.item(), rel=1e-3, abs=1e-5), name


def test_half_precision_in_parts_rounds_as_the_whole_does():
    whole, parts = (in_parts(game("hinge", R1), n, precision="bf16-mixed") for n in (1, 4))
    assert 0 < difference(whole, parts) <= 1e-3


def test_a_vaes_noise_is_that_of_the_whole():
    def vae():
        torch.manual_seed(0)
        network = MLP([1, 8, 8], 4, [32], variational=True)
        return VariationalGame(network, {"autoencoder": Player(partial(torch.optim.SGD, lr=1e-3))}, noise=0.1)

    assert difference(in_parts(vae(), 1), in_parts(vae(), 4)) <= 1e-5


class Kept:
    """Bytes of activations that backward passes wait for: the most at a time."""

    def __init__(self):
        self.now = self.most = 0

    def pack(self, tensor):
        self.now += tensor.numel() * tensor.element_size()
        self.most = max(self.most, self.now)
        return Held(self, tensor)


class Held:
    def __init__(self, kept, tensor):
        self.kept, self.tensor = kept, tensor

    def __del__(self):
        self.kept.now -= self.tensor.numel() * self.tensor.element_size()


def test_four_parts_keep_at_most_four_tenths_of_the_activations():
    most = {}
    for parts in (1, 4):
        config = ["model=r3gan", "data.batch_size=32", "model.generator.width=8", "model.discriminator.width=8"]
        made = build_game(validate(composed("data=cifar10", *config, "metrics=none", f"trainer.accumulate={parts}")))
        kept = Kept()
        with torch.autograd.graph.saved_tensors_hooks(kept.pack, lambda held: held.tensor):
            train(made, list(batches(32, channels=3, size=32)), 1)
        most[parts] = kept.most
    assert most[4] <= 0.4 * most[1]


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (
            ("model=dcgan",),
            r"accumulate=4: model.generator.project.1 \(BatchNorm2d\) takes a whole batch together",
        ),
        (
            ("model=gan", "+model/objectives=reacgan"),
            r"objectives.reacgan \(ContrastiveClassifier\) takes a whole",
        ),
        (("model=gan", "+model/penalties=lecam"), r"model.penalties.lecam \(LeCam\) takes a whole batch together"),
        (("model=gan", "++model.discriminator.minibatch_std=true"), r"\(MinibatchStd\) takes a whole batch together"),
        (("model=cyclegan", "data=digits_inverted"), r"accumulate=4: a CycleGame takes a whole batch together"),
        (("model=gan", "data.batch_size=30"), r"batch_size=30: can't be shared equally by 1 processes in 4 parts each"),
    ],
)
def test_what_takes_a_whole_batch_together_is_refused(overrides, said, tmp_path):
    with pytest.raises(ConfigError, match=said):
        run(composed(*SMALL, *overrides, "metrics=none", "trainer.accumulate=4", f"run.root={tmp_path}"))
    assert not list(tmp_path.glob("*/*/record.json"))


def test_parts_are_no_other_run(tmp_path):
    """They differ by rounding, as another number of processes does, and the record says how many there were."""
    options = ("model=gan", "budget.images=192", "data.batch_size=32", "metrics=none")
    whole = trained(tmp_path / "a", *options)
    parts = trained(tmp_path / "b", *options, "trainer.accumulate=4")
    assert whole.path.name == parts.path.name
    assert (whole.read().device.get("parts"), parts.read().device["parts"]) == (None, 4)
