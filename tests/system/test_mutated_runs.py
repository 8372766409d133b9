"""A run folder that anybody may have written takes nobody else's report or list of runs down."""

import copy
import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from forger.cli import main
from forger.lifecycle.listing import list_runs
from forger.report.page import page_data, rendered
from forger.report.reading import read
from report.folders import score, write_run

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)
#: Values that a field of a record or a row may be replaced by, as they stand in the file.
ODD = (
    "NaN", "-Infinity", "1e999", "1" + "0" * 400, "-1", "1e300", "null", "true", '"text"', '""', "[]", "[[1]]", "{}",
    '{"a": [null]}', '"\\u001b[31m"', '"\\ud800"', "[" * 60 + "]" * 60, str(2**63), "0.5",
)  # fmt: skip
#: Of them, how many are tried in each place.
MOST = int(os.environ.get("FORGER_MUTATIONS", 1))


@pytest.fixture(autouse=True)
def few_scripts(monkeypatch):
    monkeypatch.setattr("forger.report.page.get_plotlyjs", str)


def shown(folder: Path) -> tuple[set[str], dict[str, str]]:
    """Names of the runs in the report, and the reasons for what it leaves out; it is made to its last line."""
    data = page_data(read([folder]))
    rendered(data).encode()
    return {run["name"] for run in data["runs"]}, {each["path"]: each["problem"] for each in data["problems"]}


def listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    """What `forger runs` says of each run, as JSON and as a table."""
    assert main(["runs", str(folder)]) == 0
    capsys.readouterr()
    assert main(["runs", str(folder), "--json"]) == 0
    return {row["path"]: row for row in json.loads(capsys.readouterr().out)}


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield (*path, key)
        yield from places(value, (*path, key))


def replaced(document: Any, path: tuple[Any, ...], odd: str) -> str:
    """The document as JSON with ``odd`` in one place."""
    changed = copy.deepcopy(document)
    node = changed
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = "@odd@"
    return json.dumps(changed).replace('"@odd@"', odd)


def full_run(folder: Path) -> Path:
    alarm = {"alarm": "mode_collapse", "images": 1000, "evidence": {"signals": {"x": {"value": 1.0, "below": 2.0}}}}
    best = score(1.0) | {"images": 1000, "error": 0.1, "chosen": True, "gap": 0.1, "last": 1.1}
    extra = {"scores": {"final": {"fd_digits": score(1.0) | {"error": 0.1}}, "best": {"fd_digits": best}}}
    device = {"accelerator": "cpu", "devices": 1, "threads": 1, "changed": [{"images": 3, "what": ["threads 1 → 2"]}]}
    extra |= {"device": device, "alerts": [alarm], "parent": {"id": "0123456789ab", "path": "x", "images": 3}}
    return write_run(folder, "odd", 0, 1.0, alerts=[alarm], extra=extra)


def check(root: Path, run: Path, capsys: pytest.CaptureFixture[str], mutation: str) -> None:
    """Both commands work; a run that is left out has a reason, and the others are all there."""
    names, problems = shown(root)
    rows = listed(root, capsys)
    assert "good" in names, mutation
    # What the record does not tell may still be missing from the report alone: config and rows.
    assert all(row["problem"] for row in rows.values() if row["record"] is None), mutation
    if rows[str(run)]["record"] is None:
        assert problems[str(run)] == rows[str(run)]["problem"], mutation
    assert (str(run) in problems) != (len(names) == 2 or "odd" in names), mutation
    assert all(reason and "\n" not in reason for reason in problems.values()), mutation


@pytest.mark.long
def test_one_odd_value_anywhere(tmp_path, capsys):
    """In each place of record, config, rows and alerts each of the odd values, in a run beside a good one."""
    write_run(tmp_path, "good", 1, 2.0)
    run = full_run(tmp_path)
    chance = random.Random(0)
    for name in ("record.json", "config.yaml", "metrics.jsonl", "alerts.jsonl"):
        file = run / name
        content = file.read_text()
        first, end, others = content.partition("\n")
        document = json.loads(first)
        for path in places(document):
            for odd in chance.sample(ODD, MOST):
                file.write_text(replaced(document, path, odd) + end + others)
                check(tmp_path, run, capsys, f"{name} {path} {odd[:20]}")
        file.write_text(content)


def _link(target: str) -> Callable[[Path], None]:
    return lambda file: file.symlink_to(target)


def _text(text: str) -> Callable[[Path], Any]:
    return lambda file: file.write_text(text)


def _huge(file: Path) -> None:
    with file.open("wb") as opened:
        opened.truncate(1 << 40)


HOSTILE: dict[str, Callable[[Path], Any]] = {
    "pipe": os.mkfifo,
    "zeros": _link("/dev/zero"),
    "terminal": _link("/dev/tty"),
    "folder": Path.mkdir,
    "a terabyte": _huge,
    "itself": lambda file: file.symlink_to(file.name),
    "bytes": lambda file: file.write_bytes(b"\xff\xfe\x00"),
    "deep": _text("[" * 200_000),
    "deep and whole": _text("[" * 3000 + "]" * 3000),
}


@pytest.mark.parametrize("name", ["record.json", "config.yaml", "metrics.jsonl", "alerts.jsonl"])
@pytest.mark.parametrize("how", HOSTILE)
def test_a_file_that_is_none(tmp_path, capsys, name, how):
    write_run(tmp_path, "good", 1, 2.0)
    run = full_run(tmp_path)
    (run / name).unlink()
    HOSTILE[how](run / name)
    check(tmp_path, run, capsys, how)
    left_out = str(run) in shown(tmp_path)[1]
    # Text that is no row is no row: such a run has its record, and no curves.
    assert left_out == (name in ("record.json", "config.yaml") or ("deep" not in how and how != "bytes"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (BOMB, "YAML aliases"),
        ("a: &a {b: *a}", "YAML aliases"),
        ("a: &a [1]\n<<: *a", "YAML aliases"),
        ("a: [", "not readable as YAML"),
        ("a: !!python/object/apply:os.getcwd []", "not readable as YAML"),
        ("- 1", "not the config of a run"),
        ("a: 2001-13-45", "month must be"),
        ("? [1, 2]\n: 3", "not readable as YAML"),
        ("a: " + "9" * 5000, "digit"),
    ],
)  # fmt: skip
def test_a_config_that_is_none(tmp_path, capsys, text, reason):
    write_run(tmp_path, "good", 1, 2.0)
    run = full_run(tmp_path)
    (run / "config.yaml").write_text(text)
    check(tmp_path, run, capsys, text[:20])
    assert reason in shown(tmp_path)[1][str(run)]
    if text is BOMB:  # who builds from the config refuses it by the same words
        assert main(["sample", str(run)]) == 2
        assert f"{run / 'config.yaml'}: it has YAML aliases" in capsys.readouterr().err


def test_other_things_in_a_run_folder_keep_nobody_waiting(tmp_path, capsys):
    write_run(tmp_path, "good", 1, 2.0)
    run = full_run(tmp_path)
    for name in (".lock", "samples/000001000.png", "samples/neighbours.png"):
        os.mkfifo(run / name)
    (run / "samples" / "x.png").symlink_to("/dev/zero")
    check(tmp_path, run, capsys, "pipes")
    assert shown(tmp_path)[0] == {"good", "odd"}
    assert [entry.status for entry in list_runs(run)] == ["finished"]
