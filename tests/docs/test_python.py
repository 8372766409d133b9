"""docs/python.md and examples/first-steps.ipynb, executed."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest

import forger
from running import SMALL

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "python.md").read_text(encoding="utf-8")
NOTEBOOK = json.loads((REPOSITORY / "examples" / "first-steps.ipynb").read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def little(tmp_path, monkeypatch) -> Iterator[None]:
    """What is trained is trained for a few rounds, in a folder of its own; nothing is shown on a screen."""
    monkeypatch.chdir(tmp_path)
    train = forger.train
    monkeypatch.setattr(forger, "train", lambda *overrides, **values: train(*overrides, *SMALL, **values))
    monkeypatch.setattr(plt, "show", plt.clf)
    plt.switch_backend("agg")
    yield
    plt.close("all")


def executed(blocks: list[str]) -> dict[str, Any]:
    """The names that are there after the blocks, one after the other."""
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "<page>", "exec"), names)
    return names


def test_the_page_does_what_it_says():
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names = executed(blocks)
    told = re.findall(r"^(\w+) = .*# (\w+) \((.*)\)$", "\n".join(blocks), re.MULTILINE)
    assert len(told) >= 4
    for name, kind, shape in told:
        assert (names[name].dtype.name, str(names[name].shape)) == (kind, f"({shape})"), name


def test_the_page_tells_what_each_game_offers():
    from forger.api.answers import OFFERED

    rows = [line.strip("|").split("|") for line in PAGE.splitlines() if line.startswith("| `")]
    told = {method: games.strip().split(", ") for methods, games in rows for method in re.findall(r"`(\w+)`", methods)}
    assert told == {method: games.replace(" and ", ", ").split(", ") for method, (_, games) in OFFERED.items()}


def test_the_page_has_every_public_name():
    names = {name for name in dir(forger) if name != "__version__"} | {
        name for name in vars(forger.Run) if not name.startswith("_")
    }
    assert {name for name in names if not re.search(rf"[.`]{name}\b", PAGE)} == set()


def test_the_notebook_runs_from_top_to_bottom():
    assert (NOTEBOOK["nbformat"], NOTEBOOK["nbformat_minor"]) == (4, 5)
    code = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    names = executed(["".join(cell["source"]) for cell in code])
    assert names["images"].shape == (100, 1, 8, 8)
    assert "digits" in names["run"]._repr_html_()
