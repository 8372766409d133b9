"""The benchmarks' command lines, and the pages written from their results; what they measure is not measured here."""

import sys
from contextlib import redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from forger.sweeps.definition import load
from forking import forked
from running import composed
from scripts.benchmarks import pages
from scripts.benchmarks.speed.measuring import replaced

REPOSITORY = Path(__file__).parents[2]


def ask_for_help(answers: Path) -> None:
    """Write down which benchmarks answer to ``--help``, all in one process: importing is most of an answer."""
    with answers.open("w") as file:
        for script in sorted((REPOSITORY / "scripts" / "benchmarks").rglob("*.py")):
            name = script.relative_to(REPOSITORY)
            module = import_module(".".join(name.with_suffix("").parts))
            if not hasattr(module, "main"):
                continue
            sys.argv = [script.name, "--help"]
            with redirect_stdout(StringIO()) as text, pytest.raises(SystemExit) as end:
                module.main()
            assert (end.value.code, text.getvalue()[:6]) == (0, "usage:"), name
            file.write(f"{name}\n")


@pytest.mark.parametrize("name", pages.FORMS)
def test_a_page_of_results_is_what_its_json_gives(name):
    written = (pages.PAGES / f"{name}.md").read_text()
    assert written == pages.page(name), "python -m scripts.benchmarks.pages writes it again"


def test_there_are_no_other_pages_of_results_and_no_other_results():
    assert {file.name for file in pages.PAGES.iterdir()} == {f"{name}.md" for name in pages.FORMS}
    assert {file.name for file in pages.RESULTS.iterdir()} == {f"{name}.json" for name in pages.FORMS}


def test_arms_are_compared_at_equal_minutes():
    """Each arm's budget is what it is shown in the same time, by the rates measured last."""
    for name, found in pages.known("equal_minutes").items():
        minutes = [composed(*arm).budget.images / found["rates"][key] for key, arm in load(name, []).sweep.arms.items()]
        assert max(minutes) < 1.25 * min(minutes), (name, minutes)


def test_every_benchmark_answers_help(tmp_path):
    process = forked(ask_for_help, tmp_path / "answers")
    process.join(300)
    answers = (tmp_path / "answers").read_text().splitlines()
    assert process.exitcode == 0, f"the one after {answers[-1:]}"
    assert {"speed", "watch", "faults", "systems"} <= {Path(line).parts[2] for line in answers}


def test_a_measurement_replaces_the_same_processors_rows_alone():
    def measured(cpu: str, day: int, **rows: float) -> dict[str, Any]:
        found = [{"what": name, "against": "loop", "value": [value]} for name, value in rows.items()]
        return {
            "machine": f"Machine: 2 cores of {cpu} (avx2), 8 GiB; Python 3.11. One thread, 2026-11-{day}.",
            "rows": found,
        }

    amd, intel = measured("AMD EPYC", 1, a=1.0, b=2.0), measured("Intel Xeon", 2, a=3.0)
    assert replaced([amd], intel) == [amd, intel]
    again = measured("AMD EPYC", 3, a=1.5)
    assert replaced([amd, intel], again) == [measured("AMD EPYC", 1, b=2.0), intel, again]
    assert replaced([intel], measured("Intel Xeon", 4, a=3.5)) == [measured("Intel Xeon", 4, a=3.5)]
