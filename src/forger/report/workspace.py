"""The same comparison as a report of Weights & Biases, through wandb-workspaces (extra ``report-wandb``)."""

import os
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from forger.errors import ConfigError, ForgerError
from forger.report.comparison import Comparison, compare, score_names
from forger.report.importance import MOST_PARAMETERS, parameters
from forger.report.reading import Run, read
from forger.report.variants import Variant, variants
from forger.report.verdict import p_value, verdict, with_half_width
from forger.tracking.wandb_account import login

#: Run sets a report shows in colours that can be wandb apart.
MOST_VARIANTS = 20
_LONGEST_TITLE = 128
_MOST_PANELS = 12


def save(folders: Iterable[str | Path], *, project: str | None = None, entity: str | None = None) -> str:
    """Write the report of some folders of runs to W&B; its address.

    Args:
        folders: folders of runs, or runs, which were logged to W&B.
        project: as the runs' own configs say by default.
        entity: as the runs' own configs say by default, else that of the login.

    Raises:
        ConfigError: wandb-workspaces is missing, nobody is logged in, or a folder is not there.
        ForgerError: W&B refused, with its reason.
    """
    collection = read(folders)
    reports = _package()
    if login() is None:
        raise ConfigError("report --wandb: nobody is logged in to W&B; `wandb login` first")
    settings = _settings(collection.runs)
    try:
        # Named here, since a report without an entity asks for one in a way of its own.
        owner = entity or settings.get("entity") or _default_entity()
        report = built(collection.runs, entity=owner, project=project or settings.get("project") or "forger")
        report.save()
        return report.url
    except ForgerError:
        raise
    except Exception as error:
        # The client raises what it likes, bare Exception among it.
        raise ForgerError(f"report --wandb: {reports.__name__.partition('.')[0]} could not save it: {error}") from error


def built(runs: Sequence[Run], *, entity: str, project: str) -> Any:
    """The report, not saved yet: verdict, curves, scores, pictures, settings."""
    wr = _package()
    found = variants(runs)
    names = score_names(run for variant in found for run in variant.runs)
    if not names:
        raise ConfigError("report --wandb: no run has a score yet")
    comparison = compare(found, names[0])
    order = [standing.variant for standing in comparison.standings] + comparison.without
    headline, detail = verdict(comparison, found)

    def grid(*panels: Any) -> Any:
        sets = [_run_set(wr, found[index], entity, project) for index in order[:MOST_VARIANTS]]
        return wr.PanelGrid(runsets=sets, panels=list(panels))

    keys = dict.fromkeys(key for variant in found for run in variant.runs for key in run.series.curves)
    curves = [key for key in keys if not key.startswith("score/test/")]
    return wr.Report(
        entity=entity,
        project=project,
        title=headline if len(headline) <= _LONGEST_TITLE else f"{headline[: _LONGEST_TITLE - 1]}…",
        description=detail,
        width="fluid",
        blocks=[
            wr.H1("Verdict"),
            wr.P(f"{headline} {detail}"),
            wr.MarkdownBlock(_table(comparison, found)),
            wr.H1("Curves"),
            grid(*(_curve(wr, key) for key in _first(curves, names[0]))),
            wr.H1("Scores"),
            grid(*(wr.BarPlot(title=name, metrics=[wr.SummaryMetric(f"score/test/{name}")]) for name in names[:6])),
            wr.H1("Pictures"),
            grid(wr.MediaBrowser(media_keys=["samples"], num_columns=4)),
            wr.H1("Why"),
            grid(*_why(wr, found, names[0])),
        ],
    )


def _package() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import wandb_workspaces.reports.v2 as reports
    except ImportError:
        raise ConfigError("report --wandb: needs wandb-workspaces: pip install 'forger[report-wandb]'") from None
    return reports


def _default_entity() -> str:
    import wandb

    return wandb.Api().default_entity or ""


def _settings(runs: Iterable[Run]) -> Mapping[str, Any]:
    """Entity and project that most runs were logged to, as their configs say."""
    counted: Counter[tuple[Any, Any]] = Counter()
    for run in runs:
        logger = run.config.get("logger")
        wandb = logger.get("wandb") if isinstance(logger, dict) else None
        if isinstance(wandb, dict):
            counted[wandb.get("entity"), wandb.get("project")] += 1
    if not counted:
        return {}
    (entity, project), _ = counted.most_common(1)[0]
    return {"entity": os.environ.get("WANDB_ENTITY") or entity, "project": project}


def _run_set(wr: Any, variant: Variant, entity: str, project: str) -> Any:
    # A run's id in W&B is that of its folder.
    ids = [run.record.id for run in variant.runs]
    return wr.Runset(entity=entity, project=project, name=variant.name, filters=f"Metric('ID') in {ids!r}")


def _first(keys: Sequence[str], score: str) -> list[str]:
    rank = {"score": 0, "train": 1, "watch": 2}
    ordered = sorted(keys, key=lambda key: (key != f"score/{score}", rank[key.partition("/")[0]]))
    return ordered[:_MOST_PANELS]


def _curve(wr: Any, key: str) -> Any:
    return wr.LinePlot(
        title=key,
        x="images",
        y=[key],
        title_x="images shown",
        aggregate=True,
        groupby_aggfunc="mean",
        groupby_rangefunc="stddev",
    )


def _why(wr: Any, found: Sequence[Variant], score: str) -> list[Any]:
    metric = wr.SummaryMetric(f"score/test/{score}")
    columns = [
        wr.ParallelCoordinatesPlotColumn(metric=wr.Config(each["key"]), display_name=each["label"])
        for each in parameters(found)[:MOST_PARAMETERS]
    ]
    last = wr.ParallelCoordinatesPlotColumn(metric=metric, display_name=score)
    importance = wr.ParameterImportancePlot(with_respect_to=f"score/test/{score}")
    return [wr.ParallelCoordinatesPlot(columns=[*columns, last]), importance, wr.RunComparer(diff_only=True)]


def _table(comparison: Comparison, found: Sequence[Variant]) -> str:
    lines = [
        f"| variant | {comparison.score} (mean ± 95%) | seeds | healthy | against first |",
        "|---|---|---|---|---|",
    ]
    for standing in comparison.standings:
        variant = found[standing.variant]
        pair = comparison.pair(comparison.standings[0].variant, standing.variant)
        healthy, ended = variant.healthy
        value = with_half_width(standing.summary.mean, standing.summary.half)
        against = p_value(pair.corrected) if pair else "–"
        lines.append(f"| {_cell(variant.name)} | {value} | {standing.summary.n} | {healthy} of {ended} | {against} |")
    lines += [f"\nNot ranked with these: {apart.reason}." for apart in comparison.apart]
    return "\n".join(lines)


def _cell(text: str) -> str:
    """Text in a Markdown table, and no markup."""
    return "".join(f"\\{character}" if character in r"\|<>[]*`_#" else character for character in text)
