"""The run folder: identity, atomic writes, rows that survive kills, one writer, listing that never fails."""

import hashlib
import json
import math
import multiprocessing
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch

from forger.errors import RunLocked
from forger.files import append_row, atomic_file, read_rows, write_atomically
from forger.hashing import weights_sha256
from forger.records import BrokenRecord, json_schema, record_problem
from forger.run_folder import RunFolder
from forger.runs.identity import run_id
from forger.runs.listing import how_to_continue, list_runs, unfinished_under_other_version
from recorded import begun

SCHEMA = json_schema()

CONFIG: dict[str, Any] = {
    "seed": 0,
    "run": {"root": "runs", "name": "a", "restart": False, "strict": False},
    "budget": {"images": 1000, "minutes": None},
    "data": {"name": "digits", "batch_size": 64, "source": {"_target_": "x.y", "root": "/data", "n": 3}},
    "model": {"_target_": "z", "lr": 1.0, "betas": [0.5, 0.999], "width": 8},
    "trainer": {
        "accelerator": "cpu",
        "devices": 1,
        "num_nodes": 1,
        "strategy": "auto",
        "threads": 2,
        "precision": "32-true",
    },
    "logger": {"wandb": {"mode": "auto"}},
}


def changed(**changes: Any) -> dict[str, Any]:
    config = json.loads(json.dumps(CONFIG))
    for key, value in changes.items():
        *parents, last = key.split("__")
        node = config
        for parent in parents:
            node = node[parent]
        node[last] = value
    return config


# Identity ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"logger": {}},
        {"run__root": "/elsewhere"},
        {"run__name": "b"},
        {"run__restart": True},
        {"trainer__accelerator": "gpu"},
        {"trainer__devices": 2},
        {"trainer__strategy": "ddp"},
        {"trainer__threads": 1},
        {"data__source__root": "/elsewhere"},
        {"data__source__n": 4},
        {"data__root": "/elsewhere"},
        {"model__lr": 1},
        {"progress": "off"},
    ],
)
def test_what_does_not_determine_the_result_is_no_part_of_the_identity(changes: dict[str, Any]) -> None:
    assert run_id(changed(**changes), "0.1.0", "f") == run_id(CONFIG, "0.1.0", "f")


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"budget__images": 1001},
        {"data__batch_size": 32},
        {"model__lr": 1.5},
        {"model__betas": [0.999, 0.5]},
        {"model__width": "8"},
        {"trainer__precision": "bf16-mixed"},
    ],
)
def test_what_determines_the_result_is_part_of_the_identity(changes: dict[str, Any]) -> None:
    assert run_id(changed(**changes), "0.1.0", "f") != run_id(CONFIG, "0.1.0", "f")


def test_version_and_data_are_part_of_the_identity() -> None:
    ids = {run_id(CONFIG, "0.1.0", "f"), run_id(CONFIG, "0.1.1", "f"), run_id(CONFIG, "0.1.0", "g")}
    assert len(ids) == 3
    assert all(len(i) == 12 and int(i, 16) >= 0 for i in ids)


def test_the_order_of_keys_does_not_matter() -> None:
    assert run_id(dict(reversed(CONFIG.items())), "0.1.0", "f") == run_id(CONFIG, "0.1.0", "f")


def test_weights_sha256_is_the_hash_of_names_types_shapes_and_bytes() -> None:
    state = {"b": torch.tensor([1.0, -2.0]), "a": torch.tensor(3, dtype=torch.int64)}
    by_hand = hashlib.sha256()
    by_hand.update(b'["a", "int64", []]\n' + struct.pack("<q", 3))
    by_hand.update(b'["b", "float32", [2]]\n' + struct.pack("<2f", 1.0, -2.0))
    assert weights_sha256(state) == by_hand.hexdigest()


def test_weights_sha256_sees_bits_and_not_layout() -> None:
    weights = torch.arange(12.0).reshape(3, 4)
    assert weights_sha256({"w": weights.t().contiguous().t()}) == weights_sha256({"w": weights})
    assert weights_sha256({"w": weights.reshape(4, 3)}) != weights_sha256({"w": weights})
    assert weights_sha256({"w": torch.tensor([0.0])}) != weights_sha256({"w": torch.tensor([-0.0])})
    nearly = weights.clone()
    nearly[2, 3] = torch.nextafter(nearly[2, 3], torch.tensor(100.0))
    assert weights_sha256({"w": nearly}) != weights_sha256({"w": weights})
    for dtype in (torch.bfloat16, torch.bool, torch.float16):
        assert len(weights_sha256({"w": torch.ones(2, 2, dtype=dtype)})) == 64


def test_records_need_no_torch() -> None:
    code = "import sys, forger.runs.listing; print(sorted({'torch', 'hydra', 'numpy'} & sys.modules.keys()))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


# Files ------------------------------------------------------------------------------------------------------


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


# The record -------------------------------------------------------------------------------------------------


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
    told = run.read().scores["final"]["fd_digits"]
    assert told["value"] is told["error"] is None
    for wrong in ({"error": -1}, {"error": "small"}, {"chosen": 1}, {"higher_is_better": None}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(record | {"scores": {"final": {"fd_digits": told | wrong}, "best": {}}}, SCHEMA)


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


# One writer -------------------------------------------------------------------------------------------------


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


# Listing ----------------------------------------------------------------------------------------------------


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
