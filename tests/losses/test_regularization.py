"""LeCam against a plain reference with Python numbers, consistency against its definition, and clipped weights."""

import pytest
import torch
from torch import nn

from forger.augmentation.base import Augmentation
from forger.augmentation.differentiable import DiffAugment
from forger.losses.constraints import clip_weights
from forger.losses.penalty import PenaltyInputs
from forger.losses.regularization import BalancedConsistency, LeCam
from forger.randomness import Noise


def meet(real_logits, fake_logits, shown=0, discriminator=None, images=None):
    stream = Noise(torch.Generator().manual_seed(0))
    images = images or (torch.zeros(len(real_logits), 1), torch.zeros(len(fake_logits), 1))
    return PenaltyInputs(*images, real_logits, fake_logits, discriminator or nn.Identity(), stream, shown)


def reference(rounds, decay, start, per_round=10):
    """Tseng et al. 2021, eq. 6 and 8, one number at a time."""
    alpha_real = alpha_fake = None
    for i, (real, fake) in enumerate(rounds):
        began = i * per_round >= start
        if alpha_real is None or not began:
            value = 0.0
        else:
            value = sum((x - alpha_fake) ** 2 for x in real) / len(real)
            value += sum((x - alpha_real) ** 2 for x in fake) / len(fake)
        yield value
        mean_real, mean_fake = sum(real) / len(real), sum(fake) / len(fake)
        d = decay if began and alpha_real is not None else 0.0
        alpha_real = d * (alpha_real or 0.0) + (1 - d) * mean_real
        alpha_fake = d * (alpha_fake or 0.0) + (1 - d) * mean_fake


@pytest.mark.parametrize("start", [0, 25])
def test_lecam_equals_a_plain_reference(start):
    draw = torch.Generator().manual_seed(1)
    rounds = torch.randn(7, 2, 5, generator=draw, dtype=torch.double) + torch.tensor([[1.0], [-2.0]])
    lecam = LeCam(weight=0.3, every=2, decay=0.7, start=start).double()
    expected = reference(rounds.tolist(), 0.7, start)
    for i, (value, (real, fake)) in enumerate(zip(expected, rounds, strict=True)):
        assert lecam(meet(real, fake, 10 * i)).item() == pytest.approx(2 * 0.3 * value, rel=1e-12)


def test_lecam_by_hand():
    """After one round with means 2 and -1: (3 + 1)² and (-2 - 2)²."""
    lecam = LeCam(weight=1.0)
    assert lecam(meet(torch.tensor([1.0, 3.0]), torch.tensor([0.0, -2.0]))) == 0
    assert lecam(meet(torch.tensor([3.0]), torch.tensor([-2.0]))) == 32


def test_lecams_gradient_pulls_reals_and_fakes_towards_each_other():
    """2 (D(x) − α_F) and 2 (D(G(z)) − α_R): descent lowers reals and raises fakes."""
    lecam = LeCam(weight=1.0)
    lecam(meet(torch.tensor([2.0]), torch.tensor([-1.0])))
    real, fake = torch.tensor([3.0], requires_grad=True), torch.tensor([-2.0], requires_grad=True)
    lecam(meet(real, fake)).backward()
    assert (real.grad.item(), fake.grad.item()) == (8.0, -8.0)


def test_lecam_takes_maps_of_logits_and_is_saved():
    lecam, again = LeCam(decay=0.5), LeCam(decay=0.5)
    maps = torch.full((4, 3, 3), 2.0), torch.full((4, 3, 3), -1.0)
    lecam(meet(*maps))
    again.load_state_dict(lecam.state_dict())
    assert again(meet(*maps)) == lecam(meet(*maps)) > 0


class Brighter(Augmentation):
    def changed(self, images, noise, shown):
        return images + 0.5


def test_consistency_by_hand():
    """D(x) = 2 · mean of x: T moves every logit by 1, whatever the image."""
    images = torch.randn(6, 1, 2, 2), torch.randn(6, 1, 2, 2)

    def judge(x):
        return 2 * x.mean((1, 2, 3))

    penalty = BalancedConsistency(Brighter(), weight=5.0, every=3)
    inputs = meet(judge(images[0]), judge(images[1]), discriminator=judge, images=images)
    torch.testing.assert_close(penalty.per_sample(inputs), torch.full((6,), 2.0))
    assert penalty(inputs).item() == pytest.approx(30.0)


def test_consistency_trains_both_looks_and_not_the_generator():
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0))
    images = torch.randn(4, 1, 8, 8, requires_grad=True), torch.randn(4, 1, 8, 8, requires_grad=True)
    real_logits, fake_logits = critic(images[0].detach()), critic(images[1].detach())
    inputs = meet(real_logits, fake_logits, discriminator=critic, images=images)
    value = BalancedConsistency(DiffAugment())(inputs)
    (both,) = torch.autograd.grad(value, critic[1].weight, retain_graph=True)
    still = meet(real_logits.detach(), fake_logits.detach(), discriminator=critic, images=images)
    (one,) = torch.autograd.grad(BalancedConsistency(DiffAugment())(still), critic[1].weight)
    assert not torch.allclose(both, one)
    assert images[0].grad is None
    assert images[1].grad is None
    assert BalancedConsistency(DiffAugment(policy=[]))(inputs) == 0


def test_clipped_weights_lie_in_their_box():
    layer = nn.Linear(50, 50)
    inside = layer.weight.abs() <= 0.05
    before = layer.weight.detach().clone()
    clip_weights(layer.parameters(), bound=0.05)
    assert layer.weight.abs().max().item() == pytest.approx(0.05)
    assert torch.equal(layer.weight[inside], before[inside])
    assert (layer.weight[~inside] == before[~inside].sign() * 0.05).all()
    assert layer.bias.abs().max() <= 0.05
