"""Penalties against closed forms for linear and quadratic critics, and float64 finite differences."""

import pytest
import torch
from torch import nn

from forger.losses.penalties import DRAGAN, R1, R2, GradientPenalty, ZeroCentered, interpolates
from forger.losses.penalty import PenaltyInputs
from forger.networks import dcgan, mlp
from forger.randomness import Noise

ALL = [R1, R2, GradientPenalty, ZeroCentered, DRAGAN]
DOUBLE = torch.float64


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def meet(discriminator, real, fake, stream=None):
    """Inputs of which a gradient penalty uses the images alone."""
    none = torch.empty(0)
    return PenaltyInputs(real, fake, none, none, discriminator, Noise(stream or rng()))


def batches(*shape, dtype=DOUBLE):
    g = rng(7)
    return torch.randn(shape, generator=g, dtype=dtype), torch.randn(shape, generator=g, dtype=dtype)


def linear(x):
    """Gradient (3, 4, 0, 0) everywhere: norm 5."""
    return x.flatten(1) @ torch.tensor([3.0, 4, 0, 0], dtype=x.dtype)


def quadratic(x):
    """½‖x‖², whose gradient is x."""
    return 0.5 * x.flatten(1).square().sum(1)


def wavy(x):
    return x.sin().prod(1)


@pytest.mark.parametrize(
    ("penalty", "expected"),
    [(R1, 12.5), (R2, 12.5), (GradientPenalty, 16.0), (ZeroCentered, 25.0), (DRAGAN, 16.0)],
)
def test_linear_critic(penalty, expected):
    real, fake = batches(6, 1, 2, 2)
    values = penalty(weight=2.0, every=3).per_sample(meet(linear, real, fake))
    assert values.shape == (6,)
    torch.testing.assert_close(values, torch.full((6,), expected, dtype=DOUBLE))
    assert penalty(weight=2.0, every=3)(meet(linear, real, fake)).item() == pytest.approx(6 * expected)


def test_quadratic_critic_tells_where_each_penalty_looks():
    real, fake = batches(6, 4)
    share = torch.rand(6, 1, generator=rng()).double()
    between = (real + share * (fake - real)).norm(dim=1)
    near = (real + 0.25 * torch.randn(6, 4, generator=rng()).double()).norm(dim=1)
    for penalty, expected in [
        (R1(), 0.5 * real.norm(dim=1) ** 2),
        (R2(), 0.5 * fake.norm(dim=1) ** 2),
        (GradientPenalty(), (between - 1) ** 2),
        (ZeroCentered(), between**2),
        (DRAGAN(), (near - 1) ** 2),
    ]:
        torch.testing.assert_close(penalty.per_sample(meet(quadratic, real, fake)), expected)


def test_interpolates_lie_between_and_move_each_sample_by_its_own_share():
    real, fake = torch.zeros(500, 1, 2, 2), torch.ones(500, 1, 2, 2)
    points = interpolates(real, fake, Noise(rng()))
    assert (points == points[:, :, :1, :1]).all()
    share = points[:, 0, 0, 0]
    assert share.min() >= 0
    assert share.max() <= 1
    assert len(share.unique()) > 490
    assert share.mean().item() == pytest.approx(0.5, abs=0.05)


def smooth_critic():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0)).double()


def numeric_gradients(critic, x, step=1e-6):
    """Central differences of the critic's logits, coordinate by coordinate."""
    columns = []
    with torch.no_grad():
        for i in range(x.shape[1]):
            shift = torch.zeros_like(x)
            shift[:, i] = step
            columns.append((critic(x + shift) - critic(x - shift)) / (2 * step))
    return torch.stack(columns, dim=1)


@pytest.mark.parametrize("penalty", ALL)
def test_values_agree_with_finite_differences(penalty):
    critic = smooth_critic()
    real, fake = batches(5, 3)
    between = interpolates(real, fake, Noise(rng()))
    near = real + 0.25 * torch.randn(5, 3, generator=rng())
    places = {R1: real, R2: fake, GradientPenalty: between, ZeroCentered: between, DRAGAN: near}
    g = numeric_gradients(critic, places[penalty]).norm(dim=1)
    formulas = {R1: g**2 / 2, R2: g**2 / 2, ZeroCentered: g**2}
    expected = formulas.get(penalty, (g - 1) ** 2)
    actual = penalty().per_sample(meet(critic, real, fake))
    torch.testing.assert_close(actual, expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("penalty", ALL)
def test_weight_gradients_agree_with_finite_differences(penalty):
    """The double backward: d penalty / d weights against central differences of the penalty itself."""
    critic = smooth_critic()
    real, fake = batches(5, 3)

    def total():
        return penalty()(meet(critic, real, fake))

    weight = critic[0].weight
    (actual,) = torch.autograd.grad(total(), weight)
    for i, j in [(0, 0), (3, 1), (7, 2)]:
        with torch.no_grad():
            weight[i, j] += 1e-5
        above = total().item()
        with torch.no_grad():
            weight[i, j] -= 2e-5
        below = total().item()
        with torch.no_grad():
            weight[i, j] += 1e-5
        assert actual[i, j].item() == pytest.approx((above - below) / 2e-5, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("penalty", ALL)
def test_nothing_reaches_the_generator_or_the_images(penalty):
    real, fake = batches(4, 3)
    real.requires_grad_()
    fake.requires_grad_()
    penalty()(meet(smooth_critic(), real, fake)).backward()
    assert real.grad is None
    assert fake.grad is None


@pytest.mark.parametrize("penalty", ALL)
def test_a_flat_critic_gives_finite_weight_gradients(penalty):
    """‖∇D‖ = 0 is where the slope of a square root would be NaN."""
    critic = smooth_critic()
    nn.init.zeros_(critic[2].weight)
    real, fake = batches(4, 3)
    penalty()(meet(critic, real, fake)).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in critic.parameters())


@pytest.mark.parametrize("penalty", ALL)
def test_autocast_and_half_precision_inputs_change_nothing(penalty):
    """Same bits in and out of autocast; bfloat16 images are promoted, not the critic demoted."""
    torch.manual_seed(0)
    critic = dcgan.Discriminator(8, 1, width=4, norm="none")
    real, fake = batches(4, 1, 8, 8, dtype=torch.float32)
    real, fake = real.bfloat16(), fake.bfloat16()
    plain = penalty()(meet(critic, real.float(), fake.float()))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = penalty()(meet(critic, real, fake))
    assert mixed.dtype == torch.float32
    assert mixed.item() == plain.item()


def test_random_numbers_come_from_the_generator_alone():
    real, fake = batches(4, 3)
    for penalty in ALL:
        torch.manual_seed(1)
        state = torch.get_rng_state()
        first = penalty()(meet(wavy, real, fake, rng(5)))
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.equal(first, penalty()(meet(wavy, real, fake, rng(5))))
        if penalty not in (R1, R2):
            assert not torch.equal(first, penalty()(meet(wavy, real, fake, rng(6))))


def test_a_map_of_logits_counts_as_its_mean():
    """A PatchGAN that says the same in each of 9 places is penalised like one that says it once."""
    real, fake = batches(4, 1, 2, 2)
    maps = R1().per_sample(meet(lambda x: quadratic(x)[:, None, None].expand(-1, 3, 3), real, fake))
    torch.testing.assert_close(maps, R1().per_sample(meet(quadratic, real, fake)))


def test_gradients_can_be_taken_inside_no_grad():
    """A watch may ask for a penalty's value where gradients are off."""
    real, fake = batches(2, 4)
    with torch.no_grad():
        assert R1()(meet(quadratic, real, fake)).item() > 0


def test_every_penalty_trains_every_discriminator_without_batch_norm():
    real, fake = batches(4, 1, 8, 8, dtype=torch.float32)
    labels = torch.arange(4) % 2
    for penalty in ALL:
        for norm in ("none", "layer", "instance", "spectral"):
            critic = dcgan.Discriminator(8, 1, width=2, classes=2, norm=norm)
            penalty()(meet(lambda x, d=critic: d(x, labels), real, fake)).backward()
            assert all(p.grad is None or p.grad.isfinite().all() for p in critic.parameters())
        critic = mlp.Discriminator([1, 8, 8], width=4, minibatch_std=True, fourier=3)
        penalty()(meet(critic, real, fake)).backward()
        assert critic.blocks[0][0].weight.grad.isfinite().all()
