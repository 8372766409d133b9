"""`forger.train`: the same run as by the command, in a process that afterwards is as it was."""

import logging
import os
import random
import signal
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.core.hydra_config import HydraConfig
from pytorch_lightning import seed_everything  # noqa: F401  (imported before the environment is looked at)

import forger
from running import SMALL, Begun

DESCENT = "model.players.discriminator.optimizer"
#: Least squares by plain gradient steps that are far too large.
DIVERGING = (
    "model/loss=least_squares", f"{DESCENT}._target_=torch.optim.SGD", f"{DESCENT}.lr=10", f"~{DESCENT}.betas",
    f"~{DESCENT}.fused",
)  # fmt: skip
QUICK = (*SMALL, "metrics=none", "watch.action=none")


def state() -> dict[str, object]:
    """All that training could leave changed in the process."""
    loggers = (None, "forger", "pytorch_lightning", "lightning_fabric")
    return {
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "uninitialized": torch.utils.deterministic.fill_uninitialized_memory,  # type: ignore[attr-defined]
        "benchmark": torch.backends.cudnn.benchmark,
        "torch": torch.get_rng_state().tolist(),
        "python": random.getstate(),
        "numpy": np.random.get_state()[1].tolist(),  # type: ignore[index]  # noqa: NPY002
        "warnings": [*warnings.filters],
        "environment": {**os.environ},
        "signals": [signal.getsignal(number) for number in signal.valid_signals()],
        "loggers": [(each.level, each.propagate, [*each.handlers]) for each in map(logging.getLogger, loggers)],
        "hydra": HydraConfig.instance().cfg,
        "folder": Path.cwd(),
    }


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield tmp_path
    torch.set_num_threads(before)


def test_two_trainings_are_those_of_two_commands_and_leave_nothing_behind(folder):
    (folder / "commands").mkdir()
    lines = [("train", *QUICK, "experiment=digits_gan", f"seed={seed}") for seed in (3, 4)]
    commands = [Begun(*line, cwd=folder / "commands") for line in lines]
    before = state()
    ours = [forger.train(*QUICK, "experiment=digits_gan", seed=seed) for seed in (3, 4)]
    assert state() == before
    for run, begun in zip(ours, commands, strict=True):
        assert (run.status, run.name, run.path.parent) == ("finished", "digits_gan", Path("runs/digits_gan"))
        done = begun.ended()
        assert done.returncode == 0, done.stderr
        theirs = forger.load(folder / "commands" / run.path)
        for field in ("id", "command", "overrides", "weights_sha256", "images", "scores"):
            assert getattr(theirs.record, field) == getattr(run.record, field)
        assert run.sample(5).tobytes() == theirs.sample(5).tobytes()


def test_the_same_training_again_is_the_same_run(folder, capsys):
    first = forger.train(*QUICK, seed=1)
    capsys.readouterr()
    assert forger.train(*QUICK, seed=1).id == first.id
    assert "already finished" in capsys.readouterr().err


def test_it_goes_on_from_another_run(folder):
    first = forger.train(*QUICK, "model=gan")
    fork = forger.train("budget.images=320", origin=first, **{"run.name": "fork"})
    assert (fork.name, fork.record.parent["id"], fork.record.images) == ("fork", first.id, 320)
    assert "--from=" in fork.record.command


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["sed=1"], "sed=1: no such key; did you mean 'seed'?"),
        (["seed=-1"], "seed=-1: must be at least 0"),
        (["seed=1,2"], "seed=1,2: several values, and this trains one run"),
        (["-m", "seed=1"], "-m: not an override"),
        (["model=gann"], "model=gann: no such config; did you mean 'gan'?"),
        (["trainer=ddp_cpu"], "trainer.devices=2: several processes; use `forger train`"),
        (["data.batch_size=5000"], "5000"),
        (DIVERGING, "diverged"),
    ],
)
def test_a_training_that_fails_says_so_in_one_line_and_leaves_nothing_behind(folder, overrides, line):
    before = state()
    with pytest.raises(forger.ForgerError) as caught:
        forger.train(*QUICK, *overrides)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, forger.ConfigError) == (line != "diverged")
    assert state() == before


def test_an_interrupted_one_goes_on(folder, monkeypatch):
    from forger.callbacks.journal import Journal

    record, rounds = Journal.on_train_batch_end, []

    def interrupting(self, *arguments):
        rounds.append(0)
        if len(rounds) == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return record(self, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "on_train_batch_end", interrupting)
        with pytest.raises(forger.ForgerError, match="interrupted by signal 2"):
            forger.train(*QUICK)
    (stopped,) = forger.runs()
    assert stopped.status == "interrupted"
    assert forger.train(*QUICK).path == stopped.path
    assert stopped.status == "finished"
