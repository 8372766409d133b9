"""Writes docs/performance.md's tables and machine from what the benchmarks found.

    python scripts/benchmarks/speed/page.py docs/performance.json docs/performance.md

Each section of the JSON file stands in the page between `<!-- SECTION -->` and `<!-- /SECTION -->`; the prose around
them is written by hand. The summary has every figure with a goal.
"""

import json
import os
import platform
import re
import statistics
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from measuring import table


def machine() -> str:
    """The machine as a line of prose."""
    cpus = re.findall(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    flags = Path("/proc/cpuinfo").read_text()
    wide = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if name in flags]
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "pytorch-lightning", "optuna"))
    return (
        f"Machine: {len(cpus)} cores of {cpus[0] if cpus else platform.machine()} ({', '.join(wide)}), "
        f"{memory:.0f} GiB, {gpu}; Python {platform.python_version()}, {packages}. One thread, {date.today()}.\n"
    )


def verdict(row: dict[str, Any]) -> str:
    """Whether the median reaches the goal."""
    relation, _, number = row["goal"].partition(" ")
    wanted = float(number.rstrip("%")) / (100 if number.endswith("%") else 1)
    value = statistics.median(row["value"])
    return "yes" if (value <= wanted if relation == "≤" else value >= wanted) else "no"


def summary(findings: dict[str, list[dict[str, Any]]]) -> str:
    """Every figure that has a goal."""
    lines = ["| what | against | goal | median | reached |", "|---|---|---|---|---|"]
    for rows in findings.values():
        for row in rows:
            if row["goal"]:
                value = statistics.median(row["value"])
                shown = f"{value:.2%}" if row["percent"] else f"{value:.3g}"
                lines.append(f"| {row['what']} | {row['against']} | {row['goal']} | {shown} | {verdict(row)} |")
    return "\n".join(lines) + "\n"


def filled(page: str, section: str, text: str) -> str:
    """The page with new text between a section's markers.

    Raises:
        ValueError: the page has no such section.
    """
    pattern = re.compile(rf"(<!-- {section} -->\n).*?(<!-- /{section} -->)", re.DOTALL)
    if not pattern.search(page):
        raise ValueError(f"no place for {section!r} in the page")
    return pattern.sub(lambda found: found[1] + text + found[2], page)


def main() -> None:
    """Fill the page."""
    source, target = map(Path, sys.argv[1:])
    findings = json.loads(source.read_text())
    page = target.read_text()
    for section, rows in findings.items():
        page = filled(page, section, table(rows))
    page = filled(page, "machine", machine())
    page = filled(page, "summary", summary(findings))
    target.write_text(page)


if __name__ == "__main__":
    main()
