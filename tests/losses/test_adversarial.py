"""Losses against numbers worked out by hand, from both players' sides, at ordinary and extreme logits."""

import math
from functools import partial

import pytest
import torch

from forger.losses.adversarial import (
    boundary,
    hinge,
    is_paired,
    least_squares,
    minimax,
    non_saturating,
    paired,
    relativistic,
    wasserstein,
)

# logit log 3: D = 3/4, so -log D = log(4/3) and -log(1 - D) = log 4; logit 0: D = 1/2
LOG3, LOG2 = math.log(3), math.log(2)
LOSSES = [minimax, non_saturating, least_squares, hinge, wasserstein, relativistic]


def value(loss, player, real, fake, **options):
    """The player's terms as floats; the generator gets no real unless the loss is paired."""
    real = torch.tensor(real, dtype=torch.float64)
    if player == "generator" and not is_paired(loss):
        real = None
    terms = loss(player, real, torch.tensor(fake, dtype=torch.float64), **options)
    assert all(term.shape == () for term in terms.values())
    return {name: term.item() for name, term in terms.items()}


@pytest.mark.parametrize(
    ("loss", "real", "fake", "discriminator", "generator"),
    [
        (
            minimax,
            [LOG3, 0.0],
            [LOG3],
            {"real": (math.log(4 / 3) + LOG2) / 2, "fake": math.log(4)},
            {"adversarial": -math.log(4)},
        ),
        (
            non_saturating,
            [LOG3, 0.0],
            [LOG3],
            {"real": (math.log(4 / 3) + LOG2) / 2, "fake": math.log(4)},
            {"adversarial": math.log(4 / 3)},
        ),
        (least_squares, [3.0, 1.0], [-0.5], {"real": 1.0, "fake": 0.125}, {"adversarial": 1.125}),
        (hinge, [0.5, 3.0], [-2.0, 0.25], {"real": 0.25, "fake": 0.625}, {"adversarial": 0.875}),
        (wasserstein, [1.0, 4.0], [-2.0, 1.0], {"real": -2.5, "fake": -0.5}, {"adversarial": 0.5}),
        (
            relativistic,
            [LOG3, 1.0],
            [0.0, 1.0],
            {"relativistic": (math.log(4 / 3) + LOG2) / 2},
            {"adversarial": (math.log(4) + LOG2) / 2},
        ),
    ],
)
def test_hand_values(loss, real, fake, discriminator, generator):
    if loss in (minimax, non_saturating):
        fake = fake * 2
    assert value(loss, "discriminator", real, fake) == pytest.approx(discriminator, abs=1e-12)
    assert value(loss, "generator", real, fake) == pytest.approx(generator, abs=1e-12)


@pytest.mark.parametrize("loss", [minimax, non_saturating])
def test_soft_labels_are_the_cross_entropy_of_both_outcomes(loss):
    terms = value(loss, "discriminator", [LOG3], [LOG3], real_label=0.9, fake_label=0.2)
    assert terms["real"] == pytest.approx(0.9 * math.log(4 / 3) + 0.1 * math.log(4), abs=1e-12)
    assert terms["fake"] == pytest.approx(0.2 * math.log(4 / 3) + 0.8 * math.log(4), abs=1e-12)
    # smoothing is D's: G keeps its target
    assert value(loss, "generator", [0.0], [LOG3], real_label=0.9, fake_label=0.2) == value(
        loss, "generator", [0.0], [LOG3]
    )


@pytest.mark.parametrize("label", [0.0, 0.1, 1.0])
def test_cross_entropy_agrees_with_torch(label):
    logits = torch.linspace(-30, 30, 41, dtype=torch.float64)
    ours = non_saturating("discriminator", logits, logits, real_label=label, fake_label=label)
    torchs = torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))
    torch.testing.assert_close(ours["real"], torchs, rtol=1e-8, atol=1e-9)
    torch.testing.assert_close(ours["fake"], torchs, rtol=1e-8, atol=1e-9)


def test_small_losses_keep_their_digits_in_single_precision():
    """x - log σ(x) at x = -15 cancels to 0 or 9.5e-7 in float32; the true value is e^-15 = 3.06e-7."""
    terms = non_saturating("discriminator", torch.tensor([15.0]), torch.tensor([-15.0]))
    assert terms["real"].item() == pytest.approx(math.exp(-15), rel=1e-5)
    assert terms["fake"].item() == pytest.approx(math.exp(-15), rel=1e-5)


def test_least_squares_labels_of_the_papers_equation_8():
    labels = {"real_label": 1.0, "fake_label": -1.0, "generator_label": 0.0}
    assert value(least_squares, "discriminator", [3.0], [1.0], **labels) == {"real": 2.0, "fake": 2.0}
    assert value(least_squares, "generator", [3.0], [4.0], **labels) == {"adversarial": 8.0}


# value and slope of each term where both logits are +1e4, and where both are -1e4; half slopes: two samples
EXTREMES = {
    minimax: {
        +1e4: {"real": (0, 0), "fake": (1e4, 1), "adversarial": (-1e4, -1)},
        -1e4: {"real": (1e4, -1), "fake": (0, 0), "adversarial": (0, 0)},
    },
    non_saturating: {
        +1e4: {"real": (0, 0), "fake": (1e4, 1), "adversarial": (0, 0)},
        -1e4: {"real": (1e4, -1), "fake": (0, 0), "adversarial": (1e4, -1)},
    },
    least_squares: {
        +1e4: {"real": (0.5 * 9999**2, 9999), "fake": (5e7, 1e4), "adversarial": (0.5 * 9999**2, 9999)},
        -1e4: {
            "real": (0.5 * 10001**2, -10001),
            "fake": (5e7, -1e4),
            "adversarial": (0.5 * 10001**2, -10001),
        },
    },
    hinge: {
        +1e4: {"real": (0, 0), "fake": (10001, 1), "adversarial": (-1e4, -1)},
        -1e4: {"real": (10001, -1), "fake": (0, 0), "adversarial": (1e4, -1)},
    },
    wasserstein: {
        +1e4: {"real": (-1e4, -1), "fake": (1e4, 1), "adversarial": (-1e4, -1)},
        -1e4: {"real": (1e4, -1), "fake": (-1e4, 1), "adversarial": (1e4, -1)},
    },
}


@pytest.mark.parametrize("loss", EXTREMES)
@pytest.mark.parametrize("logit", [1e4, -1e4])
def test_extreme_logits_give_finite_values_and_slopes(loss, logit):
    for name, (expected, slope) in EXTREMES[loss][logit].items():
        player = "generator" if name == "adversarial" else "discriminator"
        real = torch.full((2,), logit, requires_grad=True)
        fake = torch.full((2,), logit, requires_grad=True)
        term = loss(player, None if player == "generator" else real, fake)[name]
        term.backward()
        gradient = (real if name == "real" else fake).grad
        assert term.item() == pytest.approx(expected, rel=1e-6)
        assert gradient.tolist() == pytest.approx([slope / 2] * 2, rel=1e-6)


@pytest.mark.parametrize(("margin", "d", "g"), [(1e4, (0, 0), (1e4, 1)), (-1e4, (1e4, -1), (0, 0))])
def test_extreme_margins_of_the_paired_loss(margin, d, g):
    for player, (expected, slope) in {"discriminator": d, "generator": g}.items():
        real = torch.tensor([margin / 2], requires_grad=True)
        fake = torch.tensor([-margin / 2], requires_grad=True)
        (term,) = relativistic(player, real, fake).values()
        term.backward()
        assert term.item() == pytest.approx(expected)
        assert real.grad.item() == slope
        assert fake.grad.item() == -slope


@pytest.mark.parametrize("label", [0.1, 0.9])
@pytest.mark.parametrize("logit", [1e4, -1e4])
def test_soft_labels_are_finite_at_extreme_logits(label, logit):
    x = torch.tensor([logit], requires_grad=True)
    term = non_saturating("discriminator", x, x.detach(), real_label=label)["real"]
    term.backward()
    assert term.item() == pytest.approx(1e4 * (1 - label if logit > 0 else label), rel=1e-5)
    assert x.grad.item() == pytest.approx((1 - label) if logit > 0 else -label, rel=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_slopes_agree_with_finite_differences(loss, player):
    """Also for maps of logits, as a PatchGAN returns them."""
    real, fake = torch.randn(2, 3, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    real.requires_grad_()
    fake.requires_grad_()
    assert torch.autograd.gradcheck(lambda r, f: sum(loss(player, r, f).values()), (real, fake))


@pytest.mark.parametrize("loss", LOSSES)
def test_half_precision_logits_are_averaged_in_single(loss):
    """bfloat16 has 8 bits: an average in it would be off in the third digit."""
    logits = torch.full((1000,), 1.5, dtype=torch.bfloat16)
    for player in ("discriminator", "generator"):
        for name, term in loss(player, logits, logits).items():
            assert term.dtype == torch.float32
            exact = loss(player, logits.double(), logits.double())[name]
            assert term.item() == pytest.approx(exact.item(), rel=1e-6)


def test_saturating_and_not_differ_where_the_discriminator_is_sure():
    """The notes' reason: at D(G(z)) ≈ 0 minimax has no slope for G, and non-saturating has slope -1."""
    slopes = []
    for loss in (minimax, non_saturating):
        fake = torch.tensor([-12.0], requires_grad=True)
        loss("generator", None, fake)["adversarial"].backward()
        slopes.append(fake.grad.item())
    assert slopes[0] == pytest.approx(-math.exp(-12), rel=1e-4)
    assert slopes[1] == pytest.approx(-1, abs=1e-5)


def test_paired_is_seen_through_partials():
    assert is_paired(relativistic)
    assert is_paired(partial(partial(relativistic)))
    assert not any(is_paired(loss) for loss in LOSSES[:-1])
    assert not is_paired(partial(minimax, real_label=0.9))
    assert is_paired(paired(lambda player, real, fake: {}))


def test_a_paired_loss_refuses_to_pair_unequal_batches():
    with pytest.raises(AssertionError, match="one real for each fake"):
        relativistic("discriminator", torch.zeros(1), torch.zeros(4))


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (minimax, 0.0),
        (non_saturating, 0.0),
        (partial(non_saturating, real_label=0.9), 0.0),
        (hinge, 0.0),
        (least_squares, 0.5),
        (partial(least_squares, real_label=1.0, fake_label=-1.0), 0.0),
        (partial(partial(least_squares, real_label=5.0), fake_label=1.0), 3.0),
        (wasserstein, 6.0),
        (relativistic, 6.0),
    ],
)
def test_where_a_discriminator_is_undecided(loss, expected):
    real, fake = torch.tensor([7.0, 9.0]), torch.tensor([3.0, 5.0])
    assert boundary(loss, real, fake) == expected
