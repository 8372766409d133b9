"""Alarms: named patterns in the signals of several checks, with a confidence and the evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Sign:
    """A signal beyond a threshold.

    Args:
        signal: its name without ``watch/``.
        below: whether it is too small (else too large).
        threshold: where it begins to count.
        certain: where the strength is 1.
    """

    signal: str
    below: bool
    threshold: float
    certain: float

    def strength(self, signals: Mapping[str, float]) -> float | None:
        """From 0.5 at the threshold to 1 where it is certain; None on the healthy side, or if not measured."""
        value = signals.get(f"watch/{self.signal}")
        if value is None or not (value < self.threshold if self.below else value > self.threshold):
            return None
        way = (value - self.threshold) / (self.certain - self.threshold)
        return 0.5 + 0.5 * min(1.0, way)


@dataclass(frozen=True)
class Pattern:
    """What an alarm looks for: any of the groups of signs, of which all must be seen at once.

    Args:
        groups: the strongest complete one counts, with the strength of its weakest sign. The first sign of a group is
            the fault, the others distinguish it from similar healthy states.
        warm_up: checks at the start that count only once the signals have been healthy for as many checks as an
            alarm takes, since the samples of every untrained generator are all alike.
        unless: signs that, all seen at once, mean another fault, which has an alarm of its own.
    """

    groups: tuple[tuple[Sign, ...], ...]
    warm_up: int = 0
    unless: tuple[Sign, ...] = ()

    def strength(self, signals: Mapping[str, float]) -> tuple[float, tuple[Sign, ...]] | None:
        """The strongest complete group with its strength; None if no group is complete."""
        if self._is_another(signals):
            return None
        found = []
        for group in self.groups:
            strengths = [strength for sign in group if (strength := sign.strength(signals)) is not None]
            if len(strengths) == len(group):
                found.append((min(strengths), group))
        return max(found, key=lambda pair: pair[0], default=None)

    def suspected(self, signals: Mapping[str, float]) -> bool:
        """Whether the first sign of a group is present, regardless of the others: then it has not recovered."""
        first = (group[0] for group in self.groups)
        return not self._is_another(signals) and any(sign.strength(signals) is not None for sign in first)

    def is_known(self, signals: Mapping[str, float]) -> bool:
        return any(all(f"watch/{sign.signal}" in signals for sign in group) for group in self.groups)

    def _is_another(self, signals: Mapping[str, float]) -> bool:
        return bool(self.unless) and all(sign.strength(signals) is not None for sign in self.unless)


#: Samples that become more varied from check to check are no collapse.
_NOT_RISING = Sign("vendi_rise", True, 1.15, 1.0)
#: Nor is it a fault of samples between modes that they lie closer to them from check to check, as a flow's do.
_NOT_FALLING = Sign("vendi_rise", False, 0.95, 1.0)
#: Samples without fine detail that differ from each other all the same.
_BLURRED = (Sign("sharpness_ratio", True, 0.5, 0.25), Sign("distance_ratio", False, 0.55, 0.7))
#: The discriminator tells fakes from unseen reals nearly without exception.
_TOLD_APART = Sign("held_out_auc", False, 0.95, 0.99)

#: Calibrated on the fit half of the recipes of scripts/benchmarks/watch; docs/results/watch.md has both halves.
PATTERNS: dict[str, Pattern] = {
    "mode_collapse": Pattern(
        (
            (Sign("vendi_ratio", True, 0.5, 0.3), _NOT_RISING),
            (Sign("class_entropy", True, 0.8, 0.6), _NOT_RISING),
            (Sign("mode_entropy", True, 0.85, 0.6), _NOT_RISING),
            (Sign("distance_ratio", True, 0.55, 0.3), _NOT_RISING),
        ),
        warm_up=8,
        unless=_BLURRED,
    ),
    "blurred_samples": Pattern((_BLURRED,), warm_up=8),
    "scattered_samples": Pattern(((Sign("vendi_ratio", False, 2.0, 4.0), _NOT_FALLING),), warm_up=8),
    "oscillation": Pattern(((Sign("spectral_peak", False, 0.75, 0.95),),)),
    "discriminator_wins": Pattern(((Sign("held_out_separation", False, 6.0, 12.0), _TOLD_APART),), warm_up=4),
    "discriminator_memorises": Pattern(
        (
            (Sign("memory_auc", False, 0.92, 0.99),),
            (Sign("memory_auc", False, 0.75, 0.9), Sign("score_gap", False, 0.3, 1.0)),
        ),
    ),
    "denoiser_memorises": Pattern(((Sign("held_out_error_ratio", False, 2.0, 4.0),),)),
    "divergence": Pattern(
        (
            (Sign("score_gap", False, 4.0, 10.0),),
            (Sign("gradient_growth", False, 50.0, 500.0),),
            (Sign("weight_growth", False, 50.0, 500.0),),
            (Sign("finite_share", True, 1.0, 0.0),),
        ),
    ),
    "vanishing_generator_gradient": Pattern(
        (
            (Sign("gradient_left", True, 0.01, 0.001), _TOLD_APART),
            (Sign("gradient_ratio", True, 0.01, 0.001), _TOLD_APART),
        ),
    ),
    "posterior_collapse": Pattern(((Sign("active_units", True, 0.3, 0.1),),), warm_up=4),
}

#: What each of them means, for those who were not there.
MEANINGS: dict[str, str] = {
    "mode_collapse": "the samples are far less varied than the data",
    "blurred_samples": "the samples differ from each other, but lack fine detail",
    "scattered_samples": "the samples lie between the modes of the data",
    "oscillation": "the players go round in circles",
    "discriminator_wins": "the discriminator tells samples from unseen images nearly without exception",
    "discriminator_memorises": "the discriminator knows its training images, and is of no use on others",
    "denoiser_memorises": "the denoiser knows its training images, and samples come to resemble them",
    "divergence": "scores, gradients or weights grew without bound",
    "vanishing_generator_gradient": "hardly any gradient reached the generator",
    "posterior_collapse": "the encoder leaves most latents unused",
}


@dataclass
class _State:
    streak: list[float] = field(default_factory=list)
    calm: int = 0
    raised: bool = False
    healthy: int = 0


@dataclass(frozen=True)
class Alarm:
    """A pattern seen at enough checks in a row.

    Args:
        name: of its pattern.
        confidence: in [0, 1]: the mean strength over those checks; 1 for faults without degrees, such as NaN.
        evidence: its signals with their thresholds, and the window of checks.
    """

    name: str
    confidence: float
    evidence: dict[str, Any]


class Alarms:
    """Raises an alarm after enough checks in a row, once, and again only after as many healthy checks.

    Args:
        patience: checks in a row that it takes.
        patterns: what to look for.
    """

    def __init__(self, patience: int = 3, patterns: Mapping[str, Pattern] = PATTERNS) -> None:
        self.patience = patience
        self.patterns = patterns
        self.checks = 0
        #: Whether no alarm is raised, nor anything seen that could become one, warm-up or not.
        self.calm = True
        self._states = {name: _State() for name in patterns}

    @property
    def raised(self) -> list[str]:
        """Names of the alarms that have not recovered."""
        return [name for name, state in self._states.items() if state.raised]

    def check(self, signals: Mapping[str, float]) -> list[Alarm]:
        """The alarms that begin with these signals, by full name (``watch/vendi_ratio``)."""
        self.checks += 1
        self.calm = True
        rung = (self._checked(name, pattern, signals) for name, pattern in self.patterns.items())
        return [alarm for alarm in rung if alarm is not None]

    def _checked(self, name: str, pattern: Pattern, signals: Mapping[str, float]) -> Alarm | None:
        state = self._states[name]
        found = pattern.strength(signals)
        if found is None:
            state.streak = []
            suspected = pattern.suspected(signals)
            state.healthy += pattern.is_known(signals) and not suspected
            state.calm = 0 if suspected else state.calm + 1
            state.raised &= state.calm < self.patience
            self.calm &= not (state.raised or suspected)
            return None
        self.calm = False
        if self.checks <= pattern.warm_up and state.healthy < self.patience:
            state.healthy = 0
            return None
        state.calm = 0
        strength, group = found
        state.streak = [*state.streak, strength][-self.patience :]
        if state.raised or len(state.streak) < self.patience:
            return None
        state.raised = True
        signs = {
            sign.signal: {
                "value": signals[f"watch/{sign.signal}"],
                "below" if sign.below else "above": sign.threshold,
            }
            for sign in group
        }
        confidence = sum(state.streak) / len(state.streak)
        return Alarm(name, confidence, {"signals": signs, "checks": self.patience})

    def state_dict(self) -> dict[str, Any]:
        states = {name: dict(vars(state)) for name, state in self._states.items()}
        return {"checks": self.checks, "calm": self.calm, "states": states}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.checks, self.calm = state["checks"], state["calm"]
        for name, values in state["states"].items():
            if name in self._states:
                self._states[name] = _State(**{**values, "streak": list(values["streak"])})


def strongest(alarms: Sequence[Alarm]) -> Alarm:
    """The one to act on: the most certain, and of equally certain ones the first."""
    return max(alarms, key=lambda alarm: alarm.confidence)
