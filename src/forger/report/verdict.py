"""The verdict as text, and numbers with their significant digits."""

import math
from collections.abc import Sequence

from forger.report.comparison import LEVEL, Comparison, Standing
from forger.report.variants import Variant

#: Names that a sentence can hold before it says how many there are instead.
_MOST_NAMES = 3


def number(value: float | None, digits: int = 3) -> str:
    """A value to some significant digits, without an exponent where that is short."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    if not -6 < places < 9:
        return f"{value:.{digits - 1}e}"
    return f"{round(value, places):,.{max(places, 0)}f}"


def with_half_width(mean: float, half: float | None) -> str:
    """``1.63 ± 0.22``: an uncertainty to two significant digits, its mean to the same place."""
    if not half:
        return number(mean)
    places = 1 - math.floor(math.log10(half))
    if not -6 < places < 9:
        return f"{mean:.3g} ± {half:.1e}"
    shown = max(places, 0)
    return f"{round(mean, places):,.{shown}f} ± {round(half, places):,.{shown}f}"


def p_value(p: float) -> str:
    """``p = .003``, as statisticians write it."""
    if p < 0.001:
        return "p < .001"
    text = f"{p:.2f}" if p >= 0.095 else f"{p:.3f}" if p < 0.0095 else f"{p:.2g}"
    return f"p = {text.lstrip('0') if p < 1 else '1'}"


def verdict(comparison: Comparison, found: Sequence[Variant]) -> tuple[str, str]:
    """The outcome by one score: a headline, and the sentences that qualify it."""
    standings, score = comparison.standings, comparison.score
    if not standings:
        return f"No run has a final {score} yet.", "A score appears here when the first run finishes."
    names = [variant.name for variant in found]
    best = standings[0]
    direction = f"{score}: {'higher' if comparison.higher_is_better else 'lower'} is better."
    notes = [direction, *_failures(comparison, found), *_set_apart(comparison)]
    if len(standings) == 1:
        headline = f"{names[best.variant]}: {score} {with_half_width(best.summary.mean, best.summary.half)}."
        return headline, " ".join([*_seeds(best), "There is nothing to compare it with.", *notes])
    headline, advice = _against_second(comparison, names)
    return headline, " ".join([*advice, *_others(comparison, names), *notes])


def _against_second(comparison: Comparison, names: Sequence[str]) -> tuple[str, list[str]]:
    best, second = comparison.standings[:2]
    a, b = names[best.variant], names[second.variant]
    values = f"{_value(best, second)} against {_value(second, best)}"
    pair = comparison.pair(best.variant, second.variant)
    if best.summary.mean == second.summary.mean:
        return f"{a} and {b} are level: {values}.", []
    if pair is None:
        advice = "One seed says nothing about chance: repeat each variant with three seeds or more."
        return f"{a} is ahead of {b}: {values}, on too few seeds to be sure.", [advice]
    if pair.means_something:
        return f"{a} is better than {b}: {values}, {p_value(pair.corrected)}.", []
    seeds = min(best.summary.n, second.summary.n)
    headline = f"{a} is ahead of {b}, but {seeds} seeds can’t tell them apart: {values}, {p_value(pair.corrected)}."
    if pair.difference.p >= LEVEL:
        return headline, []
    corrected = (
        f"Alone, this pair would have {p_value(pair.difference.p)}; {len(comparison.pairs)} were compared (Holm)."
    )
    return headline, [corrected]


def _value(standing: Standing, other: Standing) -> str:
    if standing.summary.half:
        return with_half_width(standing.summary.mean, standing.summary.half)
    # Without an interval, as many digits as it takes to see the difference.
    gap = abs(standing.summary.mean - other.summary.mean)
    digits = 3
    if gap and standing.summary.mean:
        digits = max(3, 1 + math.floor(math.log10(abs(standing.summary.mean))) - math.floor(math.log10(gap)))
    return number(standing.summary.mean, min(digits, 8))


def _seeds(best: Standing) -> list[str]:
    n = best.summary.n
    return [f"Mean of {n} seeds ± its 95% interval."] if n > 1 else ["One seed: nothing is known about its spread."]


def _others(comparison: Comparison, names: Sequence[str]) -> list[str]:
    """The best variant compared with all but the second."""
    best = comparison.standings[0].variant
    clear: list[str] = []
    unclear: list[str] = []
    for standing in comparison.standings[2:]:
        pair = comparison.pair(best, standing.variant)
        if pair is not None:
            (clear if pair.means_something else unclear).append(names[standing.variant])
    sentences = []
    if clear:
        sentences.append(f"It is clearly better than {_listed(clear)}.")
    if unclear:
        pair = comparison.pair(best, comparison.standings[1].variant)
        begin = "It can’t" if pair is not None and pair.means_something else "Nor can it"
        sentences.append(f"{begin} be told from {_listed(unclear)}.")
    return sentences


def _listed(names: Sequence[str]) -> str:
    if len(names) > _MOST_NAMES:
        return f"{len(names)} others"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _failures(comparison: Comparison, found: Sequence[Variant]) -> list[str]:
    """A sentence about runs that ended without a score, since the mean of the others is then too good."""
    sentences = []
    for standing in comparison.standings:
        variant = found[standing.variant]
        lost = [run for run in variant.runs if run.ended and run.value(comparison.score) is None]
        if lost:
            how = _listed(sorted({run.status for run in lost}))
            verb = "is" if len(lost) == 1 else "are"
            which = f"{len(lost)} of {len(variant.runs)} runs of {variant.name} ({how})"
            sentences.append(f"{which} {verb} missing from its mean.")
    return (
        sentences if len(sentences) <= _MOST_NAMES else [f"{len(sentences)} variants lost runs, which no mean holds."]
    )


def _set_apart(comparison: Comparison) -> list[str]:
    count = len({standing.variant for apart in comparison.apart for standing in apart.standings})
    if not count:
        return []
    subject = "1 variant can’t be ranked" if count == 1 else f"{count} variants can’t be ranked"
    return [f"{subject} with these: {comparison.apart[0].reason}."]
