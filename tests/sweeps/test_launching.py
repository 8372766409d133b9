"""Workers as jobs: the batch script that Slurm would get, and the same jobs on this machine."""

import json
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from forger.errors import ConfigError
from forger.sweeps.launching import submitted
from forger.sweeps.study import TrialQueue
from sweeps.studies import FILE, begun, done, environment, processes_below, rows_of_steps


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Commands of Slurm that take a job and keep its script."""
    folder, script = tmp_path / "bin", tmp_path / "script.sh"
    folder.mkdir()
    for name in ("srun", "sinfo", "scontrol", "squeue", "sacct"):
        (folder / name).write_text("#!/bin/sh\nexit 0\n")
    keep = f'cp "$1" {script}\nprintenv FORGER_SWEEP_ARGUMENTS > {script}.env'
    (folder / "sbatch").write_text(f'#!/bin/sh\n{keep}\necho "Submitted batch job 4711"\n')
    for file in folder.iterdir():
        file.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return script


def test_the_batch_script_of_an_array_with_preemption_signal(tmp_path, slurm):
    _, typed = begun(tmp_path, "launcher=slurm", "launcher.parameters.slurm_partition=short")
    said = done("run", [*typed, "-w", "3"])
    assert "3 workers submitted, jobs 4711_0, 4711_1, 4711_2" in said
    script = slurm.read_text()
    options = dict(re.findall(r"#SBATCH --([\w-]+)=(\S+)", script))
    assert options["array"] == "0-2%3"
    assert options["time"] == "240"
    assert options["partition"] == "short"
    assert options["signal"] == "USR2@120"
    assert options["cpus-per-task"] == "2"
    assert options["job-name"] == "forger-mine"
    assert "gpus-per-node" not in options
    assert "-m submitit.core._submit" in script
    assert sys.executable in script
    assert Path(options["output"]).is_relative_to(tmp_path / "runs" / "mine" / ".jobs")


def test_a_secret_goes_by_the_jobs_environment_and_into_no_file(tmp_path, slurm):
    overrides = ["launcher=slurm", "launcher.workers=1", "+logger.x.token=hush-0123456789"]
    definition, typed = begun(tmp_path, *overrides, text=FILE.replace("logger=none", "logger=csv"))
    assert "1 worker submitted" in done("run", typed)
    files = [path for path in definition.root.rglob("*") if path.is_file()]
    assert any(path.suffix == ".pkl" for path in files)
    assert [path.name for path in files if b"hush" in path.read_bytes()] == []
    assert "+logger.x.token=hush-0123456789" in json.loads(Path(f"{slurm}.env").read_text())


def test_a_job_asks_for_the_gpus_of_a_trial(tmp_path, slurm):
    _, typed = begun(tmp_path, "launcher=slurm", "trainer=ddp", "sweep.gpus=2", "launcher.workers=1")
    done("run", typed)
    assert "#SBATCH --gpus-per-node=2" in slurm.read_text()


@pytest.mark.parametrize(
    ("override", "said"),
    [("+launcher.parameters.partion=x", "partion"), ("launcher.cluster=slurm", "srun")],
)
def test_faults_are_one_line(tmp_path, override, said, slurm, monkeypatch):
    if "cluster" in override:
        monkeypatch.setenv("PATH", "/nowhere")
    definition, typed = begun(tmp_path, "launcher=slurm", override)
    with pytest.raises(ConfigError, match="launcher: ") as caught:
        submitted(definition, typed, 1)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.long
def test_a_preempted_job_hands_its_trial_back_and_goes_on_when_requeued(tmp_path, monkeypatch):
    behaviour: dict[str, Any] = {"seconds": 0.05}
    for name, value in environment(**behaviour).items():
        monkeypatch.setenv(name, value)
    overrides = ["launcher=slurm", "launcher.cluster=local", "launcher.workers=1", "sweep.trials=2"]
    definition, typed = begun(tmp_path, *overrides, "budget.images=30000")
    (job,) = submitted(definition, typed, 1)
    while not rows_of_steps(tmp_path):
        time.sleep(0.05)
    (task,) = [pid for pid, text in processes_below(tmp_path) if "submitit.core._submit" in text]
    os.kill(task, signal.SIGUSR2)
    assert job.result() == 0
    assert [row.state for row in TrialQueue(definition).trials()] == [TrialState.COMPLETE] * 2
    assert all(len(steps) == 30 for steps in rows_of_steps(tmp_path))  # no step was taken twice
    starts = [path.read_text().split() for path in tmp_path.rglob("starts.txt")]
    assert sorted(map(len, starts)) == [1, 2]
