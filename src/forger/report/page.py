"""The page: the content of the run folders in one file that needs no network."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from plotly.offline import get_plotlyjs

from forger import __version__
from forger.pages import rendering as pages
from forger.report.alarm_text import as_text
from forger.report.comparison import MOST_TESTED, Comparison, Pair, Standing, compare, score_names
from forger.report.curves import page_curves
from forger.report.importance import MOST_PARAMETERS, importance, parameters
from forger.report.pictures import page_pictures
from forger.report.reading import Collection, Run, read
from forger.report.variants import Variant, flat, variants, varying
from forger.report.verdict import verdict

#: In this order one script; each file is a part of the page.
SCRIPTS = ("start", "verdict", "table", "charts", "curves", "pictures", "why", "compare", "trust", "end")
#: Scores for which importance is computed: a second each.
_MOST_EXPLAINED = 6


def page(folders: Iterable[str | Path], *, live: bool = False) -> str:
    """The report on some folders of runs as HTML.

    Args:
        folders: folders of runs, or runs.
        live: reload when the server that gives it has something new.

    Raises:
        ConfigError: a folder is not there, or there are no runs in any.
    """
    data = page_data(read(folders))
    return rendered(data, live=live)


def page_data(collection: Collection) -> dict[str, Any]:
    """The data of the page's script, in plain containers."""
    found = variants(collection.runs)
    names = score_names(run for variant in found for run in variant.runs)
    comparisons = [compare(found, name) for name in names]
    # Letters follow the first ranking: A is the best.
    order = [standing.variant for standing in comparisons[0].standings] if comparisons else []
    found = [found[index] for index in [*order, *(i for i in range(len(found)) if i not in order)]]
    comparisons = [compare(found, name) for name in names]
    runs = [run for variant in found for run in variant.runs]
    numbers = {run: number for number, run in enumerate(runs)}
    varied = parameters(found)
    configs = [flat(variant.config) for variant in found]
    differing = varying(configs)
    return {
        "made": datetime.now().astimezone().isoformat(timespec="seconds"),
        "version": __version__,
        "runs": [_run(run, index) for index, variant in enumerate(found) for run in variant.runs],
        "variants": [_variant(variant, numbers) for variant in found],
        "problems": [{"path": str(entry.path), "problem": entry.problem} for entry in collection.problems],
        "scores": {each.score: _comparison(each, found) for each in comparisons},
        "mostTested": MOST_TESTED,
        "curves": page_curves(found, numbers),
        "pictures": page_pictures(found, numbers),
        "parameters": varied[:MOST_PARAMETERS],
        "moreParameters": max(0, len(varied) - MOST_PARAMETERS),
        "importance": {each.score: _importance(varied, each) for each in comparisons[:_MOST_EXPLAINED]},
        "configs": [{key: config[key] for key in differing if key in config} for config in configs],
    }


def rendered(data: Mapping[str, Any], *, live: bool = False) -> str:
    """The page around its data."""
    return pages.rendered(
        "forger.report",
        data,
        SCRIPTS,
        before=[get_plotlyjs()],
        served=live,
        first=next(iter(data["scores"].values()), None),
        live=live,
        **{key: data[key] for key in ("made", "runs", "variants", "problems")},
    )


def _run(run: Run, variant: int) -> dict[str, Any]:
    record = run.record
    scores = {
        moment: {name: _score(score) for name, score in record.scores[moment].items()} for moment in ("final", "best")
    }
    return {
        "path": str(run.path),
        "name": run.name,
        "id": record.id,
        "variant": variant,
        "seed": run.seed,
        "status": run.status,
        "healthy": run.healthy,
        "notes": list(run.notes),
        "command": record.command,
        "versions": record.versions,
        "git": record.git,
        "data": {key: record.data.get(key) for key in ("name", "fingerprint", "counts")},
        "device": record.device,
        "weights": record.weights_sha256,
        "images": record.images,
        "iterations": record.iterations,
        "seconds": record.seconds,
        "parent": record.parent,
        "alarms": [as_text(alarm) for alarm in run.alarms],
        "scores": scores,
    }


def _score(score: Mapping[str, Any]) -> dict[str, Any]:
    return {key: score[key] for key in ("value", "error", "images") if score.get(key) is not None}


def _variant(variant: Variant, numbers: Mapping[Run, int]) -> dict[str, Any]:
    return {
        "name": variant.name,
        "runs": [numbers[run] for run in variant.runs],
        "repeated": [str(run.path) for run in variant.repeated],
        "healthy": variant.healthy,
        "imagesPerSecond": variant.images_per_second,
        "minutes": variant.minutes,
        "statuses": sorted({run.status for run in variant.runs}),
        "overrides": sorted({str(text) for run in variant.runs for text in run.record.overrides}),
    }


def _comparison(comparison: Comparison, found: Sequence[Variant]) -> dict[str, Any]:
    headline, detail = verdict(comparison, found)
    return {
        "higherIsBetter": comparison.higher_is_better,
        "headline": headline,
        "detail": detail,
        "standings": [_standing(each) for each in comparison.standings],
        "pairs": [_pair(each) for each in comparison.pairs],
        "apart": [
            {"reason": apart.reason, "standings": [_standing(each) for each in apart.standings]}
            for apart in comparison.apart
        ],
        "without": [
            {"variant": index, "latest": _latest(found[index], comparison.score)} for index in comparison.without
        ],
    }


def _pair(pair: Pair) -> list[Any]:
    test = pair.difference
    return [pair.better, pair.worse, test.estimate, test.half, test.p, pair.corrected]


def _standing(standing: Standing) -> dict[str, Any]:
    return {
        "variant": standing.variant,
        "values": list(standing.values.items()),
        "n": standing.summary.n,
        "mean": standing.summary.mean,
        "half": standing.summary.half,
        "gap": standing.gap,
        "relativeGap": standing.relative_gap,
    }


def _latest(variant: Variant, score: str) -> float | None:
    """Where the unfinished runs of a variant stand, on validation: the mean of their latest values."""
    latest = []
    for run in variant.runs:
        _, values = run.series.curves.get(f"score/{score}", (None, []))
        finite = [float(value) for value in values if value == value]
        latest += finite[-1:]
    return sum(latest) / len(latest) if latest else None


def _importance(varied: Sequence[Mapping[str, Any]], comparison: Comparison) -> dict[str, Any]:
    shares, reason = importance(varied, comparison)
    return {"shares": shares, "reason": reason}
