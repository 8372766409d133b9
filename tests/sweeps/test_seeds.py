"""Which candidate is given its next seed."""

import math
import random
import statistics

import pytest

from forger.sweeps.seeds import can_still_win, mean_and_spread, pooled_spread


def test_mean_and_spread_by_hand():
    assert mean_and_spread([3.0]) == (3.0, None)
    assert mean_and_spread([1.0, 3.0]) == (2.0, math.sqrt(2))


def test_pooled_spread_by_hand():
    assert pooled_spread([[1.0], [2.0]]) is None
    # Squared deviations 2 + 2 with 1 + 2 degrees of freedom; single seeds say nothing.
    assert pooled_spread([[1.0, 3.0], [4.0, 5.0, 6.0], [9.0]]) == pytest.approx(math.sqrt(4 / 3))


@pytest.mark.parametrize(
    ("values", "best", "expected"),
    [
        ([5.0], 4.0, True),  # 2 √(1 − 1/3) = 1.63 behind would be too far; 1 is not
        ([5.7], 4.0, False),
        ([5.7], None, True),
        ([5.0, 5.0], 4.0, False),  # with two of three seeds known, 2 √(1/2 − 1/3) = 0.82
        ([4.8, 4.8], 4.0, True),
    ],
)
def test_the_doubt_shrinks_with_each_seed(values, best, expected):
    assert can_still_win(values, 3, best, 1.0, higher_is_better=False) is expected
    mirrored = None if best is None else -best
    assert can_still_win([-v for v in values], 3, mirrored, 1.0, higher_is_better=True) is expected


def test_a_better_candidate_is_rarely_stopped_and_a_worse_one_mostly():
    chance = random.Random(0)

    def kept(mean: float) -> float:
        """Share of candidates that get all of three seeds, best 0, spread between seeds 1."""
        results = [[chance.gauss(mean, 1) for _ in range(3)] for _ in range(2000)]
        return statistics.fmean(
            all(can_still_win(values[:n], 3, 0.0, 1.0, higher_is_better=False) for n in (1, 2)) for values in results
        )

    assert kept(-1) > 0.98
    assert kept(4) < 0.02
