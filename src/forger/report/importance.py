"""Why variants differ: which settings vary, and how much of the score each explains."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from forger.report.comparison import Comparison
from forger.report.variants import Variant, short_labels, varying

#: Axes of the parallel coordinates.
MOST_PARAMETERS = 8
#: Below this fANOVA's forest sees chance only.
LEAST_RUNS = 10
_MISSING = "(none)"


def parameters(found: Sequence[Variant]) -> list[dict[str, Any]]:
    """The settings on which variants differ, each with its value by variant.

    Settings that always change together are one: ``also`` names the others. Numbers stay numbers.
    """
    keys = varying([variant.settings for variant in found])
    together: dict[tuple[int, ...], list[str]] = {}
    for key in keys:
        values = [repr(variant.settings.get(key, _MISSING)) for variant in found]
        # Equal for settings on which the same variants agree.
        pattern = tuple(values.index(value) for value in values)
        together.setdefault(pattern, []).append(key)
    typed = [key for variant in found for run in variant.runs for key in _typed(run.record.overrides)]
    chosen = [min(group, key=lambda key: (key not in typed, key.endswith("_target_"))) for group in together.values()]
    labels = short_labels(chosen, least=2)
    parameters = [
        {
            "key": key,
            "label": labels[key],
            "also": [other for other in group if other != key],
            "values": [_value(key, variant.settings.get(key, _MISSING)) for variant in found],
        }
        for key, group in zip(chosen, together.values(), strict=True)
    ]
    # Settings that were typed come first; settings that other variants lack belong to another kind of model.
    return sorted(parameters, key=lambda each: (each["key"] not in typed, each["values"].count(_MISSING)))


def _typed(overrides: Sequence[Any]) -> list[str]:
    return [text.partition("=")[0].lstrip("+~").replace("/", ".") for text in overrides if isinstance(text, str)]


def _value(key: str, value: Any) -> Any:
    if key.endswith("_target_"):
        return str(value).rpartition(".")[2]
    return value if isinstance(value, int | float | str) and not isinstance(value, bool) else str(value)


def importance(
    varied: Sequence[Mapping[str, Any]], comparison: Comparison
) -> tuple[list[tuple[str, float]], str | None]:
    """How much of a score's variance over runs each setting explains (fANOVA, Hutter et al., 2014).

    Returns:
        (label, share) pairs that sum to 1, the largest first, and None; or none, and the reason why.
    """
    rows = [(s.variant, value) for s in comparison.standings for value in s.values.values()]
    able = [
        each
        for each in varied
        if len({repr(each["values"][variant]) for variant, _ in rows}) > 1
    ]  # fmt: skip
    if len(rows) < LEAST_RUNS:
        return [], f"needs {LEAST_RUNS} runs with this score; there are {len(rows)}"
    if len(able) < 2:
        return [], "needs two settings that vary independently"
    if len(able) > len(rows) // 3:
        return [], f"{len(able)} settings vary, too many for {len(rows)} runs to tell apart"
    try:
        import optuna
    except ImportError:
        return [], "needs optuna: pip install optuna"
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return _explained(optuna, able, rows, comparison.higher_is_better)
    except (RuntimeError, ValueError) as error:
        return [], f"could not be computed: {error}"
    finally:
        optuna.logging.set_verbosity(before)


def _explained(
    optuna: Any, able: Sequence[Mapping[str, Any]], rows: Sequence[tuple[int, float]], higher_is_better: bool
) -> tuple[list[tuple[str, float]], None]:
    study = optuna.create_study(direction="maximize" if higher_is_better else "minimize")
    distributions = {each["key"]: _distribution(optuna, [each["values"][v] for v, _ in rows]) for each in able}
    for variant, value in rows:
        settings = {each["key"]: _fitting(each["values"][variant], distributions[each["key"]]) for each in able}
        study.add_trial(optuna.create_trial(params=settings, distributions=distributions, value=value))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=32, seed=0)
        shares = optuna.importance.get_param_importances(study, evaluator=evaluator)
    labels = {each["key"]: each["label"] for each in able}
    return [(labels[key], float(share)) for key, share in shares.items()], None


def _distribution(optuna: Any, values: Sequence[Any]) -> Any:
    numbers = [value for value in values if not isinstance(value, str)]
    if len(numbers) == len(values):
        low, high = float(min(numbers)), float(max(numbers))
        return optuna.distributions.FloatDistribution(low, high, log=low > 0 and high / low > 20)
    return optuna.distributions.CategoricalDistribution(sorted({str(value) for value in values}))


def _fitting(value: Any, distribution: Any) -> Any:
    return str(value) if type(distribution).__name__ == "CategoricalDistribution" else float(value)
