"""What a page shows of curves: thinned without losing peaks, averaged over seeds where they can be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forger.report.curves import band, page_curves, plain, thinned
from forger.report.reading import read
from forger.report.variants import variants
from report.folders import write_run


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=400), st.integers(20, 200))
def test_thinning_keeps_ends_and_extremes(values, most):
    x, y = np.arange(len(values), dtype=float), np.asarray(values)
    xs, ys = thinned(x, y, most)
    assert len(xs) <= max(most, 20) + 2
    assert (xs[0], xs[-1]) == (x[0], x[-1])
    assert (ys.min(), ys.max()) == (y.min(), y.max())
    assert np.array_equal(ys, y[xs.astype(int)])
    assert (np.diff(xs) > 0).all()


def test_thinning_keeps_a_single_spike_and_a_gap():
    x = np.arange(10_000.0)
    y = np.zeros(10_000)
    y[7_321] = 5.0
    y[2_000:2_400] = np.nan
    xs, ys = thinned(x, y, 500)
    assert len(xs) <= 502
    assert ys[xs == 7_321] == [5.0]
    assert np.isnan(ys[(xs >= 2_000) & (xs < 2_400)]).all()
    assert np.isnan(ys).any()


def test_band_by_hand():
    x = np.array([1.0, 2.0])
    places, mean, sd = band([(x, np.array([1.0, 4.0])), (x, np.array([3.0, 4.0]))])
    assert places.tolist() == [1.0, 2.0]
    assert mean.tolist() == [2.0, 4.0]
    assert sd == pytest.approx([2**0.5, 0.0])


def test_band_of_seeds_that_were_measured_at_other_places():
    lines = [(np.linspace(0, 10, n), 3 * np.linspace(0, 10, n)) for n in (900, 1_000)]
    places, mean, sd = band(lines)
    assert len(places) == 160
    assert mean == pytest.approx(3 * places, abs=0.2)
    assert sd.max() < 0.2


def test_a_seed_that_stopped_early_leaves_the_mean_where_it_stopped():
    long = (np.arange(0, 400.0), np.ones(400))
    short = (np.arange(0, 200.0), 3 * np.ones(200))
    places, mean, sd = band([long, short])
    assert mean[places < 195] == pytest.approx(2.0)
    assert mean[places > 205] == pytest.approx(1.0)
    assert sd[-1] == 0


def test_rounding_makes_no_spread():
    x = np.array([1.0])
    third = np.array([0.1 + 0.2])
    assert band([(x, third), (x, np.array([0.3]))])[2].tolist() == [0.0]


@given(st.floats(-1e12, 1e12, allow_subnormal=False))
def test_numbers_for_the_page_keep_four_digits(value):
    (shown,) = plain(np.array([value]))
    assert shown == pytest.approx(value, rel=5.1e-4, abs=1e-250)


def test_numbers_for_the_page_are_short():
    values = np.array([0.123456, 1234.56, 123456.7, np.nan, np.inf, 0.0])
    assert plain(values) == [0.1235, 1235.0, 123500.0, None, None, 0.0]


def test_curves_of_a_page(tmp_path):
    for seed in (0, 1):
        write_run(tmp_path, "one", seed, 1.0, curve=(8.0 + 2 * seed, None, 2.0))
    found = variants(read([tmp_path]).runs)
    curves = page_curves(found, {run: number for number, run in enumerate(found[0].runs)})
    assert curves["bands"]["score/fd_digits"][0] == [[1000, 3000], [9.0, 2.0], [1.414, 0.0]]
    assert curves["seeds"]["score/fd_digits"][1] == [[1000, 2000, 3000], [10.0, None, 2.0]]
    assert curves["clocks"][0] == [[1000, 2000, 3000], [20.0, 40.0, 60.0]]
