"""Killed, damaged and starved runs end as undisturbed ones: `scripts/benchmarks/faults/runs.py`, small."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from forger.config.shipped import config_groups

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def findings() -> dict[str, Any]:
    """One SIGKILL for every experiment, four damaged checkpoints, two full disks."""
    options = ["--json", "--kills", "1", "--damages", "4", "--no-ranks"]
    line = [sys.executable, "-m", "scripts.benchmarks.faults.runs", *options]
    done = subprocess.run(line, cwd=REPOSITORY, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("experiment", config_groups()["experiment"])
def test_a_killed_run_ends_like_an_undisturbed_one(findings, experiment):
    """Weights, averages, optimisers, pools, watch, scores, rows, alerts and pictures, bit by bit."""
    runs = [run for run in findings["kills"] if run["experiment"] == experiment]
    assert sum(run["kills"] for run in runs) >= 1
    assert all(run["different"] == [] for run in runs)


def test_some_were_killed_while_a_checkpoint_was_being_written(findings):
    assert sum(run["in_a_save"] for run in findings["kills"]) >= 3


def test_damaged_checkpoints_are_recovered_from_or_refused_by_name(findings):
    outcomes = [damage["outcome"] for damage in findings["damages"]]
    assert len(outcomes) == 4
    assert set(outcomes) == {"recovered, identical", "refused by name"}


def test_a_full_disk_is_one_line_and_loses_nothing(findings):
    disks = [disk for disk in findings["disk"] if disk]
    assert disks
    for disk in disks:
        assert disk["kept"], disk
        assert "No space left on device" in disk["line"] or "File too large" in disk["line"]
