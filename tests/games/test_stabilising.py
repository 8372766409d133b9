"""What keeps an adversarial game stable, in the game: augmentations, flipped labels, constraints, rates, averages."""

import copy
from functools import partial

import pytest
import pytorch_lightning as pl
import torch

from forger.augmentation.adaptive import Adaptive
from forger.augmentation.base import Augmentation
from forger.augmentation.differentiable import DiffAugment
from forger.augmentation.noise import InstanceNoise
from forger.data.images import digits
from forger.data.loader import Batches
from forger.errors import Diverged
from forger.games.adversarial import AdversarialGame
from forger.games.base import Player
from forger.games.ema import MovingAverage
from forger.games.schedules import linear
from forger.losses import adversarial as losses
from forger.losses.constraints import clip_weights
from forger.losses.penalties import R1
from forger.losses.regularization import BalancedConsistency, LeCam
from forger.networks import mlp
from games.training import train

ADAM = partial(torch.optim.Adam, lr=1e-3, betas=(0.0, 0.99))
SGD = partial(torch.optim.SGD, lr=1.0)


def game(loss=losses.hinge, optimizer=ADAM, discriminator=None, generator=None, **options):
    torch.manual_seed(1)
    G, D = mlp.Generator(8, [1, 8, 8], 32), mlp.Discriminator([1, 8, 8], 32)
    players = {
        "discriminator": Player(**({"optimizer": optimizer} | (discriminator or {}))),
        "generator": Player(**({"optimizer": optimizer} | (generator or {}))),
    }
    return AdversarialGame(G, D, loss, players, latent=8, **options)


def batches(played):
    return Batches(digits().train, batch_size=32, seed=0, position=lambda: played.iteration)


def play(played, rounds=1, observe_every=1):
    played.observe_every = observe_every
    return train(played, batches(played), rounds)


class Recorder(Augmentation):
    """Changes nothing, and remembers what passed and which noise came with it."""

    def __init__(self):
        super().__init__()
        self.passed = []

    def changed(self, images, noise, shown):
        self.passed.append((images.detach().clone(), images.requires_grad, noise.uniform((1,)).item(), shown))
        return images


# What the discriminator sees ------------------------------------------------------------------------------------


def test_every_image_passes_the_augmentations_with_noise_of_its_own():
    recorder = Recorder()
    penalties = {"r1": R1(), "bcr": BalancedConsistency(DiffAugment())}
    played = play(game(losses.relativistic, augmentations={"recorder": recorder}, penalties=penalties))
    # D's turn: real, fake, R1's, bCR's two; G's turn: real, fake
    assert len(recorder.passed) == 7
    real, fake = recorder.passed[0][0], recorder.passed[1][0]
    for place, expected in ((2, real), (5, real), (6, fake)):
        assert torch.equal(recorder.passed[place][0], expected)
    assert [grad for _, grad, _, _ in recorder.passed] == [False, False, True, False, False, False, True]
    assert len({number for _, _, number, _ in recorder.passed}) == 7
    assert played.discriminate(real).shape == (32,)
    assert len(recorder.passed) == 7  # evaluation sees images as they are


def test_augmentations_follow_each_other_in_order():
    recorder = Recorder()
    play(game(augmentations={"noise": InstanceNoise(5.0), "recorder": recorder}))
    assert recorder.passed[0][0].abs().max() > 5


def test_instance_noise_is_what_it_says():
    """One round of plain descent against the same round with the noise put in by hand."""
    noisy, plain = game(optimizer=SGD, augmentations={"noise": InstanceNoise(0.3)}), game(optimizer=SGD)

    def with_noise(self, images, labels, noise):
        return self.discriminator(images + 0.3 * noise.normal(images.shape), labels).float()

    plain._judge = with_noise.__get__(plain)
    for mine, theirs in zip(play(noisy).parameters(), play(plain).parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_the_generator_learns_through_the_augmentation():
    """An augmentation that hides the images leaves it nothing to learn."""

    class Hide(Augmentation):
        def changed(self, images, noise, shown):
            return 0 * images

    played = play(game(losses.wasserstein, augmentations={"hide": Hide()}))
    assert played.observed["watch/generator_gradient"] == 0
    played = play(game(losses.wasserstein, augmentations={"diffaugment": DiffAugment()}))
    assert played.observed["watch/generator_gradient"] > 0


def test_the_adaptive_probability_follows_the_discriminator_and_is_observed():
    adaptive = Adaptive(every=2, speed=640)  # 2 · 32 / 640 = 0.1 a time
    played = play(game(augmentations={"ada": adaptive}, discriminator={"every": 1}), 7)
    assert played.observed["watch/ada_p"] == adaptive.p
    assert any(adaptive.p.item() == pytest.approx(p) for p in (0.1, 0.2, 0.3))
    assert adaptive.rounds == 1


@pytest.mark.parametrize("loss", [losses.hinge, losses.relativistic, losses.least_squares])
def test_flipped_labels(loss):
    """With probability 1 reals and fakes change places, with 1/2 about half of the pairs do."""
    seen = []

    def recording(player, real, fake):
        if player == "discriminator":
            seen.append((real.detach(), fake.detach()))
        return loss(player, real, fake)

    if losses.is_paired(loss):
        recording = losses.paired(recording)
    for share in (0.0, 1.0, 0.5):
        play(game(recording, flip_labels=share))
    (real, fake), (all_real, all_fake), (half_real, half_fake) = seen
    assert torch.equal(all_real, fake)
    assert torch.equal(all_fake, real)
    flipped = half_real == fake
    assert 4 <= flipped.sum() <= 28
    assert torch.equal(half_real, torch.where(flipped, fake, real))
    assert torch.equal(half_fake, torch.where(flipped, real, fake))


# Signals ----------------------------------------------------------------------------------------------------


def test_gap_and_accuracy_by_hand():
    played = game(losses.least_squares)
    logits = iter([torch.tensor([1.0, 0.8, 0.3]), torch.tensor([0.2, 0.6, 0.4])])
    played._judge = lambda *_: next(logits).requires_grad_()
    played.observing = True
    played._detect({"image": torch.zeros(3, 1, 8, 8), "fake": torch.zeros(3, 1, 8, 8)})
    assert played.observed["watch/logit_gap"].item() == pytest.approx(0.3)
    assert played.observed["watch/d_accuracy"].item() == pytest.approx(2 / 3)  # at ½: two of three each


def test_the_update_is_the_steps_length_over_the_weights():
    played = game(optimizer=SGD)
    before = [p.detach().clone() for p in played.discriminator.parameters()]
    play(played)
    length = torch.cat([b.flatten() for b in before]).norm()
    expected = played.observed["watch/discriminator_gradient"] / length  # plain descent at rate 1
    torch.testing.assert_close(played.observed["watch/discriminator_update"], expected)


def test_observing_changes_no_weight():
    for mine, theirs in zip(play(game(), 5).parameters(), play(game(), 5, observe_every=100).parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_a_player_that_seldom_moves_is_observed_in_its_last_move():
    """Rows of 4 rounds, G moves in rounds 0, 3, 6, …: row 0–3 shows round 3, row 4–7 round 6."""
    played = game(generator={"every": 3})
    play(played, 4, observe_every=4)
    names = set(played.observed)
    assert {"train/generator/adversarial", "train/discriminator/real", "watch/generator_update"} <= names
    first = played.observed["train/generator/adversarial"]
    play(played, 4, observe_every=4)
    assert set(played.observed) == names
    assert played.observed["train/generator/adversarial"] != first
    play(played, 4, observe_every=1)  # rounds 8 to 11: in 11 G does not move
    assert "train/generator/adversarial" not in played.observed


# Divergence -------------------------------------------------------------------------------------------------


def test_a_spoilt_weight_is_named():
    played = game()
    with torch.no_grad():
        played.discriminator.blocks[1][0].weight[3, 2] = float("inf")
    with pytest.raises(Diverged, match=r"the weight 'discriminator\.blocks\.1\.0\.weight' is inf") as caught:
        play(played)
    assert (caught.value.kind, caught.value.player, caught.value.iteration) == ("weight", "discriminator", 0)


def test_a_spoilt_gradient_is_named_before_it_spoils_the_weights():
    played = game()
    played.discriminator.output.weight.register_hook(lambda gradient: gradient * float("nan"))
    before = copy.deepcopy(played.state_dict())
    with pytest.raises(
        Diverged, match=r"the gradient of 'discriminator\.output\.weight' is nan on the discriminator's"
    ):
        play(played)
    assert all(torch.equal(value, before[name]) for name, value in played.state_dict().items())


# Players ----------------------------------------------------------------------------------------------------


def test_a_constraint_holds_after_each_step_of_its_player_alone():
    played = play(game(discriminator={"constraint": partial(clip_weights, bound=0.01)}), 2)
    assert max(p.abs().max() for p in played.discriminator.parameters()) <= 0.01 + 1e-9
    assert max(p.abs().max() for p in played.generator.parameters()) > 0.01


def test_two_rates_and_their_schedules():
    """TTUR, and a schedule that is over: the generator stands still."""
    ended = partial(linear, budget=1)
    played = game(discriminator={"optimizer": partial(ADAM, lr=4e-3)}, generator={"schedule": ended})
    before = copy.deepcopy(played.state_dict())
    play(played)
    moved = play(played).state_dict()
    rates = [group["lr"] for o in played.trainer.optimizers for group in o.param_groups]
    assert rates == [4e-3, 0.0]
    assert not torch.equal(moved["discriminator.output.weight"], before["discriminator.output.weight"])


def test_the_average_warms_up():
    """w̄ ← d w̄ + (1 − d) w with d = min(decay, (1 + t) / (10 + t)): 0.1, 2/11, …"""
    network = torch.nn.Linear(1, 1, bias=False)
    network.weight.data.fill_(0.0)
    averages = {warm: MovingAverage(network, 0.9, warm) for warm in (True, False)}
    network.weight.data.fill_(1.0)
    expected = {True: [0.9, 1 - 0.1 * 2 / 11], False: [0.1, 0.19]}
    for t in range(2):
        for warm, average in averages.items():
            average.update(network, t)
            assert average.network.weight.item() == pytest.approx(expected[warm][t])


# Resuming ---------------------------------------------------------------------------------------------------


def remembering():
    """Everything that has a state of its own, or a clock."""
    augmentations = {
        "noise": InstanceNoise(0.2, partial(linear, budget=500)),
        "ada": Adaptive(every=2, speed=1000, p=0.5),
    }
    penalties = {"lecam": LeCam(decay=0.9), "r1": R1(0.1, every=2), "bcr": BalancedConsistency(DiffAugment(), every=3)}
    options = {"augmentations": augmentations, "penalties": penalties, "flip_labels": 0.1, "ema": 0.99}
    return game(losses.least_squares, generator={"every": 2, "clip": 1.0}, **options)


class Until(pl.Callback):
    def __init__(self, rounds):
        self.rounds = rounds

    def on_train_batch_end(self, trainer, pl_module, *_):
        trainer.should_stop = pl_module.iteration >= self.rounds


def fit(played, rounds, **options):
    """As `forger.run` trains: one endless epoch, which ends in the round that is told."""
    silent = {
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
    }
    trainer = pl.Trainer(accelerator="cpu", max_epochs=-1, callbacks=[Until(rounds)], **silent)
    played.observe_every = 5
    trainer.fit(played, batches(played), **options)
    return trainer


@pytest.mark.parametrize("kill", [1, 5, 8])
def test_a_run_resumed_in_the_middle_ends_with_the_same_bits(kill, tmp_path):
    whole, first, second = remembering(), remembering(), remembering()
    fit(whole, 13)
    fit(first, kill).save_checkpoint(tmp_path / "last.ckpt")
    fit(second, 13, ckpt_path=tmp_path / "last.ckpt", weights_only=True)
    assert (second.iteration, second.shown) == (whole.iteration, whole.shown) == (13, 13 * 32)
    assert whole.augmentations["ada"].p not in (0, 0.5)
    expected = whole.state_dict()
    assert {"augmentations.ada.p", "penalties.lecam.real_mean"} <= set(expected)
    for name, value in second.state_dict().items():
        assert torch.equal(value, expected[name]), name
    assert {name: float(value) for name, value in second.observed.items()} == {
        name: float(value) for name, value in whole.observed.items()
    }
