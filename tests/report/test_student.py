"""Intervals, tests and Holm's correction against SciPy and against hand-computed values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from forger.report.significance import difference, holm, summary

values = st.lists(st.floats(-50, 50).map(lambda x: round(x, 3)), min_size=2, max_size=8)


def test_interval_by_hand():
    found = summary([1.0, 2.0, 3.0])
    assert (found.n, found.mean, found.sd) == (3, 2.0, 1.0)
    assert found.half == pytest.approx(4.302652729911275 / 3**0.5)  # t quantile of 2 degrees, from a table


def test_one_seed_has_no_interval():
    assert summary([4.0]) == (type(summary([4.0])))(1, 4.0, None, None)


@given(values)
def test_interval_against_scipy(numbers):
    found = summary(numbers)
    sem = stats.sem(numbers)
    if sem > 1e-6:
        low, high = stats.t.interval(0.95, len(numbers) - 1, loc=found.mean, scale=sem)
        assert (found.mean - found.half, found.mean + found.half) == pytest.approx((low, high))


@given(values, values)
def test_welch_against_scipy(one, other):
    found = difference(summary(one), summary(other))
    if min(stats.sem(one), stats.sem(other)) > 1e-6:
        reference = stats.ttest_ind(one, other, equal_var=False)
        assert found.p == pytest.approx(reference.pvalue, abs=1e-12)
        interval = reference.confidence_interval()
        assert (found.estimate - found.half, found.estimate + found.half) == pytest.approx(tuple(interval), abs=1e-9)


def test_three_seeds_that_lie_well_apart_are_told_apart():
    """Distances of a GAN and of a flow after equal minutes, ten deviations apart."""
    gan, flow = summary([0.54, 0.50, 0.58]), summary([0.98, 1.02, 0.94])
    assert difference(gan, flow).p < 0.001


def test_too_few_seeds_and_no_spread():
    alike, above = summary([1.0, 1.0]), summary([2.0, 2.0])
    assert difference(summary([1.0]), summary([2.0, 3.0])) is None
    assert difference(alike, alike).p == 1.0
    assert difference(above, alike).p == 0.0
    assert difference(summary([2.0, 3.0]), alike).p == pytest.approx(stats.t.sf(3, 1) * 2)


def test_holm_by_hand():
    # Holm's own scheme: .01·4, .02·3, .03·2, .04·1, then never falling.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
def test_holm_lies_between_none_and_bonferroni(p_values):
    for p, corrected in zip(p_values, holm(p_values), strict=True):
        assert p <= corrected <= min(1.0, len(p_values) * p) + 1e-12
