"""The benchmarks' command lines, and the pages written from their results; what they measure is not measured here."""

import sys
from contextlib import redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path

import pytest

from forking import forked
from scripts.benchmarks import pages

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


def test_every_benchmark_answers_help(tmp_path):
    process = forked(ask_for_help, tmp_path / "answers")
    process.join(300)
    answers = (tmp_path / "answers").read_text().splitlines()
    assert process.exitcode == 0, f"the one after {answers[-1:]}"
    assert {"speed", "watch", "faults", "systems"} <= {Path(line).parts[2] for line in answers}
