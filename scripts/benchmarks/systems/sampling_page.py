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

Of the runs of [systems.md](systems.md): median ± standard deviation over seeds, on the test split and, for a choice of
steps and solver, on the validation split. Evaluations of the network are those behind one sample. Steps and solver are
at guidance 1.

![score over evaluations](../pictures/systems/score_over_evaluations.png)

{table(("experiment", "solver", "evaluations", "`fd_digits`", "on validation"), steps)}
## Guidance

0 is without labels, 1 with them, above 1 they are exaggerated; solver and steps of the experiment.

{table(("experiment", "guidance", "evaluations", "`fd_digits`", "`agreement_digits`"), guidance)}"""


def _scores(seeds: Sequence[dict[str, float]]) -> list[str]:
    """Median and spread of each score but the evaluations."""
    return [median_and_spread([seed[name] for seed in seeds]) for name in seeds[0] if name != "nfe"]
