"""Batches in parts: the gradients of the whole, less memory, and what is refused."""

from functools import partial

import pytest
import torch
from torch import nn

from forger.augmentation.adaptive import Adaptive
from forger.augmentation.noise import InstanceNoise
from forger.building import build_game
from forger.config.schema import validate
from forger.errors import ConfigError
from forger.games.adversarial import AdversarialGame
from forger.games.base import Player
from forger.games.variational import VariationalGame
from forger.losses.adversarial import hinge
from forger.losses.penalties import R1
from forger.networks import mlp, resnet, stylegan2
from forger.networks.autoencoders import MLP
from forger.networks.blocks import spectral
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


def with_spectral_norm():
    """In both networks, which pass forward a different number of times in rounds with and without the penalty."""
    torch.manual_seed(0)
    G, D = resnet.Generator(8, 8, 1, 4, classes=10, norm="none"), resnet.Discriminator(8, 1, 4, classes=10)
    spectral(G)
    optimizer = partial(torch.optim.SGD, lr=0.05)
    players = {"discriminator": Player(optimizer), "generator": Player(optimizer, every=2)}
    return AdversarialGame(G, D, hinge, players, 8, {"r1": R1(every=2)}, classes=10)


def with_a_mean_of_styles():
    torch.manual_seed(0)
    G = stylegan2.Generator(8, 8, 1, 4, style=6, depth=1, classes=10, mixing=0.0, max_width=8)
    players = {name: Player(partial(torch.optim.SGD, lr=1e-3), freeze=freeze) for name, freeze in
               (("discriminator", []), ("generator", ["generator.*strength"]))}  # fmt: skip
    return AdversarialGame(G, mlp.Discriminator([1, 8, 8], 32, classes=10), hinge, players, 8, classes=10)


@pytest.mark.parametrize("make", [with_spectral_norm, with_a_mean_of_styles])
@pytest.mark.parametrize("rounds", [3, pytest.param(50, marks=pytest.mark.long)])
def test_what_forward_passes_change_in_layers_is_left_as_by_the_whole(make, rounds):
    whole, parts = (in_parts(make(), n, rounds) for n in (1, 4))
    assert difference(whole, parts) <= 1e-5
    kept = dict(whole.named_buffers())
    for name, value in parts.named_buffers():
        torch.testing.assert_close(value, kept[name], rtol=1e-5, atol=1e-6, msg=name)


def gradients(parts, precision):
    """Of a round that moves nothing, by player."""
    played = in_parts(game("hinge", R1, partial(torch.optim.SGD, lr=0.0)), parts, 1, precision=precision)
    return {name: torch.cat([p.grad.flatten() for p in played.trained_by(name)]) for name in played.players}


def test_half_precision_in_parts_is_no_farther_from_float32_than_the_whole():
    """Whole and parts are equally far from the float32 gradient, and nearer to each other: they differ by rounding."""
    exact, whole, parts = gradients(1, "32-true"), gradients(1, "bf16-mixed"), gradients(4, "bf16-mixed")
    for name, gradient in exact.items():
        off = (whole[name] - gradient).norm()
        assert 0 < (parts[name] - gradient).norm() <= 1.1 * off
        assert (parts[name] - whole[name]).norm() <= 0.5 * off


class Drawn(nn.Module):
    """A generator that draws at random, and remembers what it made."""

    def __init__(self):
        super().__init__()
        self.layers, self.made = nn.Sequential(nn.Linear(8, 64), nn.Dropout(0.5)), []

    def forward(self, z, labels):
        self.made.append(self.layers(z).unflatten(1, (1, 8, 8)))
        return self.made[-1]


def test_players_meet_the_same_fakes_though_layers_draw():
    made = game("hinge")
    made.generator = Drawn()
    in_parts(made, 2, 1)
    (of_d, other), (of_g, another) = (made.generator.made[i : i + 2] for i in (0, 2))
    assert torch.equal(of_d, of_g)
    assert torch.equal(other, another)
    assert not torch.equal(of_d == 0, other == 0)


@pytest.mark.parametrize(("model", "draws"), [("pix2pix", True), ("gan", False)])
def test_a_run_says_that_layers_draw_for_each_part(model, draws, tmp_path):
    data = ("data=digits_averaged",) if model == "pix2pix" else ()
    run = trained(tmp_path, f"model={model}", *data, "budget.images=128", "metrics=none", "trainer.accumulate=4")
    said = "accumulate=4: what layers draw (dropout, noise) is drawn for each part"
    assert (said in run.log_file.read_text()) is draws


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


@pytest.mark.long
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
