"""The page of scores over how samples are made of noise, from the results."""

from collections.abc import Sequence
from typing import Any

from scripts.benchmarks.markdown import median_and_spread, table


def page(results: dict[str, dict[str, Any]]) -> str:
    """Scores by solver and steps, and by guidance."""
    steps, guidance = [], []
    for name, found in results.items():
        for solver, rows in found["steps"].items():
            steps += [(f"`{name}`", solver, f"{seeds[0]['nfe']}", *_scores(seeds)) for seeds in rows]
        guidance += [(f"`{name}`", g, f"{seeds[0]['nfe']}", *_scores(seeds)) for g, seeds in found["guidance"].items()]
    return f"""# Scores by steps, solver and guidance

Of the runs of [systems.md](systems.md), on the test split: of several seeds median ± standard deviation, else the value
of seed 0. Evaluations of the network are those behind one sample. Steps and solver are at guidance 1.

![score over evaluations](../pictures/systems/score_over_evaluations.png)

{table(("experiment", "solver", "evaluations", "`fd_digits`"), steps)}
## Guidance

0 is without labels, 1 with them, above 1 they are exaggerated; solver and steps of the experiment.

{table(("experiment", "guidance", "evaluations", "`fd_digits`", "`agreement_digits`"), guidance)}"""


def _scores(seeds: Sequence[dict[str, float]]) -> list[str]:
    """Median and spread of each score but the evaluations."""
    values = [[seed[name] for seed in seeds] for name in seeds[0] if name != "nfe"]
    return [median_and_spread(each) if len(each) > 1 else f"{each[0]:.4g}" for each in values]
