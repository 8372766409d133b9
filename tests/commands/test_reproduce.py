"""`forger reproduce`: the record alone is enough to train again."""

import json
import shutil

import pytest
import yaml

from forger import cli
from forger.callbacks.checkpoint_files import BadCheckpoint
from forger.commands.reproduce.execution import first_difference, reproduce
from forger.errors import ConfigError
from forger.files import read_rows
from forger.lifecycle.finding import checkpoint_of, config_of
from forger.run_folder import RunFolder
from running import trained

NARROW = ("model.generator.width=4", "model.discriminator.width=4")


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> RunFolder:
    return trained(tmp_path_factory.mktemp("original"), *NARROW)


@pytest.fixture
def run(original, tmp_path) -> RunFolder:
    """A copy of a finished run, far from where it was made."""
    return RunFolder(shutil.copytree(original.path, tmp_path / "elsewhere"))


def changed(run: RunFolder, **fields) -> None:
    record = json.loads(run.record_file.read_text())
    for key, value in fields.items():
        group, _, name = key.rpartition("__")
        (record[group] if group else record)[name] = value
    run.record_file.write_text(json.dumps(record))


# Reproducing ------------------------------------------------------------------------------------------------


def test_a_run_is_made_again_from_its_record(run, capsys):
    assert cli.main(["reproduce", str(run.path)]) == 0
    rows, scores = len(read_rows(run.metrics_file)), len(run.read().scores["final"])
    assert f"identical: weights, {rows} rows and {scores} scores of {run}" in capsys.readouterr().err
    assert not (run.path / "reproduction").exists()


def test_the_first_difference_is_named_with_what_was_not_as_it_was(run, capsys):
    rows = run.metrics_file.read_text().splitlines()
    row = json.loads(rows[4])
    row["train/generator/adversarial"] += 1e-7
    run.metrics_file.write_text("\n".join([*rows[:4], json.dumps(row), *rows[5:]]) + "\n")
    changed(run, versions__torch="1.0.0", device__threads=3)
    config = yaml.safe_load(run.config_file.read_text())
    assert config["trainer"]["threads"] == 1
    assert cli.main(["reproduce", str(run.path)]) == 1
    said = capsys.readouterr().err
    assert f"different: row 5 of metrics.jsonl (iteration {row['iterations']}), train/generator/adversarial: " in said
    assert "not as it was: torch 1.0.0 → " in said
    assert "threads 3 → 1" in said
    assert RunFolder(run.path / "reproduction").read().status == "finished"


def test_where_two_runs_part(original, run):
    assert first_difference(original, run) is None
    changed(run, weights_sha256="0" * 64)
    assert str(first_difference(original, run)).startswith("weights_sha256: ")
    changed(run, iterations=9)
    assert first_difference(original, run) == "iterations: 10 → 9"
    run.metrics_file.write_bytes(b"".join(run.metrics_file.read_bytes().splitlines(keepends=True)[:3]))
    assert first_difference(original, run) == f"row 4 of metrics.jsonl is only in {original}"


def test_other_data_end_it_before_training(run, capsys):
    changed(run, data__fingerprint="0" * 64)
    assert cli.main(["reproduce", str(run.path)]) == 1
    assert "different: the data digits have the fingerprint" in capsys.readouterr().err
    assert not (run.path / "reproduction").exists()


def test_what_has_not_ended_can_not_be_compared(run):
    changed(run, status="interrupted")
    with pytest.raises(ConfigError, match=r"interrupted, so there is no end to compare; forger train continues it"):
        reproduce(str(run.path))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": {"_target_": "os.system", "command": "true"}}, "add --trust"),
        ({"seed": "${oc.env:HOME}"}, r"'\$\{oc.env:HOME\}' is not resolved"),
        ({"model": {"_target_": "forger.games.adversarial.AdversarialGame", "loss": "${x:y}"}}, "is not resolved"),
        ({"sedd": 1}, "sedd"),
    ],
)
def test_a_strangers_config_looks_nothing_up_and_builds_nothing_foreign(run, change, said):
    run.config_file.write_text(yaml.safe_dump(yaml.safe_load(run.config_file.read_text()) | change))
    with pytest.raises(ConfigError, match=said):
        reproduce(str(run.path))


@pytest.mark.parametrize("text", ["[1, 2", "just text", "!!python/object/apply:os.system [true]", "a: *b"])
def test_what_is_no_config_is_one_line(run, text):
    run.config_file.write_text(text)
    with pytest.raises(ConfigError, match=r"config\.yaml: ") as caught:
        config_of(run)
    assert "\n" not in str(caught.value)


def test_a_damaged_checkpoint_is_named_and_refused_if_it_was_asked_for(run, caplog):
    for name in ("final", "best"):
        file = run.checkpoints / f"{name}.ckpt"
        file.write_bytes(file.read_bytes()[:-100])
        with pytest.raises(BadCheckpoint, match=rf"{name}\.ckpt: damaged or cut short"):
            checkpoint_of(run, name)
    file, state = checkpoint_of(run)
    assert (file.name, state["clock"]["images"]) == ("last.ckpt", 640)
    assert "final.ckpt: damaged or cut short" in caplog.text
    assert "last.ckpt is used" in caplog.text


@pytest.mark.parametrize("kind", ["a link out", "a link inside", "a run", "other files"])
def test_what_reproduce_did_not_make_is_left_alone(run, tmp_path, capsys, kind):
    """Not removed, not trained in, and not taken for an interrupted reproduction."""
    there, mine = run.path / "reproduction", tmp_path / "mine"
    if kind == "a run":
        shutil.copytree(run.path, tmp_path / "copy")
        shutil.move(tmp_path / "copy", there)
        changed(RunFolder(there), status="interrupted")
        (there / "made-here").write_text(str(run.path.stat().st_ino))
    elif kind == "a link inside":
        there.symlink_to("samples")
    else:
        (mine if kind == "a link out" else there).mkdir()
        (mine if kind == "a link out" else there).joinpath("thesis.tex").write_text("years of work")
        if kind == "a link out":
            there.symlink_to(mine)
    before = {path: path.stat().st_mtime_ns for path in sorted(tmp_path.rglob("*"))}
    assert cli.main(["reproduce", str(run.path)]) == 2
    said = capsys.readouterr().err
    assert str(there) in said
    assert said.count("\n") == 1
    assert {path: path.stat().st_mtime_ns for path in sorted(tmp_path.rglob("*"))} == before
