"""`forger runs`: a table and JSON of what is there, and which scores do not compare."""

import json
import re
from pathlib import Path

import pytest

from forger import cli
from forger.run_folder import RunFolder
from recorded import begun


def test_runs_as_a_table_and_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = RunFolder.of(tmp_path, "[red]evil[/red]", "0123456789ab")
    begun(run, name="[red]evil[/red]", id="0123456789ab", seed=3, device={"accelerator": "cpu", "devices": 2})
    score = {"value": 1.23456, "passport": {}}
    run.update(status="finished", images=12_800, seconds=90.0, scores={"final": {"fd_digits": score}, "best": {}})
    (tmp_path / "broken/x/checkpoints").mkdir(parents=True)
    assert cli.main(["runs", str(tmp_path)]) == 0
    table = capsys.readouterr().out
    for cell in ("[red]evil[/red]", "0123456789ab", "finished", "12,800", "fd_digits 1.235", "1.5", "cpu x2"):
        assert cell in table
    assert "no record.json" in table
    assert cli.main(["runs", str(tmp_path), "--json"]) == 0
    good, broken = json.loads(capsys.readouterr().out)
    assert (good["status"], good["record"]["seed"], good["alive"]) == ("finished", 3, False)
    assert (broken["status"], broken["record"]) == ("broken", None)


def test_runs_marks_scores_that_do_not_compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kinds = [(50, "a"), (497, "a"), (497, "a"), (497, "b"), (50, "a"), (497, "a")]
    passports = [
        {"n_fake": n, "split": split, "seed": seed, "versions": {"torch": str(seed)}}
        for seed, (n, split) in enumerate(kinds)
    ]
    for place, passport in enumerate(passports):
        run = RunFolder.of(tmp_path, "run", f"{place:012}")
        begun(run, name="run", id=f"{place:012}", seed=place)
        final = {"fd_digits": {"value": place + 0.5, "error": 0.25, "passport": passport}}
        on_validation = passport | {"split": "v"}
        best = {
            "is_digits": {"value": 9.0, "images": 20, "passport": on_validation},
            "fd_digits": {"value": place, "images": 640, "chosen": True, "passport": on_validation},
        }
        run.update(status="finished", scores={"final": final, "best": best})
    assert cli.main(["runs", str(tmp_path)]) == 0
    rows = capsys.readouterr().out.splitlines()
    cells = [tuple(re.split(r"\s{2,}", row)[5:7]) for row in rows if row.startswith("run")]
    assert cells == [
        ("fd_digits 0 [a] at 640", "fd_digits 0.5 ± 0.25 [a]"),
        ("fd_digits 1 at 640", "fd_digits 1.5 ± 0.25"),
        ("fd_digits 2 at 640", "fd_digits 2.5 ± 0.25"),
        ("fd_digits 3 at 640", "fd_digits 3.5 ± 0.25 [b]"),
        ("fd_digits 4 [a] at 640", "fd_digits 4.5 ± 0.25 [a]"),
        ("fd_digits 5 at 640", "fd_digits 5.5 ± 0.25"),
    ]
    assert [row.strip() for row in rows[-2:]] == [
        "[a] different numbers of fakes: 497 and 50",
        "[b] different reference splits: a and b",
    ]
    assert cli.main(["runs", str(tmp_path), "--json"]) == 0
    reasons = [row["not_comparable"]["final"].get("fd_digits") for row in json.loads(capsys.readouterr().out)]
    few, other = "different numbers of fakes: 497 and 50", "different reference splits: a and b"
    assert reasons == [few, None, None, other, few, None]


def test_runs_without_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["runs"]) == 0
    assert "no runs in runs" in capsys.readouterr().out
    assert cli.main(["runs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
