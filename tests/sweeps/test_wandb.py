"""The real W&B client against a backend of our own: runs, resuming, a server that dies, sweeps and agents."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import wandb
from omegaconf import OmegaConf
from PIL import Image

from forger.errors import ConfigError
from forger.run_folder import RunFolder
from forger.sweeps.definition import load
from forger.sweeps.wandb_export import document, remarks
from forger.tracking import loggers as tracking
from forger.tracking.loggers import RunInfo, finish, log_picture, wandb_logger
from forger.trial import Membership
from running import command
from sweeps.studies import ARMS, LR, sweep_file
from wandb_backend import Backend, serving

SMALL = [
    "experiment=digits_gan", "budget.images=640", "metrics.every_images=320", "metrics.n=64",
    "samples.every_images=320", "checkpoint.every_images=320", "logger=wandb",
]  # fmt: skip


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
    """A server to which this process is logged in."""
    for name in list(os.environ):
        if name.startswith("WANDB_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_DATA_DIR", "")  # to be restored, whatever the logger sets
    monkeypatch.delenv("WANDB_DATA_DIR")
    monkeypatch.setattr(tracking, "_data_folder", None)
    wandb.teardown()  # the client's own process remembers the server of the test before
    with serving(Backend()) as backend:
        for name, value in backend.environment().items():
            monkeypatch.setenv(name, value)
        yield backend
        wandb.teardown()
    assert backend.unknown == []


def logger_of(folder: Path, **changes):
    folder.mkdir(exist_ok=True)
    run = RunInfo(folder, "0123456789ab", "digits", {"seed": 3})
    return wandb_logger(run, **{"mode": "auto", "finish_timeout": 15, **changes})


def rows(backend: Backend, key: str = "images") -> list[int]:
    run = backend.runs["0123456789ab"]
    return [run.rows[index][key] for index in sorted(run.rows) if key in run.rows[index]]


def test_a_run_online_and_resumed_under_its_id(backend, tmp_path):
    logger = logger_of(tmp_path / "run", group="digits", tags=["a"])
    for images in (64, 128):
        logger.log_metrics({"images": images, "iterations": images // 64, "score/fd_digits": 9.0})
    Image.new("RGB", (8, 8)).save(tmp_path / "grid.png")
    log_picture([logger], "samples", tmp_path / "grid.png", images=128, iterations=2)
    finish([logger])
    run = backend.runs["0123456789ab"]
    assert (run.fields["groupName"], run.fields["jobType"], run.fields["tags"]) == ("digits", "train", ["a"])
    assert run.config["seed"]["value"] == 3
    assert (rows(backend), run.exit_code) == ([64, 128, 128], 0)
    assert any(name.startswith("media/images/samples") for name in run.files)
    again = logger_of(tmp_path / "run", group="digits")
    again.log_metrics({"images": 192, "iterations": 3})
    finish([again])
    assert rows(backend) == [64, 128, 128, 192]
    assert list(backend.runs) == ["0123456789ab"]


def test_a_trial_tells_its_number_parameters_and_how_it_ended(backend, tmp_path, monkeypatch):
    trial = Membership("stability", 7, str(tmp_path), {LR: 0.01})
    for name, value in trial.environment().items():
        monkeypatch.setenv(name, value)
    trial.prune_file.touch()
    logger = logger_of(tmp_path / "run", group="digits", tags=["a"])
    logger.log_metrics({"images": 64, "iterations": 1})
    finish([logger], 143)
    run = backend.runs["0123456789ab"]
    assert (run.fields["groupName"], run.fields["jobType"], run.fields["tags"]) == (
        "stability",
        "trial",
        ["a", "sweep"],
    )
    assert run.config["trial"]["value"] == {"number": 7, "parameters": {LR: 0.01}}
    assert run.summary["trial"] == {"number": 7, "state": "pruned"}


def test_a_server_that_dies_costs_seconds_and_no_row(tmp_path, monkeypatch):
    """`finish` returns in its time, and a later sync delivers every row, from a folder that was moved."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(tracking, "_data_folder", None)
    monkeypatch.setenv("WANDB_DATA_DIR", "")
    monkeypatch.delenv("WANDB_DATA_DIR")
    wandb.teardown()
    backend = Backend()
    with serving(backend):
        for name, value in backend.environment().items():
            monkeypatch.setenv(name, value)
        logger = logger_of(tmp_path / "run", finish_timeout=3)
        logger.log_metrics({"images": 0, "iterations": 0})
    for images in range(64, 640, 64):
        logger.log_metrics({"images": images, "iterations": images // 64})
    begun = time.monotonic()
    finish([logger])
    assert time.monotonic() - begun < 15
    (tmp_path / "run").rename(tmp_path / "moved")
    (folder,) = (tmp_path / "moved" / "wandb").glob("run-*-0123456789ab")
    with serving(backend, port=int(backend.url.rpartition(":")[2])):
        sync = [sys.executable, "-m", "wandb", "sync", "--include-online", str(folder)]
        subprocess.run(sync, check=True, capture_output=True, timeout=60)
    assert rows(backend) == list(range(0, 640, 64))


@pytest.mark.long
def test_an_exported_sweep_runs_under_wandbs_own_agent(backend, tmp_path):
    """`wandb sweep` takes the file, `wandb agent` trains two trials from it."""
    file = sweep_file(tmp_path)
    exported = tmp_path / "exported.yaml"
    done = command("sweep", "export-wandb", file, *SMALL, "-o", str(exported), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    client = [sys.executable, "-m", "wandb"]
    sweep = subprocess.run(
        [*client, "sweep", str(exported)], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert sweep.returncode == 0, sweep.stderr
    backend.jobs += [{LR: 1e-3}, {LR: 2e-3}]
    agent = subprocess.run(
        [*client, "agent", "somebody/forger/sweep0"], cwd=tmp_path, env=environment,
        capture_output=True, text=True, timeout=180,
    )  # fmt: skip
    records = [RunFolder(path.parent).read() for path in tmp_path.glob("runs/mine/*/record.json")]
    assert [record.status for record in records] == ["finished"] * 2, agent.stderr
    for name, lr in zip(backend.started, (1e-3, 2e-3), strict=True):
        run = backend.runs[name]
        assert run.fields["sweep"] == "sweep0"
        assert run.config["model"]["value"]["players"]["generator"]["optimizer"]["lr"] == lr
        assert "score/fd_digits" in run.summary
    assert len(backend.runs) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("interval(0.1, 1)", {"distribution": "uniform", "min": 0.1, "max": 1.0}),
        ("tag(log, interval(0.1, 1))", {"distribution": "log_uniform_values", "min": 0.1, "max": 1.0}),
        ("tag(log, int(interval(1, 8)))", {"distribution": "q_log_uniform_values", "q": 1, "min": 1, "max": 8}),
        ("range(1, 9)", {"distribution": "int_uniform", "min": 1, "max": 8}),
        ("range(0, 10, 5)", {"values": [0, 5]}),
        ("choice(0.5, [0, 1], fast)", {"values": [0.5, "[0,1]", "fast"]}),
        ('choice("one","two, three")', {"values": ["one", '"two, three"']}),
    ],
)
def test_parameters_in_wandbs_words(text, expected, tmp_path):
    definition = load(sweep_file(tmp_path), [f"{LR}={text}", "sweep.pruner=asha", "sweep.rungs.first=60000"])
    exported = document(definition)
    assert exported["parameters"] == {LR: expected}
    assert exported["metric"] == {"name": "score/fd_digits", "goal": "minimize"}
    assert exported["early_terminate"] == {"type": "hyperband", "min_iter": 3, "eta": 3}
    assert OmegaConf.create(json.loads(json.dumps(exported)))


def test_an_exported_file_says_what_stays_behind(tmp_path):
    """Seeds are runs of their own in a grid; elsewhere W&B's search would look for the luckiest one."""
    searched = load(sweep_file(tmp_path), ["sweep.seeds=3", "sweep.sampler=tpe"])
    assert "seed" not in document(searched)["parameters"]
    assert any("One seed a candidate, not 3" in line for line in remarks(searched))
    grid = load(
        sweep_file(tmp_path),
        [f"{LR}=choice(0.1, 0.01)", "seed=5", "sweep.seeds=3", "sweep.sampler=grid", "sweep.trials=2"],
    )
    exported = document(grid)
    assert exported["parameters"]["seed"] == {"values": [5, 6, 7]}
    assert exported["run_cap"] == 6
    assert any("3 seeds are runs of their own" in line for line in remarks(grid))


def test_what_wandbs_search_does_not_know_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"varies single keys, and this one has sweep\.arms"):
        document(load(sweep_file(tmp_path, ARMS), []))


@pytest.mark.long
def test_both_ranks_of_a_trial_are_one_run(backend, tmp_path):
    """A DDP trial on two CPU processes: one config, one folder, one W&B run."""
    file = sweep_file(tmp_path)
    done = command("sweep", "worker", file, *SMALL, "trainer=ddp_cpu", "sweep.trials=1", cwd=tmp_path, timeout=240)
    assert done.returncode == 0, done.stderr
    (record,) = tmp_path.glob("runs/mine/0000/*/record.json")
    run = RunFolder(record.parent)
    about = run.read()
    assert (about.status, about.images, about.device["devices"]) == ("finished", 640, 2)
    (online,) = backend.runs.values()
    assert online.name == about.id
    assert online.fields["groupName"] == "mine"
    assert online.summary["trial"] == {"number": 0, "state": "finished"}
    # Each rank trained what the record says: another config would have had another folder.
    lr = OmegaConf.load(run.config_file).model.players.generator.optimizer.lr
    assert online.config["trial"]["value"]["parameters"] == {LR: lr}
