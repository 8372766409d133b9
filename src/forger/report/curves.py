"""Curves small enough for a page: each seed thinned without losing its peaks, and a band over seeds."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from forger.report.reading import Run
from forger.report.variants import Variant

#: Points of one seed's curve, and of all such curves on a page together.
MOST_POINTS = 500
POINTS_IN_ALL = 200_000
#: Places in training at which seeds are averaged, and those of all means on a page together.
MOST_PLACES = 160
PLACES_IN_ALL = 60_000
_CLOCK_POINTS = 60
_DIGITS = 4

Curve = tuple[np.ndarray, np.ndarray]


def thinned(x: np.ndarray, y: np.ndarray, most: int) -> Curve:
    """At most ``most`` points: the first and the last, and the lowest and highest of each stretch between.

    Where y is NaN the first NaN of a stretch stays, so that a gap stays a gap.
    """
    if len(x) <= most:
        return x, y
    # Three points a stretch, and the two ends.
    stretches = max(1, (most - 2) // 3)
    width = -(-len(y) // stretches)
    padded = np.concatenate([y, np.full(-len(y) % width, np.nan)]).reshape(-1, width)
    missing = np.isnan(padded)
    # Argmin of a stretch without a number is its first point, which is missing: one more gap.
    places = [
        np.where(missing, np.inf, padded).argmin(axis=1),
        np.where(missing, -np.inf, padded).argmax(axis=1),
        missing.argmax(axis=1),
    ]
    starts = np.arange(len(padded)) * width
    index = np.unique(np.concatenate([[0, len(y) - 1], *(starts + place for place in places)]))
    index = index[index < len(y)]
    return x[index], y[index]


def band(curves: Sequence[Curve], most: int = MOST_PLACES) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Place, mean and standard deviation (n − 1; 0 for one seed) over seeds.

    Seeds that were measured at the same few places, at most ``most``, are compared there; else each is averaged
    over so many stretches of training first.
    """
    curves = [(x[np.isfinite(y)], y[np.isfinite(y)]) for x, y in curves]
    curves = [curve for curve in curves if len(curve[0])]
    if not curves:
        return np.empty(0), np.empty(0), np.empty(0)
    first = curves[0][0]
    if len(first) <= most and all(np.array_equal(x, first) for x, _ in curves):
        places, values = first, np.stack([y for _, y in curves])
    else:
        longest = max(curves, key=lambda curve: len(curve[0]))[0]
        low, high = min(x[0] for x, _ in curves), max(x[-1] for x, _ in curves)
        edges = np.linspace(low, high, min(most, len(longest)) + 1)
        places = (edges[:-1] + edges[1:]) / 2
        values = np.stack([_averaged(x, y, edges) for x, y in curves])
    count = np.isfinite(values).sum(axis=0)
    some = count > 0
    places, values, count = places[some], values[:, some], count[some]
    mean = np.nansum(values, axis=0) / count
    squares = np.nansum((values - mean) ** 2, axis=0)
    sd = np.sqrt(squares / np.maximum(count - 1, 1))
    # Differences from rounding count as no spread.
    return places, mean, np.where(sd > 1e-9 * np.abs(mean), sd, 0.0)


def _averaged(x: np.ndarray, y: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Means over stretches; a stretch without a point lies on the line between its neighbours."""
    stretch = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, len(edges) - 2)
    total = np.bincount(stretch, weights=y, minlength=len(edges) - 1)
    count = np.bincount(stretch, minlength=len(edges) - 1)
    places = (edges[:-1] + edges[1:]) / 2
    some = count > 0
    means = total[some] / count[some]
    return np.interp(places, places[some], means, left=np.nan, right=np.nan)


def plain(values: np.ndarray) -> list[float | None]:
    """For JSON: four significant digits, and null for what is not finite."""
    values = np.asarray(values, float)
    finite = np.isfinite(values)
    safe = np.where(finite & (values != 0), values, 1.0)
    power = np.clip(_DIGITS - 1 - np.floor(np.log10(np.abs(safe))), -300, 300)
    # Powers of ten up to 1e22 are exact, and so the shortest text of the quotient has no more digits.
    scale = 10.0 ** np.abs(power)
    rounded = np.where(power >= 0, np.round(values * scale) / scale, np.round(values / scale) * scale)
    shown = np.where(values == 0, 0.0, rounded).tolist()
    return [value if ok else None for value, ok in zip(shown, finite.tolist(), strict=True)]


def _whole(values: np.ndarray) -> list[int]:
    return np.round(values).astype(int).tolist()


def page_curves(found: Sequence[Variant], numbers: dict[Run, int]) -> dict[str, Any]:
    """All curves of a page: keys, bands by key and variant, seeds by key and run, and each run's clock.

    Scores on the test split, one point each, are left to the ranking.
    """
    runs = [run for variant in found for run in variant.runs]
    keys = dict.fromkeys(key for run in runs for key in run.series.curves if not key.startswith("score/test/"))
    total = sum(key in run.series.curves for run in runs for key in keys)
    most = max(20, min(MOST_POINTS, POINTS_IN_ALL // max(total, 1)))
    averaged = sum(any(key in run.series.curves for run in variant.runs) for variant in found for key in keys)
    places = max(20, min(MOST_PLACES, PLACES_IN_ALL // max(averaged, 1)))
    bands: dict[str, dict[int, list]] = {key: {} for key in keys}
    seeds: dict[str, dict[int, list]] = {key: {} for key in keys}
    for index, variant in enumerate(found):
        for key in keys:
            with_key = [run for run in variant.runs if key in run.series.curves]
            for run in with_key:
                x, y = thinned(*run.series.curves[key], most)
                seeds[key][numbers[run]] = [_whole(x), plain(y)]
            if with_key:
                x, mean, sd = band([run.series.curves[key] for run in with_key], places)
                bands[key][index] = [_whole(x), plain(mean), plain(sd)]
    clocks = {numbers[run]: _clock(run) for run in runs}
    return {"keys": list(keys), "bands": bands, "seeds": seeds, "clocks": clocks, "most": most}


def _clock(run: Run) -> list[list]:
    images, seconds = run.series.clock
    some = np.unique(np.linspace(0, len(images) - 1, min(len(images), _CLOCK_POINTS)).astype(int))
    return [_whole(images[some]), plain(seconds[some])] if len(images) else [[], []]
