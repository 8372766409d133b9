"""Which variant is better by a score, how certain that is, and which scores do not compare."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from forger.metrics.passport import difference as passport_difference
from forger.report.reading import Run
from forger.report.significance import Difference, Summary, difference, holm, summary
from forger.report.variants import Variant

#: Most variants of a score that are tested against each other, best first; the number of pairs grows with the square.
MOST_TESTED = 40
#: Corrected p-values below this are significant.
LEVEL = 0.05


@dataclass(frozen=True)
class Standing:
    """A variant's place by one score.

    ``values``: the final score by seed. ``gap``: by how much validation ended worse than it had been at its
    best, the mean over seeds, and relative to that best (None where nothing was scored twice).
    """

    variant: int
    values: dict[int, float]
    summary: Summary
    gap: float | None
    relative_gap: float | None


@dataclass(frozen=True)
class Pair:
    """Two variants, the better one first, and its score less the other's; ``corrected``: Holm's p over all pairs."""

    better: int
    worse: int
    difference: Difference
    corrected: float

    @property
    def means_something(self) -> bool:
        return self.corrected < LEVEL


@dataclass(frozen=True)
class Unranked:
    """Variants whose score comes from elsewhere, and why it can't be ranked with the others."""

    standings: list[Standing]
    reason: str


@dataclass(frozen=True)
class Comparison:
    """All variants by one score: best first, pair by pair, and those that can't be ranked with them."""

    score: str
    higher_is_better: bool
    standings: list[Standing]
    pairs: list[Pair]
    apart: list[Unranked]
    without: list[int]
    partners: dict[tuple[int, int], Pair] = field(default_factory=dict, repr=False)

    def pair(self, one: int, other: int) -> Pair | None:
        """The test of two variants, in either order."""
        return self.partners.get((min(one, other), max(one, other)))


def score_names(runs: Iterable[Run]) -> list[str]:
    """The scores in any record or row, those that most runs chose their best checkpoint by first."""
    chosen: Counter[str] = Counter()
    count: Counter[str] = Counter()
    for run in runs:
        scores = run.record.scores
        rows = (key for key in run.series.curves if key.startswith("score/") and "/test/" not in key)
        names = dict.fromkeys([*scores["final"], *scores["best"], *(key.removeprefix("score/") for key in rows)])
        count.update(list(names))
        metrics = run.config.get("metrics")
        best = metrics.get("best") if isinstance(metrics, dict) else None
        if isinstance(best, str) and best in names:
            chosen[best] += 1
    return sorted(count, key=lambda name: (-chosen[name], -count[name]))


def compare(found: Sequence[Variant], score: str) -> Comparison:
    """Rank variants by the mean of their final score over seeds, and test every pair."""
    groups: list[tuple[dict, dict[int, dict[int, Run]]]] = []
    for index, variant in enumerate(found):
        for run in variant.runs:
            if run.value(score) is not None:
                _group_of(groups, run, score).setdefault(index, {})[run.seed] = run
    higher = _higher_is_better(found, score)
    # The group with most variants is ranked; the others differ from it.
    groups.sort(key=lambda group: (-len(group[1]), -sum(map(len, group[1].values()))))
    placed = [_standings(members, score, higher) for _, members in groups]
    ranked = placed[0] if placed else []
    apart = [
        Unranked(standings, passport_difference(groups[0][0], passport) or "")
        for standings, (passport, _) in zip(placed[1:], groups[1:], strict=True)
    ]
    scored = {standing.variant for standings in placed for standing in standings}
    without = [index for index in range(len(found)) if index not in scored]
    pairs = _pairs(ranked[:MOST_TESTED])
    partners = {(min(pair.better, pair.worse), max(pair.better, pair.worse)): pair for pair in pairs}
    return Comparison(score, higher, ranked, pairs, apart, without, partners)


def _group_of(groups: list[tuple[dict, dict]], run: Run, score: str) -> dict:
    passport = run.record.scores["final"][score].get("passport")
    passport = passport if isinstance(passport, dict) else {}
    for known, members in groups:
        if passport_difference(known, passport) is None:
            return members
    groups.append((passport, {}))
    return groups[-1][1]


def _higher_is_better(found: Sequence[Variant], score: str) -> bool:
    for variant in found:
        for run in variant.runs:
            for moment in ("final", "best"):
                if isinstance(higher := run.record.scores[moment].get(score, {}).get("higher_is_better"), bool):
                    return higher
    return False


def _standings(members: dict[int, dict[int, Run]], score: str, higher: bool) -> list[Standing]:
    standings = []
    for index, runs in members.items():
        values = {seed: value for seed, run in runs.items() if (value := run.value(score)) is not None}
        gap, relative = _gap(runs.values(), score, higher)
        standings.append(Standing(index, values, summary(list(values.values())), gap, relative))
    sign = -1 if higher else 1
    return sorted(standings, key=lambda standing: (sign * standing.summary.mean, standing.variant))


def _gap(runs: Iterable[Run], score: str, higher: bool) -> tuple[float | None, float | None]:
    gaps, relative = [], []
    for run in runs:
        values = run.series.curves.get(f"score/{score}", (None, np.empty(0)))[1]
        values = values[np.isfinite(values)]
        if len(values) > 1:
            best = float(values.max() if higher else values.min())
            gaps.append(abs(float(values[-1]) - best))
            relative.append(gaps[-1] / abs(best) if best else math.nan)
    if not gaps:
        return None, None
    share = sum(relative) / len(relative)
    return sum(gaps) / len(gaps), share if math.isfinite(share) else None


def _pairs(standings: Sequence[Standing]) -> list[Pair]:
    tested = [
        (one.variant, other.variant, result)
        for one, other in combinations(standings, 2)
        if (result := difference(one.summary, other.summary)) is not None
    ]
    corrected = holm([result.p for *_, result in tested])
    return [Pair(a, b, result, p) for (a, b, result), p in zip(tested, corrected, strict=True)]
