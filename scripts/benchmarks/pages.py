"""Writes docs/results from scripts/benchmarks/results: every page whole, from one JSON file, with nothing by hand.

    python -m scripts.benchmarks.pages

A benchmark calls `publish`, which writes its JSON file and its page. This command writes all pages again, after a
change of their form.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scripts.benchmarks.faults import tables as faults
from scripts.benchmarks.speed import tables as speed
from scripts.benchmarks.systems import equal_minutes_page, sampling_page
from scripts.benchmarks.systems import tables as systems
from scripts.benchmarks.watch import tables as watch

REPOSITORY = Path(__file__).resolve().parents[2]
RESULTS, PAGES = REPOSITORY / "scripts" / "benchmarks" / "results", REPOSITORY / "docs" / "results"

#: Name of a JSON file and its page: the page's text from the file's content.
FORMS: dict[str, Callable[[Any], str]] = {
    "equal_minutes": equal_minutes_page.page,
    "faults": faults.page,
    "inversion": systems.inversion,
    "modes": systems.modes,
    "path_length": systems.path_length,
    "performance": speed.performance,
    "pruning": speed.pruning,
    "sampling": sampling_page.page,
    "scores": systems.scores,
    "stability": systems.stability,
    "systems": systems.systems,
    "transfer": systems.transfer,
    "watch": watch.page,
    "yardsticks": systems.yardsticks,
}


def known(name: str) -> Any:
    """What was published last under a name."""
    return json.loads((RESULTS / f"{name}.json").read_text())


def page(name: str) -> str:
    """A page of docs/results."""
    note = f"Written by `python -m scripts.benchmarks.pages` from `scripts/benchmarks/results/{name}.json`."
    title, _, rest = FORMS[name](known(name)).partition("\n\n")
    return f"{title}\n\n{note}\n\n{rest}"


def write(name: str) -> None:
    """Write a page from what is known."""
    PAGES.mkdir(exist_ok=True)
    (PAGES / f"{name}.md").write_text(page(name))


def publish(name: str, results: Any) -> None:
    """Write the results of a benchmark, and their page."""
    (RESULTS / f"{name}.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    write(name)


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    for name in FORMS:
        write(name)


if __name__ == "__main__":
    main()
