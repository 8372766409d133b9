"""What the rows of training add up to."""

import math

import pytest

from forger.watch.history import LEAST, WINDOW, SignalHistory


def row(generator: float, discriminator: float, loss: float = 1.0) -> dict[str, float]:
    return {
        "train/generator/adversarial": loss,
        "watch/generator_gradient": generator,
        "watch/discriminator_gradient": discriminator,
        "watch/d_fake": 0.4,
        "watch/generator_update": 0.01,
    }


def test_gradients_are_medians_since_the_last_check_and_compared_with_earlier_ones():
    history = SignalHistory()
    for value in (1, 2, 30):
        history.observe(row(value, 4))
    first = history.derived({})
    assert first == {"watch/gradient_ratio": 0.5, "watch/gradient_left": 1.0, "watch/fooled": 0.4}
    history.observe(row(0.02, 40))
    second = history.derived({})
    assert second["watch/gradient_ratio"] == pytest.approx(0.02 / 40)
    assert second["watch/gradient_left"] == pytest.approx(0.01)
    assert second["watch/gradient_growth"] == pytest.approx(10)


def test_a_generator_that_did_not_move_between_two_checks_is_not_judged():
    history = SignalHistory()
    history.observe(row(1, 4))
    history.derived({})
    history.observe({"watch/discriminator_gradient": 4.0})
    assert "watch/gradient_left" not in history.derived({})


def test_losses_that_swing_are_seen_once_there_are_enough_of_them():
    history = SignalHistory()
    for i in range(LEAST):
        assert "watch/spectral_peak" not in history.derived({})
        history.observe({"train/generator/adversarial": math.sin(2 * math.pi * i / 6)})
    assert history.derived({})["watch/spectral_peak"] > 0.9
    for _ in range(WINDOW):
        history.observe({"train/generator/adversarial": 1.0})
    assert history.derived({})["watch/spectral_peak"] == 0


def test_terms_of_a_player_are_added_up():
    history = SignalHistory()
    history.observe({"train/discriminator/real": 1.0, "train/discriminator/fake": 2.0, "train/generator/a": 4.0})
    assert {name: list(values) for name, values in history.losses.items()} == {
        "discriminator": [3.0],
        "generator": [4.0],
    }


def test_the_score_is_compared_with_the_best_so_far():
    history = SignalHistory()
    scores = (None, 20.0, 10.0, 15.0, 15.0, 20.0, math.nan)
    gaps = [history.derived({}, score).get("watch/score_gap") for score in scores]
    assert gaps == [None, 0.0, 0.0, 0.0, 0.0, 0.5, None]  # of the better of the last two
    assert SignalHistory().derived({}, 3.0, higher_is_better=True)["watch/score_gap"] == 0


def test_a_rise_of_diversity_is_over_three_checks_and_three_before():
    history = SignalHistory()
    rises = [
        history.derived({"watch/vendi_ratio": v}).get("watch/vendi_rise") for v in (0.1, 0.2, 0.3, 0.3, 0.6, 0.9, 0.9)
    ]
    assert rises[:5] == [None] * 5
    assert rises[5:] == [pytest.approx(1.8 / 0.6), pytest.approx(2.4 / 0.8)]


def test_the_state_is_plain_and_goes_on_where_it_was():
    whole, first, second = SignalHistory(), SignalHistory(), SignalHistory()
    rows = [row(1 + i % 3, 2, math.sin(i)) for i in range(50)]
    for i, each in enumerate(rows[:30]):
        whole.observe(each)
        first.observe(each)
        if i % 7 == 0:
            assert whole.derived({}, float(i + 1)) == first.derived({}, float(i + 1))
    second.load_state_dict(first.state_dict())
    for each in rows[30:]:
        whole.observe(each)
        second.observe(each)
    assert second.derived({}, 3.0) == whole.derived({}, 3.0)
    assert second.state_dict() == whole.state_dict()


def test_a_player_that_joins_begins_another_stage():
    """SRGAN's generator has another loss, and gradients of another size, from the round in which its rival joins."""
    history = SignalHistory()
    for _ in range(40):
        history.observe({"train/generator/pixel": 0.1, "watch/generator_gradient": 1e-3})
    history.derived({})
    history.observe({"train/generator/pixel": 0.1, "watch/generator_gradient": 1e-3})
    for _ in range(2):
        history.observe(
            {
                "train/discriminator/real": 1.0,
                "train/generator/adversarial": 0.7,
                "watch/generator_gradient": 1.0,
                "watch/discriminator_gradient": 2.0,
            }
        )
    assert "watch/gradient_growth" not in history.derived({})
    history.observe({"train/generator/adversarial": 0.7, "watch/generator_gradient": 3.0})
    assert history.derived({})["watch/gradient_growth"] == pytest.approx(3)
