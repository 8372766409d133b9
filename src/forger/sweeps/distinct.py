"""Candidates that nobody has tried: equal ones would end alike, bit for bit."""

import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from forger.sweeps.space import SearchParameter

#: How often a sampler may propose what is known before a candidate is drawn from the others.
_PROPOSALS = 5
#: The most points of a finite space that are looked through; a sampler hardly repeats itself in a larger one.
_POINTS = 100_000


class Distinct(BaseSampler):
    """Another sampler's proposals, none of them twice.

    What was finished, pruned, stopped or is at work counts as tried, whoever had it; what failed is proposed again
    only where nothing else is left.

    Args:
        sampler: that proposes.
        space: what varies.
        rows: of the whole study; a pruner may show the sampler only some.
        seed: of the draw among what is left.
    """

    def __init__(
        self, sampler: BaseSampler, space: Sequence[SearchParameter], rows: Callable[[], list[FrozenTrial]], seed: int
    ) -> None:
        self._sampler = sampler
        self._space = {parameter.name: parameter for parameter in space}
        self._distributions = {parameter.name: parameter.distribution for parameter in space}
        self._rows = rows
        self._random = random.Random(seed)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The whole space: a candidate is told from others as a whole."""
        return self._distributions

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """A candidate; empty for a trial that has its own."""
        given = _given(trial)
        if self._distributions.keys() <= given.keys():
            return {}
        tried, failed = self._known(trial)
        point: dict[str, Any] = {}
        for _ in range(_PROPOSALS):
            point = {**self._proposal(study, trial), **given}
            if self._key(point) not in tried | failed:
                break
        else:
            point = self._left(given, tried, failed) or point
        return point

    def sample_independent(self, study: Study, trial: FrozenTrial, name: str, distribution: BaseDistribution) -> Any:
        """The sampler's own."""
        return self._sampler.sample_independent(study, trial, name, distribution)

    def _proposal(self, study: Study, trial: FrozenTrial) -> dict[str, Any]:
        space = self._sampler.infer_relative_search_space(study, trial)
        point = dict(self._sampler.sample_relative(study, trial, space))
        for name, distribution in self._distributions.items():
            if name not in point:
                point[name] = self._sampler.sample_independent(study, trial, name, distribution)
        return point

    def _known(self, trial: FrozenTrial) -> tuple[set[Any], set[Any]]:
        """The other rows' candidates: those that were tried or are at work, and those that failed."""
        tried: set[Any] = set()
        failed: set[Any] = set()
        for row in self._rows():
            point = _given(row)
            if row.number == trial.number or not self._distributions.keys() <= point.keys():
                continue
            if row.state != TrialState.FAIL:
                tried.add(self._key(point))
            elif row.user_attrs.get("status") == "failed":
                failed.add(self._key(point))
        return tried, failed

    def _left(self, given: Mapping[str, Any], tried: set[Any], failed: set[Any]) -> dict[str, Any] | None:
        """One of the points that are left, those that failed last."""
        for known in (tried | failed, tried):
            if left := [point for point in self._points(given) if self._key(point) not in known]:
                return self._random.choice(left)
        return None

    def _key(self, point: Mapping[str, Any]) -> tuple[float, ...]:
        return tuple(each.to_internal_repr(point[name]) for name, each in self._distributions.items())

    def _points(self, given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The points of a finite space that have what is given."""
        if any(not parameter.finite for parameter in self._space.values()):
            return iter(())
        values = [[given[name]] if name in given else each.points for name, each in self._space.items()]
        points = itertools.islice(itertools.product(*values), _POINTS)
        return (dict(zip(self._space, point, strict=True)) for point in points)


def _given(trial: FrozenTrial) -> dict[str, Any]:
    """What a row has of its candidate: what it was enqueued with, and what was drawn."""
    return {**trial.system_attrs.get("fixed_params", {}), **trial.params}
