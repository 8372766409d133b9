"""Heights and widths that networks take."""

import pytest

from forger.sizes import halvings, sides, taken, written


def test_one_number_is_height_and_width():
    assert sides(8) == (8, 8)
    assert sides([12, 20]) == (12, 20)
    assert written(8, 8) == 8
    assert written(12, 20) == [12, 20]


def test_squares_that_fit_are_4_to_7_times_a_power_of_two():
    expected = {b * 2**k: (b, k) for b in (4, 5, 6, 7) for k in range(1, 7) if b * 2**k <= 256}
    assert [size for size in range(1, 300) if taken(size, size)] == sorted(expected)
    assert all(halvings(size) == ((b, b), k) for size, (b, k) in expected.items())


def test_of_other_sizes_the_shorter_side_says_how_often_they_are_halved():
    for base in (4, 5, 6, 7):
        for k in range(1, 5):
            for longer in range(base + 1, 256 // 2**k + 1):
                assert halvings([base << k, longer << k]) == ((base, longer), k)
                assert halvings([longer << k, base << k]) == ((longer, base), k)
    assert not any(taken(12, width) for width in (11, 13, 15, 257, 258))
    assert not taken(30, 60)


def test_halving_goes_on_below_four_and_rounds_down():
    assert halvings([12, 20], smallest=2) == ((3, 5), 2)
    assert halvings([20, 28], smallest=2) == ((2, 3), 3)
    assert halvings([16, 40], smallest=2) == ((2, 5), 3)


@pytest.mark.parametrize(
    ("size", "near"),
    [
        (30, "size 30 is not 4 to 7 times a power of two from 8 to 256; resize to 28 or 32"),
        ([12, 21], r"resize to \[12, 20\] or \[12, 22\]$"),
        ([218, 178], r"resize to \[224, 192\] or \[224, 160\]$"),
        ([5, 300], r"resize to \[8, 256\] or \[8, 254\]$"),
    ],
)
def test_the_line_says_which_are_near(size, near):
    with pytest.raises(ValueError, match=near) as error:
        halvings(size)
    assert "\n" not in str(error.value)
