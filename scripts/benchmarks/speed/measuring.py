"""Timing side by side: every side in turn, medians with the range of the middle half."""

import argparse
import os
import platform
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from scripts.benchmarks import pages
from scripts.benchmarks.speed.tables import compared, processor


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
    parser.add_argument("--publish", action="store_true", help="write the figures into the results and their page")
    return parser


def publish(section: str, rows: list[Row], given: argparse.Namespace) -> None:
    """Print the table; with `--publish` the rows replace the same ones of the same processor in the results."""
    found = [asdict(row) for row in rows]
    print(compared(found), flush=True)
    if given.publish:
        known, measured = pages.known("performance"), {"machine": machine(), "rows": found}
        pages.publish("performance", known | {section: replaced(known.get(section, []), measured)})


def replaced(former: list[dict[str, Any]], measured: dict[str, Any]) -> list[dict[str, Any]]:
    """A section's measurements, of which those that the same processor has made again are gone."""
    again = {(row["what"], row["against"]) for row in measured["rows"]}
    kept = []
    for of in former:
        same = processor(of["machine"]) == processor(measured["machine"])
        rows = [row for row in of["rows"] if not (same and (row["what"], row["against"]) in again)]
        kept += [{**of, "rows": rows}] if rows else []
    return [*kept, measured]


def machine() -> str:
    """The machine as a line of prose."""
    packages = ", ".join(
        f"{name} {number}" for name, number in versions("torch", "pytorch-lightning", "optuna").items()
    )
    return f"Machine: {hardware()}; Python {platform.python_version()}, {packages}. One thread, {date.today()}."


def hardware() -> str:
    """Processor, memory and GPU."""
    about = Path("/proc/cpuinfo").read_text()
    cpus = re.findall(r"model name\s*:\s*(.*)", about)
    wide = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in about]
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{len(cpus)} cores of {cpus[0] if cpus else platform.machine()} ({', '.join(wide)}), {memory:.0f} GiB, {gpu}"
    )


def versions(*names: str) -> dict[str, str]:
    """Versions of the packages of these names that are installed."""
    found = {}
    for name in names:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
