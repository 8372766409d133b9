"""Runs in a folder are listed whatever else lies there, and an unfinished one of another version is found."""

import os
from pathlib import Path

import pytest

from forger.files import append_row
from forger.lifecycle.identity import run_id
from forger.lifecycle.listing import how_to_continue, list_runs, unfinished_under_other_version
from forger.records import BrokenRecord
from forger.run_folder import RunFolder
from lifecycle.configs import CONFIG, changed
from recorded import begun


def test_listing_tells_runs_from_broken_and_foreign_folders(tmp_path: Path) -> None:
    for name, status in (("good", "finished"), ("killed", "running")):
        run = RunFolder.of(tmp_path, name, "0123456789ab")
        begun(run, name=name)
        run.update(status=status)
    alive = RunFolder.of(tmp_path, "sweep/alive", "0123456789ab")
    begun(alive, name="alive")
    contents = {
        "bad/empty": "",
        "bad/list": "[1]",
        "bad/text": "{no json",
        "bad/deep": "[" * 100_000,
        "bad/other": '{"schema": 7}',
        "bad/partial": '{"schema": 1, "name": "x"}',
        "bad/script": '{"schema": 1, "name": "<script>"}',
    }
    for name, content in contents.items():
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "record.json").write_text(content)
    (tmp_path / "bad/folder/record.json").mkdir(parents=True)
    (tmp_path / "foreign/photos").mkdir(parents=True)
    (tmp_path / "foreign/photos/a.png").write_bytes(b"x")
    (tmp_path / "bad/torn/checkpoints").mkdir(parents=True)
    (tmp_path / "multirun").mkdir()
    (tmp_path / "multirun/multirun.yaml").write_text("")
    (tmp_path / "nothing").mkdir()
    (tmp_path / "study.db").write_text("")
    with alive.lock():
        entries = {entry.path.relative_to(tmp_path).as_posix(): entry for entry in list_runs(tmp_path)}
    assert {path: entry.status for path, entry in entries.items() if entry.record} == {
        "good/0123456789ab": "finished",
        "killed/0123456789ab": "killed",
        "sweep/alive/0123456789ab": "running",
    }
    problems = {path: entry.problem for path, entry in entries.items() if entry.record is None}
    assert problems.keys() == {*contents, "bad/folder", "bad/torn", "foreign/photos"}
    assert all(problem and "\n" not in problem for problem in problems.values())
    assert "no record.json" in str(problems["foreign/photos"])


def test_a_run_folder_lists_itself_and_a_missing_folder_says_so(tmp_path: Path) -> None:
    begun(RunFolder(tmp_path / "r"))
    assert [entry.path for entry in list_runs(tmp_path / "r")] == [tmp_path / "r"]
    [missing] = list_runs(tmp_path / "missing")
    assert missing.status == "broken"
    assert "No such file" in str(missing.problem)


def test_an_unfinished_run_under_another_version_is_found_by_its_own_identity(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    assert unfinished_under_other_version(root, "a", CONFIG, "0.2.0") == []
    cases = {"0.1.0": "interrupted", "0.1.1": "finished", "0.2.0": "interrupted"}
    for version, status in cases.items():
        identity = run_id(CONFIG, version, "0" * 64)
        run = RunFolder.of(root, "a", identity)
        begun(run, id=identity, versions={"forger": version})
        run.update(status=status, images=12_800)
    [entry] = unfinished_under_other_version(root, "a", CONFIG, "0.2.0")
    assert entry.record is not None
    assert entry.record.versions["forger"] == "0.1.0"
    line = how_to_continue(entry)
    assert "12,800 images" in line
    assert "pip install 'forger==0.1.0' && forger train seed=1" in line
    assert unfinished_under_other_version(root, "a", changed(seed=5), "0.2.0") == []


def test_an_unwritable_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    run = RunFolder(tmp_path / "file" / "run")
    with pytest.raises(OSError, match="file"), run.lock():
        pass
    assert not run.locked
    with pytest.raises(BrokenRecord):
        run.read()


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full on this system")
    with pytest.raises(OSError, match="No space left"):
        append_row(Path("/dev/full"), {"x": 1})
