"""Scores of flow matching and diffusion by solver, steps and guidance (docs/results/sampling.md).

    python -m scripts.benchmarks.systems.sampling [--root runs/systems] [--only digits_flow …]

It scores the runs that `python -m scripts.benchmarks.systems.experiments` has trained. What is not among `--only` keeps
its published figures.
"""

import statistics
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from forger.scoring import scored
from forger.scoring.asked import Asked
from forger.sources import source_at
from scripts.benchmarks import pages
from scripts.benchmarks.systems.training import PICTURES, newest_runs, options

SYSTEMS = {"digits_flow": "tab:blue", "digits_diffusion": "tab:orange"}
STEPS = {"heun": (2, 3, 5, 10, 18), "euler": (3, 5, 9, 19, 35)}
GUIDANCE = (0.0, 1.0, 1.5, 2.0, 3.0)
_STYLES = {"heun": "-", "euler": ":"}


def scores(run: Path, names: list[str], validation: bool = False, **sampling: object) -> dict[str, Any]:
    """Scores of a run on the test split, with samples made like this, and how often that asks the network.

    And on the validation split, by which a choice between samplers can be made, as ``fd_validation``.
    """
    source = source_at(run, trust=True, places={f"model.{name}": str(value) for name, value in sampling.items()})
    found, _ = scored(source, Asked(scores=names), trust=True)
    assert source.nfe is not None
    row = {"nfe": source.nfe, **{name.partition("_")[0]: found[name]["value"] for name in names}}
    if validation:
        held_out, _ = scored(source, Asked(reference="digits/validation", scores=["fd_digits"]), trust=True)
        row["fd_validation"] = held_out["fd_digits"]["value"]
    return row


def measured(runs: list[Path]) -> dict[str, Any]:
    """By solver and steps, and by guidance: a row of each seed."""
    return {
        "steps": {
            solver: [
                [scores(run, ["fd_digits"], validation=True, solver=solver, steps=steps) for run in runs]
                for steps in counts
            ]
            for solver, counts in STEPS.items()
        },
        "guidance": {
            str(g): [scores(run, ["fd_digits", "agreement_digits"], guidance=g) for run in runs] for g in GUIDANCE
        },
    }


def draw(found: dict[str, Any], path: Path) -> None:
    """Median score over evaluations of the network."""
    figure = Figure((6.4, 4.0), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    for name, of in found.items():
        for solver, rows in of["steps"].items():
            nfe = [row[0]["nfe"] for row in rows]
            medians = [statistics.median(seed["fd"] for seed in row) for row in rows]
            axes.plot(nfe, medians, _STYLES[solver], marker=".", color=SYSTEMS[name], label=f"{name}, {solver}")
    axes.set(xscale="log", yscale="log", xlabel="evaluations of the network for a sample", ylabel="fd_digits")
    for axis, ticks in ((axes.xaxis, (3, 5, 10, 20, 35)), (axes.yaxis, (2, 3, 5, 10, 20, 50))):
        axis.set_ticks(ticks, [str(tick) for tick in ticks])
        axis.set_ticks([], minor=True)
    axes.legend(fontsize=8)
    FigureCanvasAgg(figure).print_png(str(path))


def main() -> None:
    given = options(__doc__, "systems").parse_args()
    found = pages.known("sampling") if (pages.RESULTS / "sampling.json").exists() else {}
    for name in SYSTEMS if not given.table_only else ():
        if not given.only or name in given.only:
            found[name] = measured([path for path, _ in newest_runs(given.root / name)])
    draw(found, PICTURES / "systems" / "score_over_evaluations.png")
    pages.publish("sampling", found)


if __name__ == "__main__":
    main()
