"""The run folder: atomic writes, rows that survive kills, a record as its schema says, one writer."""

import json
import math
import multiprocessing
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from forger.errors import RunLocked
from forger.files import append_row, atomic_file, read_rows, write_atomically
from forger.records import json_schema, record_problem
from forger.run_folder import RunFolder
from recorded import begun

SCHEMA = json_schema()


def test_records_need_no_torch() -> None:
    code = "import sys, forger.lifecycle.listing; print(sorted({'torch', 'hydra', 'numpy'} & sys.modules.keys()))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


# Files ---------------------------------------------------------------------------------------------------------


def test_a_failed_write_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, "old")

    def write() -> None:
        with atomic_file(path) as file:
            file.write(b"half of the n")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write()
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_rows_keep_their_bits_and_non_finite_numbers_become_null(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    append_row(path, {"iterations": 1, "x": 0.1 + 0.2, "nested": [math.inf, -math.inf]})
    append_row(path, {"iterations": 2, "x": math.nan})
    assert read_rows(path) == [
        {"iterations": 1, "x": 0.1 + 0.2, "nested": [None, None]},
        {"iterations": 2, "x": None},
    ]


def test_a_torn_last_row_is_no_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    assert read_rows(path) == []
    append_row(path, {"iterations": 1})
    whole = path.read_bytes()
    for torn in (b'{"iterations": 2', b'{"iterations": 2}', b"12", b"\x00\xff\n", b"[]\n"):
        path.write_bytes(whole + torn)
        assert read_rows(path) == [{"iterations": 1}]


def test_cut_back_drops_what_came_after_and_keeps_bytes(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    for iteration in (20, 40, 60):
        run.append_metrics({"iterations": iteration, "images": iteration * 64, "x": 1 / iteration})
        run.append_alert({"iterations": iteration + 1, "signal": "logit_gap"})
    before = run.metrics_file.read_bytes()
    run.metrics_file.write_bytes(before + b'{"iterations": 30, "x"')
    run.cut_back(40)
    assert run.metrics_file.read_bytes() == b"".join(before.splitlines(keepends=True)[:2])
    assert [row["iterations"] for row in read_rows(run.alerts_file)] == [21]
    run.append_metrics({"iterations": 60, "images": 60 * 64, "x": 1 / 60})
    assert run.metrics_file.read_bytes() == before
    run.cut_back(0)
    assert run.metrics_file.read_bytes() == b""


@pytest.mark.parametrize("gone", range(4))
def test_a_lost_row_is_counted_and_none_is_written_twice(tmp_path: Path, gone: int) -> None:
    """The state was saved after the first of two rows of round 3; whichever row is cut out, nothing follows it."""
    run = RunFolder(tmp_path)
    for iteration in (1, 2, 3):
        run.append_metrics({"iterations": iteration, "train/x": 1 / iteration})
    saved = {"metrics": run.metrics_rows, "last": run.last_row}
    run.append_metrics({"iterations": 3, "score/y": 1})
    lines = run.metrics_file.read_bytes().splitlines(keepends=True)
    run.metrics_file.write_bytes(b"".join(line for number, line in enumerate(lines) if number != gone))
    again = RunFolder(tmp_path)
    assert again.cut_back(3, **saved) == (gone < 3)
    assert run.metrics_file.read_bytes() == b"".join(line for number, line in enumerate(lines[:3]) if number != gone)
    assert (again.metrics_rows, again.last_row) == tuple(saved.values())
    again.append_metrics({"iterations": 3, "score/y": 1})
    assert RunFolder(tmp_path).cut_back(3, metrics=again.metrics_rows, last=again.last_row) == (gone < 3)


def test_all_rows_may_be_lost_and_the_record_says_how_many(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    begun(run)
    run.append_metrics({"iterations": 1})
    run.metrics_file.unlink()
    assert run.cut_back(1, metrics=1, last=run.last_row) == 1
    record = run.update(lost_rows=1).document()
    jsonschema.validate(record, SCHEMA)
    assert run.read().lost_rows == 1
    for wrong in (-1, "1", None, True):
        assert record_problem(record | {"lost_rows": wrong})
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(record | {"lost_rows": wrong}, SCHEMA)


# The record ----------------------------------------------------------------------------------------------------


def test_a_new_record_is_what_design_and_schema_say(tmp_path: Path) -> None:
    run = RunFolder.of(tmp_path, "a", "0123456789ab")
    record = begun(run, git={"commit": "abc", "dirty": True}, parent={"id": "ba9876543210"})
    assert run.path == tmp_path / "a" / "0123456789ab"
    assert list(json.loads(run.record_file.read_text())) == list(record.document()) == SCHEMA["required"]
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(record.document(), SCHEMA)


def test_the_shipped_schema_is_that_of_the_record() -> None:
    """`python -m forger.records > docs/record.schema.json` brings it up to date."""
    shipped = Path(__file__).parents[1] / "docs/record.schema.json"
    assert json.loads(shipped.read_text(encoding="utf-8")) == SCHEMA


def test_what_a_record_has_beside_its_fields_is_left_out(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    record = begun(run)
    run.record_file.write_text(json.dumps(record.document() | {"progress": 0.5}))
    assert run.read() == record


def test_an_updated_record_still_obeys_the_schema(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "r")
    begun(run)
    score = {"fd_digits": {"value": math.nan, "error": math.nan, "passport": {"n_fake": 497}, "images": 640}}
    run.update(
        status="diverged",
        images=640,
        iterations=10,
        seconds=1.5,
        scores={"final": score, "best": {}},
        weights_sha256="0" * 64,
        alerts=[{"signal": "class_entropy", "value": math.inf}],
    )
    record = json.loads(run.record_file.read_text())
    jsonschema.validate(record, SCHEMA)
    assert record["status"] == "diverged"
    entry = run.read().scores["final"]["fd_digits"]
    assert entry["value"] is entry["error"] is None
    for wrong in ({"error": -1}, {"error": "small"}, {"chosen": 1}, {"higher_is_better": None}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(record | {"scores": {"final": {"fd_digits": entry | wrong}, "best": {}}}, SCHEMA)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"status": "done"}, "'status' is 'done', not one of 'running', "),
        ({"schema": 2}, "reads 1"),
        ({"seed": "0"}, "'seed' is no integer"),
        ({"images": True}, "'images' is no integer"),
        ({"scores": {"final": {}}}, "'scores.best' is missing"),
        ({"scores": {"final": {"fid": 3.0}, "best": {}}}, "'scores.final.fid' is no object"),
        (
            {"scores": {"final": {"fid": {"value": "low", "passport": {}}}, "best": {}}},
            "'scores.final.fid.value' is no number",
        ),
        (
            {"scores": {"final": {}, "best": {"fid": {"value": 1, "passport": []}}}},
            "'scores.best.fid.passport' is no o",
        ),
        (
            {"scores": {"final": {"f": {"value": 1, "error": "x"}}, "best": {}}},
            "'scores.final.f.error' is no number",
        ),
        ({"alerts": ["collapse"]}, "'alerts.0' is no object"),
        ({"iterations": -1}, "'iterations' is less than 0"),
        ({"versions": None}, "'versions' is no object"),
    ],
)
def test_a_wrong_record_is_refused_here_and_by_the_schema(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    record = begun(RunFolder(tmp_path)).document() | change
    assert said in str(record_problem(record))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(record, SCHEMA)


def test_a_finished_run_does_not_change_its_mind(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    begun(run)
    run.update(status="interrupted")
    run.update(status="running")
    run.update(status="finished")
    with pytest.raises(AssertionError, match="is finished, not failed"):
        run.update(status="failed")
    with pytest.raises(TypeError, match="stauts"):
        run.update(stauts="finished")


def test_starting_over_leaves_nothing(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "r")
    with run.lock():
        begun(run)
        run.append_metrics({"iterations": 1})
        (run.checkpoints / "last.ckpt").write_bytes(b"x")
        run.clear()
        assert [entry.name for entry in run.path.iterdir()] == [".lock"]


# One writer ----------------------------------------------------------------------------------------------------


def _hold(path: str, held: Any, release: Any) -> None:
    with RunFolder(path).lock():
        held.set()
        release.wait(30)


def test_a_second_process_is_refused_and_told_who_holds_the_run(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(str(tmp_path), held, release))
    process.start()
    assert held.wait(60)
    run = RunFolder(tmp_path)
    assert run.locked
    with pytest.raises(RunLocked, match=rf"process {process.pid} on \S+ is at work"), run.lock():
        pass
    assert run.locked
    process.kill()
    process.join()
    assert not run.locked
    with run.lock():
        assert run.locked
    assert not run.locked


def test_the_lock_removes_what_a_killed_process_left_half_written(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    begun(run)
    for leftover in (".record.json.77", "checkpoints/.last.ckpt.77", "samples/.000.png.77"):
        (tmp_path / leftover).write_bytes(b"half")
    (run.checkpoints / "last.ckpt").write_bytes(b"whole")
    with run.lock():
        files = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file())
    assert files == [".lock", "checkpoints/last.ckpt", "record.json"]
