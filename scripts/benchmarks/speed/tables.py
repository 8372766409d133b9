"""Pages of what was timed, from the results."""

import ast
import statistics
from pathlib import Path
from typing import Any

from scripts.benchmarks.markdown import table

Row = dict[str, Any]
COMPARED = ("what", "against", "median", "middle half", "goal", "processor time (wall)")
ABOUT = """# Performance: every measurement

Sides take turns. Figures are medians over the turns, of processor time with the wall clock in brackets, and the range
of their middle half.
"""


def performance(results: dict[str, list[dict[str, Any]]]) -> str:
    """Every figure with a goal, then each script's measurements below what its docstring says of them."""
    parts = [ABOUT, "## Figures with a goal\n", _goals([of for section in results.values() for of in section])]
    for name, section in results.items():
        text = ast.get_docstring(ast.parse((Path(__file__).parent / f"{name}.py").read_text()))
        parts += [f"## {name}\n", f"{text}\n"]
        for of in section:
            parts += [f"{of['machine']}\n", compared(of["rows"])]
    return "\n".join(parts)


def processor(machine: str) -> str:
    """The processor that a line about a machine names."""
    return machine.partition(" cores of ")[2].partition(" (")[0]


def compared(rows: list[Row]) -> str:
    """Rows of `measuring.Row`."""
    cells = []
    for row in rows:
        value = sorted(row["value"])
        quarter = len(value) // 4
        show = _share if row["percent"] else _number
        middle = f"{show(value[quarter])} to {show(value[-1 - quarter])}" if len(value) > 1 else "once"
        costs = "; ".join(f"{name} {_costs(costs, row['scale'])}" for name, costs in row["sides"].items())
        note = "; ".join(filter(None, [f"{costs} {row['unit']}" if costs else "", row["note"]]))
        cells.append((row["what"], row["against"], f"**{show(statistics.median(value))}**", middle, row["goal"], note))
    return table(COMPARED, cells)


def _goals(measured: list[dict[str, Any]]) -> str:
    cells = []
    rows = [(processor(of["machine"]), row) for of in measured for row in of["rows"] if row["goal"]]
    for made_by, row in rows:
        value = statistics.median(row["value"])
        shown = _share(value) if row["percent"] else f"{value:.3g}"
        reached = "yes" if _reached(row["goal"], value) else "no"
        maker = made_by.partition(" ")[0].partition("(")[0]
        cells.append((row["what"], row["against"], maker, row["goal"], shown, reached))
    return table(("what", "against", "processor", "goal", "median", "reached"), cells)


def _reached(goal: str, value: float) -> bool:
    relation, _, number = goal.partition(" ")
    wanted = float(number.rstrip("%")) / (100 if number.endswith("%") else 1)
    return value <= wanted if relation == "≤" else value >= wanted


def _costs(costs: list[dict[str, float]], scale: float) -> str:
    cpu, wall = (scale * statistics.median(cost[clock] for cost in costs) for clock in ("cpu", "wall"))
    return f"{_number(cpu)} ({_number(wall)})"


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3g}"


def _share(value: float) -> str:
    return f"{value:.2%}"


def pruning(results: dict[str, Any]) -> str:
    """What ASHA saves of a sweep, by seed of the sampler."""
    score = results["score"]
    head = ("seed", f"best `{score}`, unpruned", "with ASHA", "images, ASHA ÷ unpruned", "spread between seeds")
    rows = []
    for row in results["rows"]:
        bests = (_number(row[which]) for which in ("unpruned", "asha"))
        rows.append((f"{row['seed']}", *bests, f"{row['images']:.0%}", f"{row['spread']:.2g}"))
    return f"""# What pruning saves

The same candidates of the sweep `{results["sweep"]}` with and without ASHA, for several seeds of the sampler.
Spread is the standard deviation of the unpruned sweep's best candidate over three seeds of its run.

{table(head, rows)}"""
