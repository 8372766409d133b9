"""Nearest-neighbour scores against prdc, torch-fidelity and cases that can be counted."""

import pytest
import torch
from prdc import compute_prdc
from torch_fidelity.metric_prc import calculate_precision_recall_full

from forger.metrics.functional import distances, neighbours
from forger.metrics.functional.distances import nearest
from forger.metrics.functional.neighbours import (
    nearest_distance,
    neighbour_radius,
)


def of_whole(score):
    """The scores of all fakes, without subsets of them."""
    return lambda fake, *sets, **options: score(fake, *sets, [torch.arange(len(fake))], **options)[0]


precision_recall, density_coverage, memorisation = map(
    of_whole, (neighbours.precision_recall, neighbours.density_coverage, neighbours.memorisation)
)


def normal(n: int, d: int, seed: int, scale: float = 1.0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * scale


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("block", [7, 1024])
def test_equals_prdc_and_torch_fidelity(k, block, monkeypatch):
    monkeypatch.setattr(distances, "ROWS", block)
    fake, real = normal(90, 12, 0, 0.8) + 3, normal(110, 12, 1) + 3
    theirs = compute_prdc(real.numpy(), fake.numpy(), k)
    expected = (theirs["precision"], theirs["recall"])
    assert precision_recall(fake, real, k=k) == pytest.approx(expected, abs=1e-9)
    assert precision_recall(fake, real, k=k) == pytest.approx(
        calculate_precision_recall_full(fake, real, neighborhood=k), abs=1e-6
    )
    assert density_coverage(fake, real, k=k) == pytest.approx((theirs["density"], theirs["coverage"]), abs=1e-9)


def test_subsets_of_the_fakes_are_scored_like_sets_of_their_own():
    fake, real = normal(120, 5, 0, 0.8), normal(300, 5, 1)
    parts = [torch.arange(120), torch.arange(7), torch.randperm(120, generator=torch.Generator().manual_seed(2))[:60]]
    for part, found in zip(parts, neighbours.precision_recall(fake, real, parts), strict=True):
        theirs = compute_prdc(real.numpy(), fake[part].numpy(), 3)
        assert found == pytest.approx((theirs["precision"], theirs["recall"]), abs=1e-9)
    for part, found in zip(parts, neighbours.density_coverage(fake, real, parts, 3), strict=True):
        theirs = compute_prdc(real.numpy(), fake[part].numpy(), 3)
        assert found == pytest.approx((theirs["density"], theirs["coverage"]), abs=1e-9)


@pytest.mark.parametrize("distance", [0.0, 1e6])
def test_neighbours_are_exact_where_float32_can_not_tell_them(distance):
    """Two clusters of spread 1e-3, far apart: in float32 all distances within one are rounding."""
    points = torch.cat([normal(300, 4, 0, 1e-3), normal(300, 4, 1, 1e-3) + distance])
    expected = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist").kthvalue(4, dim=1).values
    assert neighbour_radius(points, 3) == pytest.approx(expected, rel=1e-6)
    assert nearest(points, points[::2], 2)[0] == pytest.approx(
        torch.cdist(points, points[::2], compute_mode="donot_use_mm_for_euclid_dist").topk(2, largest=False).values,
        rel=1e-6,
    )


def test_on_a_line_by_hand():
    real = torch.tensor([[0.0], [1.0], [3.0], [10.0]])  # distances to the nearest: 1, 1, 2, 7
    fake = torch.tensor([[0.5], [4.5], [30.0]])  # 4, 4, 25.5
    # Fakes inside: 0.5 in two balls, 4.5 in the ball of 3 (and of 10: 5.5 < 7), 30 in none.
    precision, recall = precision_recall(fake, real, k=1)
    assert precision == pytest.approx(2 / 3)
    assert recall == 1.0  # 0, 1, 3 within 4 of 0.5; 10 within 25.5 of 30
    density, coverage = density_coverage(fake, real, k=1)
    assert density == pytest.approx((2 + 2 + 0) / 3)
    assert coverage == 1.0


def test_a_set_that_forgot_half_has_precision_but_no_recall():
    real = torch.cat([normal(200, 4, 0), normal(200, 4, 1) + 50])
    fake = normal(400, 4, 2)
    precision, recall = precision_recall(fake, real)
    assert precision > 0.8
    assert recall < 0.55
    assert density_coverage(fake, real)[1] < 0.55


def test_memorisation_of_new_half_copied_and_copied_images():
    train, held_out, new = normal(400, 8, 0), normal(300, 8, 1), normal(400, 8, 2)
    share, ratio = memorisation(new, train, held_out, seed=0)
    assert share == pytest.approx(0.5, abs=0.08)
    assert ratio == pytest.approx(1, abs=0.08)
    # Only 300 of the 400 training images are compared: a copy of one of the others is nearer to neither.
    share, ratio = memorisation(torch.cat([new[:200], train[:200]]), train, held_out, seed=0)
    assert share == pytest.approx(0.7, abs=0.08)
    assert ratio == pytest.approx(0.5, abs=0.08)
    assert memorisation(train[:300], train[:300], held_out, seed=0) == pytest.approx((1, 0), abs=1e-6)


def test_memorisation_of_many_fakes_looks_at_some_of_all_and_of_each_part():
    train, held_out = normal(2000, 8, 0), normal(2000, 8, 1)
    fake = torch.cat([train, normal(2000, 8, 2)])
    parts = [torch.arange(4000), torch.arange(2000), torch.arange(2000, 4000)]
    of_all, of_copies, of_new = neighbours.memorisation(fake, train, held_out, parts, seed=0)
    assert of_copies == pytest.approx((1, 0), abs=1e-6)
    assert of_new == pytest.approx((0.5, 1), abs=0.05)
    assert of_all == pytest.approx((0.75, 0.5), abs=0.05)


def test_memorisation_is_seeded():
    train, held_out, new = normal(400, 8, 0), normal(100, 8, 1), normal(100, 8, 2)
    first = memorisation(new, train, held_out, seed=1)
    assert memorisation(new, train, held_out, seed=1) == first
    assert memorisation(new, train, held_out, seed=2) != first


def test_distances_survive_an_offset():
    points = normal(50, 6, 0)
    assert nearest_distance(points + 1e4, points[:20] + 1e4) == pytest.approx(
        torch.cdist(points, points[:20]).min(dim=1).values, abs=1e-6
    )


def test_nan_too_few_and_other_widths_are_refused():
    good, nan = normal(10, 4, 0), torch.full((10, 4), float("nan"))
    with pytest.raises(ValueError, match="NaN"):
        precision_recall(nan, good)
    with pytest.raises(ValueError, match="NaN"):
        density_coverage(good, nan)
    with pytest.raises(ValueError, match="5 neighbours need more than 5 images, got 5"):
        density_coverage(good[:5], good)
    with pytest.raises(ValueError, match="4 and 3 dimensions"):
        precision_recall(good, good[:, :3])
