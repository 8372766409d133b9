"""Each alarm rings on a series made for it and not on its healthy twin."""

import pytest

from forger.watch.alarms import PATTERNS, Alarms, Pattern, Sign
from forger.watch.history import SignalHistory

#: A check where all is well, as a small run of digits gives it.
HEALTHY = {
    "watch/vendi_ratio": 0.97, "watch/distance_ratio": 0.9, "watch/class_entropy": 0.97, "watch/mode_entropy": 0.96,
    "watch/held_out_gap": 1.5, "watch/held_out_auc": 0.85, "watch/held_out_accuracy": 0.75, "watch/memory_auc": 0.56,
    "watch/gradient_ratio": 0.5, "watch/gradient_growth": 1.1, "watch/gradient_left": 0.2, "watch/fooled": 0.45,
    "watch/spectral_peak": 0.2, "watch/score_gap": 0.1, "watch/weight_growth": 1.3, "watch/active_units": 0.75,
    "watch/finite_share": 1.0, "watch/vendi_rise": 1.0, "watch/sharpness_ratio": 1.1, "watch/held_out_separation": 1.2,
    "watch/held_out_error_ratio": 1.4,
}  # fmt: skip


def rung(alarms: Alarms, *checks: dict[str, float]) -> list[str]:
    return [alarm.name for check in checks for alarm in alarms.check(HEALTHY | check)]


def signs() -> list[tuple[str, tuple[Sign, ...]]]:
    return [(name, group) for name, pattern in PATTERNS.items() for group in pattern.groups]


def twin(group: tuple[Sign, ...]) -> dict[str, float]:
    """The same on the healthy side of the first sign alone."""
    return at(group, 0.5) | at(group[:1], -0.05)


def at(group: tuple[Sign, ...], share: float) -> dict[str, float]:
    """Signals of a group: 0 at the thresholds, 1 where it is certain, below 0 on the healthy side."""
    return {f"watch/{s.signal}": s.threshold + share * (s.certain - s.threshold) for s in group}


def test_all_the_alarms_of_the_contract_are_there():
    assert set(PATTERNS) == {
        "mode_collapse", "oscillation", "discriminator_wins", "discriminator_memorises", "divergence",
        "vanishing_generator_gradient", "posterior_collapse", "blurred_samples", "scattered_samples",
        "denoiser_memorises",
    }  # fmt: skip


def test_a_healthy_run_is_quiet():
    alarms = Alarms()
    assert rung(alarms, *[{}] * 50) == []
    assert alarms.calm


@pytest.mark.parametrize(
    ("name", "group"), signs(), ids=lambda value: value if isinstance(value, str) else value[0].signal
)
def test_an_alarm_rings_at_the_third_check_in_a_row_and_its_twin_never(name, group):
    alarms = Alarms()
    quiet = [{}] * 20
    assert rung(alarms, *quiet, at(group, 0.5), at(group, 0.5)) == []
    assert not alarms.calm
    assert name in rung(alarms, at(group, 0.5))
    assert name not in rung(Alarms(), *quiet, *[twin(group)] * 20)
    interrupted = [at(group, 0.5), at(group, 0.5), {}] * 5
    assert name not in rung(Alarms(), *quiet, *interrupted)


def test_an_alarm_rings_once_and_again_after_recovery():
    alarms = Alarms(patience=2, patterns={"one": Pattern(((Sign("x", True, 0.5, 0.1),),))})
    low, high = {"watch/x": 0.2}, {"watch/x": 0.9}
    assert rung(alarms, low, low, low, low) == ["one"]
    assert rung(alarms, high, low, low) == []  # one healthy check is no recovery
    assert alarms.raised == ["one"]
    assert rung(alarms, high, high) == []
    assert alarms.raised == []
    assert rung(alarms, low, low) == ["one"]


def test_the_first_checks_count_once_the_signals_have_been_healthy():
    def pattern() -> dict[str, Pattern]:
        return {"one": Pattern(((Sign("x", True, 0.5, 0.1),),), warm_up=5)}

    low, high = {"watch/x": 0.2}, {"watch/x": 0.9}
    assert rung(Alarms(3, pattern()), *[low] * 7) == []  # 5 of them are warm-up
    assert rung(Alarms(3, pattern()), *[low] * 8) == ["one"]
    assert rung(Alarms(3, pattern()), low, high, low, low, low, low) == []  # one healthy check may be chance
    assert rung(Alarms(2, pattern()), high, high, low, low) == ["one"]
    alarms = Alarms(3, pattern())
    rung(alarms, low)
    assert not alarms.calm  # nothing to go back to, even in the warm-up


def test_samples_without_fine_detail_are_blurred_and_not_collapsed():
    blurred = {"watch/sharpness_ratio": 0.3, "watch/distance_ratio": 0.7, "watch/vendi_ratio": 0.4}
    assert rung(Alarms(), *[{}] * 10, *[blurred] * 5) == ["blurred_samples"]
    collapsed = blurred | {"watch/distance_ratio": 0.3}
    assert rung(Alarms(), *[{}] * 10, *[collapsed] * 5) == ["mode_collapse"]
    points = {"watch/vendi_ratio": 0.4}
    alarms = Alarms()
    for _ in range(20):
        alarms.check({key: value for key, value in HEALTHY.items() if key != "watch/sharpness_ratio"})
    without = {**HEALTHY, **points}
    del without["watch/sharpness_ratio"]  # points have none
    assert [alarm.name for _ in range(3) for alarm in alarms.check(without)] == ["mode_collapse"]


#: `vendi_ratio` of experiment=grid25_flow with seed 1, at its first checks.
LEARNING = (3.521, 3.894, 3.752, 3.696, 3.781, 3.474, 3.537, 3.226, 3.398, 3.216, 3.08, 3.013, 2.928, 2.843)


@pytest.mark.parametrize(("ratios", "alarm"), [(LEARNING, []), ((*LEARNING, *[2.9] * 7), ["scattered_samples"])])
def test_samples_that_draw_nearer_to_the_modes_are_not_scattered_until_they_stay_where_they_are(ratios, alarm):
    history, alarms = SignalHistory(), Alarms()
    checks = [{"watch/vendi_ratio": ratio} for ratio in ratios]
    assert rung(alarms, *[{**check, "watch/vendi_rise": 0.98, **history.derived(check)} for check in checks]) == alarm


def test_confidence_goes_from_a_half_to_one_and_evidence_says_why():
    patterns = {"one": Pattern(((Sign("x", True, 0.5, 0.1), Sign("y", False, 10.0, 20.0)),))}

    def confidence(x: float, y: float) -> float:
        alarms = Alarms(1, patterns)
        (alarm,) = alarms.check({"watch/x": x, "watch/y": y})
        return alarm.confidence

    assert confidence(0.1, 20) == pytest.approx(1)
    assert confidence(0.0, 99) == pytest.approx(1)
    assert confidence(0.3, 99) == pytest.approx(0.75)
    assert confidence(0.1, 11) == pytest.approx(0.55)  # the weakest sign
    (alarm,) = Alarms(1, patterns).check({"watch/x": 0.3, "watch/y": 11})
    assert alarm.evidence["signals"] == {"x": {"value": 0.3, "below": 0.5}, "y": {"value": 11, "above": 10.0}}
    assert Alarms(1, patterns).check({"watch/x": 0.3, "watch/y": 9}) == []
    assert Alarms(1, patterns).check({"watch/x": 0.3}) == []  # not measured


def test_the_state_goes_on_where_it_was():
    low, patterns = {"watch/x": 0.2}, {"one": Pattern(((Sign("x", True, 0.5, 0.1),),))}
    whole, first, second = Alarms(3, patterns), Alarms(3, patterns), Alarms(3, patterns)
    rung(first, {}, low, low)
    second.load_state_dict(first.state_dict())
    assert rung(second, low) == rung(whole, {}, low, low, low) == ["one"]
    assert second.state_dict() == whole.state_dict()


def test_no_signal_of_a_pattern_is_misspelt():
    assert {f"watch/{sign.signal}" for _, group in signs() for sign in group} <= set(HEALTHY)
