"""Timing side by side: every side in turn, medians with the range of the middle half, a table as Markdown and JSON."""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Cost:
    """Seconds of processor time and of the clock on the wall."""

    cpu: float
    wall: float


def timed(call: Callable[[], Any]) -> Cost:
    """What a call costs this process."""
    cpu, wall = time.process_time(), time.perf_counter()
    call()
    return Cost(time.process_time() - cpu, time.perf_counter() - wall)


def per(cost: Cost, units: float) -> Cost:
    """The cost of one of so many."""
    return Cost(cost.cpu / units, cost.wall / units)


def interleaved(sides: Mapping[str, Callable[[], Cost]], repeats: int, warm_up: bool = True) -> dict[str, list[Cost]]:
    """The costs of each side, measured in turn so that a busy moment meets them all; each turn begins with another."""
    names = list(sides)
    costs: dict[str, list[Cost]] = {name: [] for name in names}
    for turn in range(-1 if warm_up else 0, repeats):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            cost = sides[name]()
            if turn >= 0:
                costs[name].append(cost)
    return costs


def ratios(over: list[Cost], under: list[Cost]) -> list[float]:
    """Processor time of one side in that of the other, for each turn."""
    return [a.cpu / b.cpu for a, b in zip(over, under, strict=True)]


@dataclass
class Row:
    """One line of a table.

    Args:
        what, against: the sides.
        goal: what the value is to reach, such as "≤ 1.25"; nothing where it is only reported.
        value: the ratio or share of each turn.
        sides: their costs, shown as medians of processor time and, in brackets, of the wall clock.
        scale, unit: of the costs shown.
        percent: the value is a share.
    """

    what: str
    against: str
    goal: str
    value: list[float]
    sides: dict[str, list[Cost]] = field(default_factory=dict)
    scale: float = 1e3
    unit: str = "ms a round"
    note: str = ""
    percent: bool = False


def options(doc: str | None, repeats: int) -> argparse.ArgumentParser:
    """The command line that all of these scripts share."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=repeats, help=f"turns of each side ({repeats})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="put the figures there, too")
    return parser


def publish(section: str, rows: list[Row], given: argparse.Namespace) -> None:
    """Print the table; into the file of `--json` go the rows, in place of the section's former ones."""
    findings = [asdict(row) for row in rows]
    print(table(findings), flush=True)
    if given.json is not None:
        known = json.loads(given.json.read_text()) if given.json.exists() else {}
        known[section] = findings
        given.json.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")


def table(rows: list[dict[str, Any]]) -> str:
    """Rows as Markdown."""
    lines = ["| what | against | median | middle half | goal | processor time (wall) |", "|---|---|---|---|---|---|"]
    for row in rows:
        value = sorted(row["value"])
        quarter = len(value) // 4
        show = _share if row["percent"] else _number
        middle = f"{show(value[quarter])} to {show(value[-1 - quarter])}" if len(value) > 1 else "once"
        costs = "; ".join(f"{name} {_costs(costs, row['scale'])}" for name, costs in row["sides"].items())
        told = " ".join(filter(None, [f"{costs} {row['unit']}" if costs else "", row["note"]]))
        shown = show(statistics.median(value))
        lines.append(f"| {row['what']} | {row['against']} | **{shown}** | {middle} | {row['goal']} | {told} |")
    return "\n".join(lines) + "\n"


def _costs(costs: list[dict[str, float]], scale: float) -> str:
    cpu, wall = (scale * statistics.median(cost[clock] for cost in costs) for clock in ("cpu", "wall"))
    return f"{_number(cpu)} ({_number(wall)})"


def _number(value: float) -> str:
    return (
        f"{value:,.0f}"
        if value >= 100
        else f"{value:.1f}"
        if value >= 10
        else f"{value:.2f}"
        if value >= 1
        else f"{value:.3g}"
    )


def _share(value: float) -> str:
    return f"{value:.2%}"
