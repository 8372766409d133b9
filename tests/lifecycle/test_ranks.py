"""Runs of several processes: one folder, one W&B run, an end for all when one dies, and a resume by fewer."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.utilities import rank_zero_only

from forger.building import build_game
from forger.callbacks.checkpoint_files import VerifiedCheckpointIO
from forger.config.schema import TrainerConfig, validate
from forger.errors import RunLocked
from forger.files import read_rows
from forger.lifecycle import parts
from forger.lifecycle.ranks import rank
from forger.run import train
from forger.run_folder import RunFolder
from running import composed, trained

LENGTH = (
    "run.name=mine", "budget.images=12800", "checkpoint.every_images=640", "metrics=none", "watch.action=none",
    "samples.n=9",
)  # fmt: skip
NARROW = ("model.generator.width=4", "model.discriminator.width=4", "samples.every_images=null")


def children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the other rank in /proc")
def test_a_rank_that_dies_ends_the_others_and_one_process_goes_on(tmp_path, capsys, request):
    line = [sys.executable, "-m", "forger", "train", "-m", "seed=3", "trainer=ddp_cpu", *LENGTH, *NARROW]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "WANDB_MODE": "offline"}
    with (tmp_path / "stderr").open("w") as errors:
        process = subprocess.Popen(line, cwd=tmp_path, env=environment, stderr=errors)
        request.addfinalizer(process.wait)
        request.addfinalizer(process.terminate)
        end = time.monotonic() + 120
        while not any(tmp_path.glob("runs/mine/*/checkpoints/previous.ckpt")):
            assert process.poll() is None, (tmp_path / "stderr").read_text()
            assert time.monotonic() < end
            time.sleep(0.05)
        # The multirun's process started rank 0, which started rank 1 (and W&B's service).
        (first,) = children(process.pid)
        (other,) = [c for c in children(first) if b"-m\0forger" in Path(f"/proc/{c}/cmdline").read_bytes()]
        os.kill(other, signal.SIGKILL)
        killed = time.monotonic()
        assert process.wait(timeout=60) == 1
        assert time.monotonic() - killed < 60
    said = (tmp_path / "stderr").read_text()
    assert f"forger: rank 1 (process {other}) was ended by SIGKILL; " in said
    assert "Traceback" not in said
    assert said.count("training runs/") == 1
    # One run, one W&B run, nothing else.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs", "stderr"]
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["mine", "multirun"]
    (folder,) = (tmp_path / "runs" / "mine").iterdir()
    assert len(list(tmp_path.rglob("run-*.wandb"))) == 1
    run = RunFolder(folder)
    assert (run.read().status, run.read().device["devices"]) == ("failed", 2)
    assert run.log_file.read_text().count("training ") == 1
    saved = VerifiedCheckpointIO().load_checkpoint(run.checkpoints / "last.ckpt")["clock"]["images"]
    assert saved >= 1280

    overrides = (*LENGTH, *NARROW, "seed=3", "trainer.threads=1", "logger=none", f"run.root={tmp_path / 'runs'}")
    assert train(composed(*overrides)) == 0
    said = capsys.readouterr().err
    assert "devices 2 → 1" in said
    assert f"continuing {folder} at" in said
    assert run.read().images == 12800


#: What launchers leave in the environment.
LAUNCHERS = ("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID", "SLURM_NTASKS", "SLURM_NTASKS_PER_NODE",
             "SLURM_JOB_NAME", "RANK", "LOCAL_RANK")  # fmt: skip
SLURM = {"SLURM_PROCID": "1", "SLURM_LOCALID": "1", "SLURM_NODEID": "0", "SLURM_NTASKS": "2",
         "SLURM_NTASKS_PER_NODE": "2"}  # fmt: skip


@pytest.mark.parametrize(
    ("environment", "placed", "expected"),
    [
        ({}, {}, 0),
        ({"RANK": "1", "LOCAL_RANK": "1"}, {}, 0),
        ({"SLURM_PROCID": "3"}, {}, 0),
        (SLURM, {}, 0),
        (SLURM, {"devices": 2, "strategy": "ddp"}, 1),
        ({"SLURM_PROCID": "3"}, {"devices": 2, "strategy": "ddp"}, 0),
        ({"LOCAL_RANK": "1"}, {"devices": 2, "strategy": "ddp"}, 1),
        # In a job of this name Lightning starts the other processes itself.
        ({**SLURM, "SLURM_PROCID": "0", "SLURM_JOB_NAME": "interactive"}, {"devices": 2, "strategy": "ddp"}, 0),
        ({**SLURM, "SLURM_PROCID": "0", "SLURM_JOB_NAME": "bash", "LOCAL_RANK": "1"}, {"devices": 2}, 1),
    ],
)
def test_a_rank_is_what_the_strategy_says(
    environment: dict[str, str], placed: dict[str, Any], expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in LAUNCHERS:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(rank_zero_only, "rank", 7)
    assert rank(TrainerConfig(**{"accelerator": "cpu", "devices": 1, **placed})) == expected
    assert rank_zero_only.rank == expected


def test_what_a_launcher_left_behind_makes_no_rank_of_one_device(tmp_path, monkeypatch):
    """A run of its own: locked, logged, told; the other task of such a job finds it locked."""
    for name, value in {**SLURM, "RANK": "1", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(rank_zero_only, "rank", 1)  # as Lightning takes it from there when it is imported
    run = trained(tmp_path, "metrics=none", "logger=csv")
    assert "finished" in run.log_file.read_text()
    rows = (run.path / "csv" / "version_0" / "metrics.csv").read_text().splitlines()
    assert len(rows) == 1 + len(read_rows(run.metrics_file))
    with run.lock(), pytest.raises(RunLocked, match="is at work on this run"):
        trained(tmp_path, "metrics=none", "logger=csv")


def test_batch_norm_sees_the_whole_batch_where_gpus_share_it(monkeypatch):
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(parts, "built_trainer", lambda _, **arguments: asked.append(arguments))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for trainer in ("ddp", "cpu", "ddp_cpu"):
        parts.build_trainer(validate(composed(f"trainer={trainer}")), "0" * 12, [], [])
    assert [arguments["sync_batchnorm"] for arguments in asked] == [True, False, False]


def test_synchronised_batch_norm_leaves_the_players_their_parameters():
    game = build_game(validate(composed("model=dcgan", *NARROW[:2])))
    parameters = [id(parameter) for player in game.players for parameter in game.trained_by(player)]
    names = list(game.state_dict())
    converted = torch.nn.SyncBatchNorm.convert_sync_batchnorm(game)
    assert converted is game
    assert any(isinstance(layer, torch.nn.SyncBatchNorm) for layer in game.modules())
    game._parted.clear()
    assert [id(parameter) for player in game.players for parameter in game.trained_by(player)] == parameters
    assert list(game.state_dict()) == names
