"""Workers and runs that are killed, and the same command afterwards: nothing lost, nothing twice."""

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest
from optuna.trial import TrialState

from forger.run_folder import RunFolder
from forger.sweeps.study import TrialQueue, slot
from sweeps.stand_in import CHECKPOINT
from sweeps.studies import begun, done, processes_below, rows_of_steps, started


def check_all_ended_once(definition, trials: int) -> None:
    queue = TrialQueue(definition)
    rows = queue.trials()
    ended = [row for row in rows if row.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    assert sorted(map(slot, ended)) == list(range(trials))
    assert not [row for row in rows if row.state == TrialState.RUNNING]
    for row in ended:
        (record,) = (definition.root / row.user_attrs["folder"]).glob("*/record.json")
        run = RunFolder(record.parent).read()
        assert (run.status, run.images) == ("finished", int(definition.run_config.budget.images))
    # What was taken up again kept its parameters: all, or those that were drawn when it was killed.
    final = {slot(row): row.params for row in ended}
    assert all(row.params.items() <= final[slot(row)].items() for row in rows)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds processes in /proc")
@pytest.mark.long
def test_killed_at_random_then_the_same_command(tmp_path):
    """Six trials, two workers, SIGKILL to workers and runs, at last to the command itself."""
    definition, typed = begun(tmp_path, "sweep.trials=6", "budget.images=60000", "sweep.heartbeat=1")
    chance, kills = random.Random(0), 0
    command = started("run", [*typed, "-w", "2"], seconds=0.05)
    while kills < 5:
        assert command.poll() is None
        time.sleep(chance.uniform(0.5, 1.5))
        others = [(pid, text) for pid, text in processes_below(tmp_path) if pid != command.pid]
        if others and list(tmp_path.rglob("steps.txt")):
            os.kill(chance.choice(others)[0], signal.SIGKILL)
            kills += 1
    command.kill()
    command.communicate()
    time.sleep(0.5)
    done("run", [*typed, "-w", "2"], seconds=0.01)
    check_all_ended_once(definition, 6)
    for steps in rows_of_steps(tmp_path):
        assert set(steps) == set(range(1000, 60001, 1000))
    # A kill costs at most what lay between two checkpoints (one more for the command's own end).
    repeated = sum(len(steps) - len(set(steps)) for steps in rows_of_steps(tmp_path))
    assert repeated <= (kills + 2) * CHECKPOINT // 1000
    time.sleep(1)
    assert processes_below(tmp_path) == []
    # Once more, there is nothing to do.
    assert "6 of 6 trials ended" in done("run", typed)


@pytest.mark.long
def test_an_interrupted_sweep_hands_its_trials_back(tmp_path):
    definition, typed = begun(tmp_path, "sweep.trials=2", "budget.images=30000")
    command = started("run", [*typed, "-w", "1"], seconds=0.05)
    while not rows_of_steps(tmp_path):
        time.sleep(0.05)
    time.sleep(0.3)
    command.send_signal(signal.SIGTERM)
    assert command.wait(30) == 143
    command.communicate()
    (record,) = tmp_path.rglob("record.json")
    assert RunFolder(record.parent).read().status == "interrupted"
    # No waiting for a heartbeat to go stale: the trial is free at once.
    assert {row.state for row in TrialQueue(definition).trials()} == {TrialState.WAITING}
    done("run", [*typed, "-w", "2"])
    check_all_ended_once(definition, 2)
    steps = rows_of_steps(tmp_path)
    assert all(len(of_run) == 30 for of_run in steps)  # not one step was taken twice


def test_a_failed_trial_is_retried_once_then_set_aside(tmp_path):
    definition, typed = begun(tmp_path, "sweep.trials=3")
    said = done("worker", typed, fails=[1])
    rows = TrialQueue(definition).trials()
    ((aside,),) = [[row for row in rows if row.state == TrialState.FAIL]]
    assert aside.user_attrs["reason"] == "exit code 1: something broke"
    (folder,) = (definition.root / aside.user_attrs["folder"]).glob("*/starts.txt")
    assert folder.read_text().splitlines() == ["0", "1000"]
    assert said == ""
    ended = [row for row in rows if row.state == TrialState.COMPLETE]
    assert sorted(map(slot, ended)) == [0, 1, 2]  # another candidate took its slot
    assert json.loads(done("status", [*typed, "--json"]))["failures"][0]["trial"] == 1


@pytest.mark.long
def test_a_run_that_gets_further_each_time_is_not_given_up(tmp_path):
    definition, typed = begun(tmp_path, "sweep.trials=2")
    done("worker", typed, crashes=[0])
    check_all_ended_once(definition, 2)
    (starts,) = (definition.root / "0000").glob("*/starts.txt")
    assert starts.read_text().splitlines() == ["0", "3000"]


@pytest.mark.long
def test_a_run_that_somebody_else_ends_goes_on(tmp_path):
    """SIGTERM from outside, more often than a failed run is retried: each time the run saves its state."""
    definition, typed = begun(tmp_path, "sweep.trials=1", "budget.images=60000")
    command = started("worker", typed, seconds=0.05)
    for number in range(1, 4):
        while [len(path.read_text().split()) for path in tmp_path.rglob("starts.txt")] != [number]:
            assert command.poll() is None
            time.sleep(0.02)
        time.sleep(0.2)
        (run,) = [pid for pid, text in processes_below(tmp_path) if "stand_in.py" in text]
        os.kill(run, signal.SIGTERM)
    _, said = command.communicate(timeout=60)
    assert command.returncode == 0, said
    check_all_ended_once(definition, 1)
    assert rows_of_steps(tmp_path) == [list(range(1000, 60001, 1000))]


def test_a_run_that_is_killed_again_and_again_is_given_up(tmp_path):
    definition, typed = begun(tmp_path, "sweep.trials=1", "budget.images=60000")
    done("worker", typed, dies=[0])
    (aside, other) = TrialQueue(definition).trials()
    assert (aside.state, aside.user_attrs["reason"]) == (TrialState.FAIL, "killed by signal 9")
    (starts,) = (definition.root / "0000").glob("*/starts.txt")
    assert starts.read_text().split() == ["0"] * 6
    assert other.state == TrialState.COMPLETE


def test_a_sweep_in_which_everything_fails_ends(tmp_path):
    _, typed = begun(tmp_path, "sweep.trials=2")
    said = done("run", [*typed, "-w", "1"], code=1, fails=[-1])
    assert "too many trials failed" in (tmp_path / "runs" / "mine" / "workers.txt").read_text()
    assert "something broke" in said
