"""`--wandb`: what the real client of W&B sends, to a backend on loopback."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from forger.cli import main
from forger.report import workspace
from forger.report.reading import read
from report.folders import write_run
from wandb_backend import ENTITY, Backend, serving


@dataclass
class Reports(Backend):
    """A backend that keeps the reports it is given."""

    views: list[dict[str, Any]] = field(default_factory=list)

    def _GetDefaultEntity(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"viewer": {"id": "1", "entity": ENTITY}}

    def _ProjectInternalId(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"project": {"id": "1", "internalId": "7"}}

    def _GetProjects(self, _: dict[str, Any]) -> dict[str, Any]:
        project = {
            "__typename": "Project", "id": "1", "name": "p", "entityName": ENTITY, "createdAt": "2026-01-01T00:00:00",
            "isBenchmark": False, "user": None,
        }  # fmt: skip
        page = {"__typename": "PageInfo", "endCursor": None, "hasNextPage": False}
        return {"models": {"pageInfo": page, "edges": [{"node": project}]}}

    def _upsertView(self, given: dict[str, Any]) -> dict[str, Any]:
        self.views.append(given)
        project = {"id": "1", "name": given["projectName"], "entityName": given["entityName"]}
        view = {
            "id": "view", "type": given["type"], "name": given["name"], "displayName": given["displayName"],
            "description": given["description"], "project": project, "spec": given["spec"], "updatedAt": None,
        }  # fmt: skip
        return {"upsertView": {"view": view, "inserted": True}}


@pytest.fixture
def runs(tmp_path):
    for lr, (name, values) in enumerate({"good": (1.0, 1.2, 1.1), "fair": (2.0, 2.3, 2.1)}.items()):
        for seed, value in enumerate(values):
            write_run(tmp_path / "runs", name, seed, value, settings={"lr": 0.1 + lr})
    return tmp_path / "runs"


def test_what_is_sent(runs, monkeypatch, capsys):
    with serving(Reports()) as backend:
        for name, value in backend.environment().items():
            monkeypatch.setenv(name, value)
        assert main(["report", str(runs), "--wandb", "--project", "p"]) == 0
    assert backend.unknown == []
    (sent,) = backend.views
    assert (sent["entityName"], sent["projectName"], sent["type"]) == (ENTITY, "p", "runs")
    assert sent["displayName"] == "good is better than fair: 1.10 ± 0.25 against 2.13 ± 0.38, p = .001."
    assert f"/{ENTITY}/p/reports/" in capsys.readouterr().out
    blocks = json.loads(sent["spec"])["blocks"]
    assert [text(block) for block in blocks if block["type"] == "heading"] == [
        "Verdict", "Curves", "Scores", "Pictures", "Why",
    ]  # fmt: skip
    table = next(block for block in blocks if block["type"] == "markdown-block")["content"]
    assert "| good | 1.10 ± 0.25 | 3 | 3 of 3 | – |" in table
    grids = [block["metadata"] for block in blocks if block["type"] == "panel-grid"]
    # A run set a variant, in the order of the verdict, by the ids of its runs.
    assert [each["name"] for each in grids[0]["runSets"]] == ["good", "fair"]
    wanted = [sorted(path.name for path in (runs / name).iterdir()) for name in ("good", "fair")]
    assert [sorted(each["filters"]["filters"][0]["value"]) for each in grids[0]["runSets"]] == wanted
    panels = [panel for each in grids for panel in each["panelBankSectionConfig"]["panels"]]
    kinds = [panel["viewType"] for panel in panels]
    assert [kinds.count(kind) for kind in ("Run History Line Plot", "Bar Chart", "Media Browser")] == [6, 2, 1]
    assert kinds[-3:] == ["Parallel Coordinates Plot", "Parameter Importance", "Run Comparer"]
    first = panels[0]["config"]
    assert (first["metrics"], first["xAxis"]) == (["score/fd_digits"], "images")


def text(block: dict[str, Any]) -> str:
    return "".join(child["text"] for child in block["children"])


def test_nobody_is_logged_in(runs, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    assert main(["report", str(runs), "--wandb"]) == 2
    assert "nobody is logged in to W&B" in capsys.readouterr().err


def test_the_runs_say_where_they_were_logged(runs):
    collected = read([runs]).runs
    collected[0].config["logger"] = {"wandb": {"project": "theirs", "entity": "team"}}
    assert workspace._settings(collected) == {"entity": "team", "project": "theirs"}


def test_names_are_no_markup_in_the_table():
    assert workspace._cell("a|b_<i>") == r"a\|b\_\<i\>"
