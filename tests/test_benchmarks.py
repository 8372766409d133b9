"""The benchmarks' command lines, and the pages written from their results; what they measure is not measured here."""

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.benchmarks import pages

REPOSITORY = Path(__file__).parents[1]

EVERY_HELP = """
import contextlib, importlib, io, pathlib, sys

for file in sorted(pathlib.Path("scripts/benchmarks").rglob("*.py")):
    module = importlib.import_module(".".join(file.with_suffix("").parts))
    if not hasattr(module, "main"):
        continue
    sys.argv = [file.name, "--help"]
    with contextlib.redirect_stdout(io.StringIO()) as text:
        try:
            module.main()
        except SystemExit as end:
            assert end.code == 0, file
        else:
            raise AssertionError(f"{file} takes no --help")
    assert text.getvalue().startswith("usage:"), file
    print(file)
"""


@pytest.mark.parametrize("name", pages.FORMS)
def test_a_page_of_results_is_what_its_json_gives(name):
    written = (pages.PAGES / f"{name}.md").read_text()
    assert written == pages.page(name), "python -m scripts.benchmarks.pages writes it again"


def test_there_are_no_other_pages_of_results_and_no_other_results():
    assert {file.name for file in pages.PAGES.iterdir()} == {f"{name}.md" for name in pages.FORMS}
    assert {file.name for file in pages.RESULTS.iterdir()} == {f"{name}.json" for name in pages.FORMS}


def test_every_benchmark_answers_help():
    """In one process, since importing torch and Lightning is most of each answer."""
    done = subprocess.run(
        [sys.executable, "-c", EVERY_HELP], cwd=REPOSITORY, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    groups = [Path(line).parts[2] for line in done.stdout.splitlines()]
    assert {"speed", "watch", "faults", "systems"} <= set(groups)
