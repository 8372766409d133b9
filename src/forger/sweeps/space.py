"""A search space in Hydra's own sweep syntax: `choice(…)`, `range(…)`, `interval(…)`, `tag(log, …)`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (
    ChoiceSweep,
    Glob,
    IntervalSweep,
    Override,
    QuotedString,
    RangeSweep,
    Transformer,
)
from hydra.errors import HydraException
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial

from forger.config.explain import one_line
from forger.errors import ConfigError, closest
from forger.sweeps.composing import parsed_override, quoted

_TAGS = ("log", "int")


@dataclass(frozen=True)
class SearchParameter:
    """One key of the config that a sweep varies.

    Either ``values`` are all it can take, each beside the text of its override, or it lies in
    [``low``, ``high``], in steps or on a logarithmic scale where asked.
    """

    key: str
    values: tuple[tuple[Any, str], ...] = ()
    low: float = 0
    high: float = 0
    step: float | None = None
    log: bool = False
    prefix: str = ""

    @property
    def name(self) -> str:
        """The key without Hydra's `+`."""
        return self.key.lstrip("+")

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are meant."""
        return isinstance(self.low, int)

    @property
    def finite(self) -> bool:
        """Whether it has finitely many values."""
        return bool(self.values) or self.step is not None

    @property
    def distribution(self) -> BaseDistribution:
        """The values as the samplers know them."""
        if self.values:
            return CategoricalDistribution([value for value, _ in self.values])
        if self.whole:
            return IntDistribution(int(self.low), int(self.high), step=int(self.step or 1), log=self.log)
        return FloatDistribution(self.low, self.high, step=self.step, log=self.log)

    def suggest(self, trial: Trial) -> Any:
        """The sampler's value for a trial; for one that has it already, the same again."""
        if self.values:
            return trial.suggest_categorical(self.name, [value for value, _ in self.values])
        if self.whole:
            return trial.suggest_int(self.name, int(self.low), int(self.high), step=int(self.step or 1), log=self.log)
        return trial.suggest_float(self.name, self.low, self.high, step=self.step, log=self.log)

    def overrides(self, value: Any) -> list[str]:
        """The overrides that give a run this value."""
        for known, text in self.values:
            if known == value and type(known) is type(value):
                return [f"{self.key}={text}"]
        return [f"{self.key}={value!r}"]

    def holds(self, value: Any) -> bool:
        """Whether a value of the config is one of the space."""
        if self.values:
            return value in [known for known, _ in self.values]
        if isinstance(value, bool) or not isinstance(value, int | float) or not self.low <= value <= self.high:
            return False
        return value in self.points if self.step is not None else True

    @property
    def bounds(self) -> list[Any]:
        """Values to check: the two ends, or each choice."""
        return [value for value, _ in self.values] if self.values else [self.low, self.high]

    @property
    def points(self) -> list[Any]:
        """All values, of a parameter that has finitely many.

        Raises:
            ConfigError: it has infinitely many.
        """
        if self.values:
            return [value for value, _ in self.values]
        if not self.finite:
            raise ConfigError(f"sweep.space.{self.name}: an interval has no grid; write choice(…) or range(…)")
        assert self.step is not None
        return [self.low + i * self.step for i in range(round((self.high - self.low) / self.step) + 1)]


@dataclass(frozen=True)
class Arms(SearchParameter):
    """Sets of overrides by name: a trial has one of the sets as a whole."""

    sets: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def overrides(self, value: Any) -> list[str]:
        return list(dict(self.sets)[value])


def arms(sets: Mapping[str, Sequence[str]], chosen: SearchParameter | None = None) -> Arms:
    """The parameter `arm` over all of these sets of overrides, or over those ``chosen``.

    Raises:
        ConfigError: one that there is not; a set that itself varies or is empty.
    """
    for name, texts in sets.items():
        if not texts:
            raise ConfigError(f"sweep.arms.{name}: no overrides")
        for text in texts:
            if parsed_override(text).is_sweep_override():
                raise ConfigError(f"sweep.arms.{name}: {text} varies; that belongs in sweep.space")
    names = list(sets) if chosen is None else [str(value) for value in chosen.bounds]
    for name in names:
        if name not in sets:
            raise ConfigError(f"arm={name}: no such arm; {closest(name, sets)}")
    return Arms(
        "arm", values=tuple((name, name) for name in names), sets=tuple((name, tuple(sets[name])) for name in names)
    )


def parsed(key: str, text: str) -> SearchParameter:
    """The parameter behind ``key=text``.

    Raises:
        ConfigError: not Hydra's syntax, nothing to vary, or an empty range.
    """
    place = f"sweep.space.{key}={text}"
    try:
        override: Override = OverridesParser.create().parse_override(f"{key}={text}")
        value = override.value()
    except HydraException as error:
        line = next((line for line in str(error).splitlines() if line.strip()), "")
        raise ConfigError(one_line(f"{place}: not Hydra's syntax ({line})")) from None
    if override.is_delete() or not override.is_sweep_override() or isinstance(value, Glob):
        raise ConfigError(f"{place}: nothing to vary; write choice(a, b), range(1, 9), interval(0.1, 1) or tag(log, …)")
    full_key = override.get_key_element()
    assert isinstance(value, ChoiceSweep | RangeSweep | IntervalSweep)
    for tag in value.tags:
        if tag not in _TAGS:
            raise ConfigError(f"{place}: no such tag '{tag}'; {closest(str(tag), _TAGS)}")
    if isinstance(value, ChoiceSweep):
        return SearchParameter(full_key, values=_choices(override, place))
    if isinstance(value, RangeSweep):
        return _from_range(full_key, value, place)
    return _from_interval(full_key, value, place)


def _choices(override: Override, place: str) -> tuple[tuple[Any, str], ...]:
    choices = [_choice(value) for value in override.sweep_iterator(transformer=Transformer.identity)]
    if len({(type(value), value) for value, _ in choices}) < len(choices):
        raise ConfigError(f"{place}: the same choice twice")
    return tuple(choices)


def _choice(value: Any) -> tuple[Any, str]:
    """A value and its text in an override, in the quotes that it needs and that `choice` took from its arguments."""
    if isinstance(value, bool | int | float):
        return value, str(value)
    if not isinstance(value, str | QuotedString):
        return Transformer.str(value), Transformer.str(value)
    plain = value.text if isinstance(value, QuotedString) else value
    return plain, quoted(plain)


def _from_range(key: str, value: RangeSweep, place: str) -> SearchParameter:
    numbers: Sequence[Any] = list(value.range())
    if not numbers:
        raise ConfigError(f"{place}: an empty range")
    low, high = min(numbers), max(numbers)
    log = "log" in value.tags
    if log and (low <= 0 or abs(value.step) != 1 or not isinstance(low, int)):
        raise ConfigError(f"{place}: a logarithmic range has whole numbers from 1 up, in steps of 1")
    return SearchParameter(key, low=low, high=high, step=abs(value.step), log=log)


def _from_interval(key: str, value: IntervalSweep, place: str) -> SearchParameter:
    low, high = value.start, value.end
    assert low is not None
    assert high is not None
    if not low < high:
        raise ConfigError(f"{place}: an empty interval")
    log = "log" in value.tags
    if log and low <= 0:
        raise ConfigError(f"{place}: a logarithmic interval begins above 0")
    if "int" in value.tags:
        low, high = int(low), int(high)
    step = 1 if isinstance(low, int) and isinstance(high, int) else None
    return SearchParameter(key, low=low, high=high, step=step, log=log)
