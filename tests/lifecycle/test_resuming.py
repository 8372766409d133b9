"""Runs that go on: from any moment to the same end, and with a word where the bits can't be the same."""

import io
import json
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from forger.callbacks import checkpoint_files, interruption
from forger.callbacks.checkpoint_files import VerifiedCheckpointIO
from forger.callbacks.scoring import Scoring
from forger.errors import ConfigError
from forger.files import read_rows
from forger.metrics.evaluations.sample_quality import SampleQuality
from forger.report.reading import read
from forger.run import train
from forger.run_folder import WALL_CLOCK, RunFolder
from running import SMALL, composed, trained

#: A narrow network, so that a whole run takes a second.
NARROW = ("model.generator.width=4", "model.discriminator.width=4")


def rows(run: RunFolder) -> list[dict]:
    return [{name: v for name, v in row.items() if name not in WALL_CLOCK} for row in read_rows(run.metrics_file)]


def result(run: RunFolder) -> tuple:
    record = run.read()
    pictures = {path.name: path.read_bytes() for path in run.samples.iterdir()}
    return record.status, record.weights_sha256, record.scores, rows(run), pictures


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> RunFolder:
    return trained(tmp_path_factory.mktemp("undisturbed"), *NARROW)


def test_scoring_that_is_broken_off_is_done_again(tmp_path, undisturbed, monkeypatch):
    monkeypatch.setattr(interruption, "PATIENCE", 0.1)

    def endless(*_, **__):
        signal.raise_signal(signal.SIGTERM)
        time.sleep(60)

    began = time.monotonic()
    with monkeypatch.context() as patch:
        patch.setattr(SampleQuality, "evaluate", endless)
        run = trained(tmp_path, *NARROW, code=143)
    assert time.monotonic() - began < 30
    assert (run.read().status, run.read().images) == ("interrupted", 320)
    assert result(trained(tmp_path, *NARROW)) == result(undisturbed)


def stopped_after_its_last_round(root: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    with monkeypatch.context() as patch:
        patch.setattr(Scoring, "published", lambda *_: signal.raise_signal(signal.SIGINT))
        return trained(root, *NARROW, code=130)


def test_a_run_that_is_stopped_after_its_last_round_plays_no_further_one(tmp_path, undisturbed, monkeypatch):
    run = stopped_after_its_last_round(tmp_path, monkeypatch)
    assert (run.read().status, run.read().iterations) == ("interrupted", 10)
    assert result(trained(tmp_path, *NARROW)) == result(undisturbed)


def test_a_record_that_somebody_removed_costs_no_training(tmp_path, undisturbed, monkeypatch):
    run = stopped_after_its_last_round(tmp_path, monkeypatch)
    run.record_file.unlink()
    before = (run.checkpoints / "last.ckpt").stat().st_mtime_ns
    assert result(trained(tmp_path, *NARROW)) == result(undisturbed)
    assert (run.checkpoints / "last.ckpt").stat().st_mtime_ns == before


def without_first_scores(run: RunFolder) -> list[dict]:
    """The rows of a run, less those that `interrupted` leaves out."""
    return [row for row in rows(run) if row["images"] != 320 or "score/fd_digits" not in row]


@pytest.mark.parametrize("damage", [lambda text: text[:300], lambda _: "{}"])
def test_a_damaged_record_blocks_no_run(tmp_path, undisturbed, damage, capsys):
    run = interrupted(tmp_path)
    damaged = damage(run.record_file.read_text())
    run.record_file.write_text(damaged)
    capsys.readouterr()
    trained(tmp_path, *NARROW)
    assert result(run)[:2] == result(undisturbed)[:2]
    assert run.read().scores["final"] == undisturbed.read().scores["final"]
    assert rows(run) == without_first_scores(undisturbed)
    assert (run.path / "record.damaged").read_text() == damaged
    said = capsys.readouterr().err
    assert "record.json: " in said
    assert "the run goes on without it, and it is now record.damaged" in said
    assert f"continuing {run} at 384 images, from what its checkpoint knows" in said
    assert run.read().seconds > 0


@pytest.mark.parametrize("lost", [1, 6])
def test_lost_rows_are_said_and_marked(tmp_path, undisturbed, lost, capsys):
    run = interrupted(tmp_path)
    lines = run.metrics_file.read_bytes().splitlines(keepends=True)
    assert len(lines) == 6
    run.metrics_file.write_bytes(b"".join(lines[:2] + lines[3:])) if lost == 1 else run.metrics_file.unlink()
    capsys.readouterr()
    trained(tmp_path, *NARROW)
    said = capsys.readouterr().err
    assert f"metrics.jsonl: {lost} of the 6 rows that the checkpoint knows of are gone" in said
    assert f"lost: {lost} rows of {run.metrics_file}" in said
    assert run.read().lost_rows == lost
    whole = without_first_scores(undisturbed)
    assert rows(run) == (whole[:2] + whole[3:] if lost == 1 else whole[6:])
    assert result(run)[:2] == result(undisturbed)[:2]
    (entry,) = read([tmp_path]).runs
    assert entry.notes == (f"{lost} rows of metrics.jsonl were lost when the run was interrupted",)


def interrupted(root: Path) -> RunFolder:
    """A run that was stopped after its first checkpoint."""
    once = []

    def stop(self, trainer, game):
        if not once:
            once.append(signal.raise_signal(signal.SIGTERM))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Scoring, "score", stop)
        return trained(root, *NARROW, code=143)


def test_a_checkpoint_is_read_hashed_and_loaded_once(tmp_path, monkeypatch):
    run = interrupted(tmp_path)
    reads: list[str] = []

    def counted(name, function):
        return lambda *given, **options: reads.append(name) or function(*given, **options)

    opened = io.open

    def counted_open(file, *given, **options):
        if str(file) == str(run.checkpoints / "last.ckpt"):
            reads.append("open")
        return opened(file, *given, **options)

    monkeypatch.setattr(io, "open", counted_open)
    monkeypatch.setattr("builtins.open", counted_open)
    monkeypatch.setattr(torch, "load", counted("load", torch.load))
    monkeypatch.setattr(checkpoint_files, "whole_archive", counted("check", checkpoint_files.whole_archive))
    trained(tmp_path, *NARROW)
    assert run.read().status == "finished"
    assert reads == ["open", "check", "load"]


def test_other_conditions_are_said_and_refused_when_strict(tmp_path, capsys):
    run = interrupted(tmp_path)
    record = json.loads(run.record_file.read_text())
    record["versions"]["torch"] = "1.0.0"
    record["device"] |= {"threads": 2, "ATEN_CPU_CAPABILITY": "avx2"}
    run.record_file.write_text(json.dumps(record))
    overrides = [*SMALL, *NARROW, f"run.root={tmp_path}"]
    changes = rf"torch 1\.0\.0 → {torch.__version__.split('+')[0]}.*threads 2 → 1.*ATEN_CPU_CAPABILITY avx2 → none"
    with pytest.raises(ConfigError, match=f"run.strict=true, and going on would give other bits: {changes}"):
        train(composed(*overrides, "run.strict=true"))
    assert run.read().status == "interrupted"
    capsys.readouterr()
    assert train(composed(*overrides)) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "the bits will differ" in line]
    assert len(said) == 1
    (change,) = run.read().device["changed"]
    assert change["images"] == 384
    assert "threads 2 → 1" in change["what"]


def test_the_same_conditions_pass_when_strict(tmp_path, undisturbed):
    interrupted(tmp_path)
    assert result(trained(tmp_path, *NARROW, "run.strict=true"))[0] == "finished"


def test_a_checkpoint_of_another_config_is_refused(tmp_path):
    ours = interrupted(tmp_path / "ours")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Scoring, "score", lambda *_: signal.raise_signal(signal.SIGTERM))
        theirs = trained(tmp_path / "theirs", *NARROW, "seed=1", code=143)
    (ours.checkpoints / "last.ckpt").write_bytes((theirs.checkpoints / "last.ckpt").read_bytes())
    with pytest.raises(ConfigError, match=rf"last.ckpt: belongs to run {theirs.path.name}, which has another config"):
        trained(tmp_path / "ours", *NARROW)


def test_divergence_names_the_last_healthy_checkpoint(tmp_path):
    descent = "model.players.discriminator.optimizer"
    run = trained(
        tmp_path, "model/loss=least_squares", "checkpoint.every_images=64", "watch.action=none",
        f"{descent}._target_=torch.optim.SGD", f"{descent}.lr=10", f"~{descent}.betas", f"~{descent}.fused", code=3,
    )  # fmt: skip
    last = VerifiedCheckpointIO().load_checkpoint(run.checkpoints / "last.ckpt")
    assert all(value.isfinite().all() for value in last["state_dict"].values())
    images = last["clock"]["images"]
    assert f"last.ckpt holds the run up to {images:,} images" in run.log_file.read_text()
    (alert,) = [alert for alert in run.read().alerts if alert["alarm"] == "divergence"]
    assert alert["evidence"]["player"] in ("generator", "discriminator")
    assert alert["evidence"]["tensor"]
    assert alert["evidence"]["saved"].endswith(f"last.ckpt holds the run up to {images:,} images")
    assert alert["iterations"] >= last["clock"]["iteration"]


@pytest.mark.long
def test_a_reader_that_leaves_and_two_sigints(tmp_path, undisturbed):
    """`forger train 2>&1 | head -1` trains on; a second Ctrl-C ends at once, with nothing half-written."""
    long = [value for value in (*SMALL, *NARROW) if "images" not in value] + ["budget.images=10_000_000"]
    line = [sys.executable, "-m", "forger", "train", *long, "checkpoint.every_images=64", "run.root=runs"]
    process = subprocess.Popen([*line, "metrics.every_images=6_400"], cwd=tmp_path, stderr=subprocess.PIPE)
    assert process.stderr is not None
    assert process.stderr.readline().startswith(b"training")
    process.stderr.close()
    end = time.monotonic() + 90
    while not any("score/fd_digits" in row for path in tmp_path.glob("runs/*/*") for row in rows(RunFolder(path))):
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    threading.Timer(0.001, process.send_signal, [signal.SIGINT]).start()
    assert process.wait(timeout=10) == 130
    (folder,) = tmp_path.glob("runs/*/*")
    assert VerifiedCheckpointIO().load_checkpoint(folder / "checkpoints" / "last.ckpt")["clock"]["images"] >= 6_400
    assert RunFolder(folder).read().status in ("interrupted", "running")
