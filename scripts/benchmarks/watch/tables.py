"""The page of the watch's calibration, from what `calibration.py` found."""

from collections import Counter, defaultdict
from typing import Any

from scripts.benchmarks.markdown import table

Result = dict[str, Any]


def page(result: Result) -> str:
    """Rates, thresholds, each alarm and signal, oscillation, and every recipe."""
    return f"""# The watch: how it was calibrated

`scripts/benchmarks/watch/calibration.py` trains 112 small recipes, 54 meant to go well and 58 meant to go wrong: 50 on
digits and 12 on points with three seeds each, 50 on Fashion-MNIST, 28×28, with one; five have no extractor. The final
samples alone decide whether a run did go wrong. It is healthy if they are no further from the data than data without a
fifth of their modes, broken if they are as far as data without three tenths, or if it diverged: `fd_digits` below 47.9
and above 79.1, `fd_fashion` (2,000 images) below 2.05 and above 3.2, on points a Jensen-Shannon divergence below 0.075
and above 0.117 nats. Thresholds were chosen on every other recipe (the fit half); those of `discriminator_memorises`
also on long runs of `digits_cgan` and `digits_dcgan`, that of `blurred_samples` on two VAEs, one in either half.

Any alarm counts. Intervals are Wilson's, of runs; the seeds of a recipe are alike, so they are too narrow. True
oscillation is rare in these recipes; its threshold comes from the bilinear game and the Dirac-GAN: an alarm in 215 of
216 undamped and 8 of 432 damped ones.

## Detection and false alarms

{_rates(result)}
## Thresholds

{_thresholds(result)}
## How often each alarm rang

In runs of both halves, as the first one and at all.

{_alarms(result)}
## What each signal tells

The most extreme level that a signal kept for three checks in a row, after the first eight, in healthy and broken runs
of the fit half; AUC is the probability that a broken run's is the worse.

{_information(result)}
## Oscillation

The bilinear game and the Dirac-GAN, by simultaneous and alternating steps, at three rates, with 4, 8 and 16 cycles in
the window, with and without noise of the gradients, damped (consensus optimisation, R1) and not.

{_oscillation(result)}
## Every recipe

{_recipes(result)}"""


def _share(group: dict[str, Any]) -> str:
    if not group["runs"]:
        return "none"
    share = group["alarmed"] / group["runs"]
    return f"{group['alarmed']} of {group['runs']} = {share:.1%} ({group['low']:.0%} to {group['high']:.0%})"


def _rates(result: Result) -> str:
    rows = []
    for of in result["rates"]:
        recipes = of["recipes"]
        delay = "–" if of["delay_images"] is None else f"{of['delay_images']:,.0f} ({of['delay_share']:.0%})"
        rows.append(
            [
                f"{of['family']}, {of['half']} ({recipes['healthy']} recipes with healthy, {recipes['broken']} with "
                "broken runs)",
                _share(of["broken"]),
                _share(of["healthy"]),
                delay,
                str(of["diverged"]),
                _share(of["between"]),
            ]
        )
    head = [
        "recipes, half",
        "broken runs detected",
        "healthy runs with an alarm",
        "median delay in images (share of the budget)",
    ]
    return table([*head, "ended in NaN", "in between, with an alarm"], rows)


def _thresholds(result: Result) -> str:
    rows = []
    for alarm, groups in result["thresholds"].items():
        conditions = [
            " and ".join(f"`{s['signal']}` {'<' if s['below'] else '>'} {s['threshold']:g}" for s in group)
            for group in groups
        ]
        rows.append([f"`{alarm}`", "; or ".join(conditions)])
    return table(["alarm", "at three checks in a row"], rows)


def _information(result: Result) -> str:
    ranked = sorted(result["information"].items(), key=lambda pair: -max(pair[1]["auc"], 1 - pair[1]["auc"]))
    rows = []
    for signal, about in ranked:
        spread = [" / ".join(f"{value:.3g}" for value in about[truth]) for truth in ("healthy", "broken")]
        rows.append(
            [f"`{signal}`", about["side"], f"{about['auc']:.2f}", *spread, f"{about['runs'][0]}, {about['runs'][1]}"]
        )
    return table(["signal", "trouble is", "AUC", "healthy: least / median / most", "broken", "runs"], rows)


def _oscillation(result: Result) -> str:
    rows = []
    for name, group in result["oscillation"]["groups"].items():
        peaks = group["peaks"]
        low, middle, high = peaks[0], peaks[len(peaks) // 2], peaks[-1]
        rows.append(
            [
                name,
                f"{group['alarmed']} of {group['runs']}",
                str(group["rows"] or "–"),
                f"{low:.2f} / {middle:.2f} / {high:.2f}",
            ]
        )
    peaks = table(
        ["game", "with an alarm", "median rows of training until then", "`spectral_peak`: least / median / most"], rows
    )
    angles = table(
        ["game without damping", "angle of a step in closed form", "measured"],
        [[name, f"{a:.5f}", f"{b:.5f}"] for name, (a, b) in result["oscillation"]["angles"].items()],
    )
    return f"{peaks}\n{angles}"


def _alarms(result: Result) -> str:
    first: dict[str, Counter[str]] = defaultdict(Counter)
    anywhere: dict[str, Counter[str]] = defaultdict(Counter)
    for run in result["runs"]:
        names = [name for name, _ in run["alarms"]]
        for name in set(names):
            anywhere[name][run["truth"]] += 1
        if names:
            first[names[0]][run["truth"]] += 1
    truths = ("broken", "between", "healthy")
    rows = [
        [f"`{name}`", *(f"{first[name][truth]} / {anywhere[name][truth]}" for truth in truths)]
        for name in result["thresholds"]
    ]
    return table(["alarm", *(f"{truth}: first / at all" for truth in truths)], rows)


def _recipes(result: Result) -> str:
    by_recipe: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for run in result["runs"]:
        by_recipe[run["half"], run["meant"], run["recipe"]].append(run)
    rows = []
    for (half, meant, recipe), runs in by_recipe.items():
        distances = [run["status"] if run["distance"] is None else f"{run['distance']:.3g}" for run in runs]
        alarms = [
            f"`{run['alarms'][0][0]}` at {run['alarms'][0][1] / run['budget']:.0%}" if run["alarms"] else "–"
            for run in runs
        ]
        rows.append(
            [recipe, half, meant, ", ".join(run["truth"] for run in runs), ", ".join(distances), ", ".join(alarms)]
        )
    return table(
        [
            "recipe",
            "half",
            "meant to go",
            "went (seeds in turn)",
            "distance",
            "first alarm, at which part of the budget",
        ],
        rows,
    )
