"""Runs forked from a process that has done the imports."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from forger.run_folder import RunFolder
from forger.sweeps.processes import Process, stop
from forger.sweeps.warm_starter import WarmStarter
from forger.trial import Membership
from running import SMALL, trained


@pytest.fixture(scope="module")
def starter() -> Iterator[WarmStarter]:
    starter = WarmStarter({"OMP_NUM_THREADS": "1"})
    assert starter.prepare()
    yield starter
    starter.close()


def started(starter: WarmStarter, root: Path, *overrides: str) -> Process:
    about = Membership("mine", 0, str(root))
    arguments = [*SMALL, f"run.root={root}/runs", *overrides]
    return starter.start(arguments, about.environment(), root / "output.txt")


def test_a_warm_run_is_bit_for_bit_a_cold_one(starter, tmp_path):
    process = started(starter, tmp_path)
    assert process.wait(60) == 0, (tmp_path / "output.txt").read_text()
    (record,) = tmp_path.glob("runs/*/*/record.json")
    cold = trained(tmp_path / "cold")
    assert RunFolder(record.parent).read().weights_sha256 == cold.read().weights_sha256
    assert record.parent.name == cold.path.name
    assert "finished" in (tmp_path / "output.txt").read_text()


def test_each_run_is_a_process_of_its_own_that_signals_reach(starter, tmp_path):
    root = tmp_path / "a"
    root.mkdir()
    process = started(starter, root, "budget.images=1000000")
    other = started(starter, tmp_path, "data.batch_size=100000")
    assert other.wait(60) == 2
    assert "larger than the data" in (tmp_path / "output.txt").read_text()
    while not list(root.glob("runs/*/*/metrics.jsonl")):
        assert process.poll() is None
        time.sleep(0.05)
    Membership("mine", 0, str(root)).prune_file.touch()
    assert stop(process) == 143
    (record,) = root.glob("runs/*/*/record.json")
    assert RunFolder(record.parent).read().status == "pruned"
    killed = started(starter, root, "budget.images=1000000")
    os.kill(killed.pid, signal.SIGKILL)
    assert killed.wait(60) == -9


@pytest.mark.long
def test_a_run_outlives_its_server_long_enough_to_save(starter, tmp_path):
    process = started(starter, tmp_path, "budget.images=1000000", "seed=1")
    while not list(tmp_path.glob("runs/*/*/metrics.jsonl")):
        assert process.poll() is None
        time.sleep(0.05)
    assert starter._server is not None
    os.kill(starter._server.pid, signal.SIGKILL)
    assert process.wait(60) < 0
    (record,) = tmp_path.glob("runs/*/*/record.json")
    assert RunFolder(record.parent).read().status == "interrupted"
    again = started(starter, tmp_path, "seed=1")  # by another server
    assert again.wait(60) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="adoption is Linux's")
def test_orphans_are_adopted_and_buried():
    program = (
        "import os, subprocess, time; from forger.sweeps.processes import adopt_orphans, reap_adopted\n"
        "adopt_orphans()\n"
        "mine = subprocess.Popen(['false'])\n"
        "subprocess.run(['sh', '-c', 'sleep 0.2 &'], check=True)\n"
        "time.sleep(0.5)\n"
        "reap_adopted({mine.pid})\n"
        "assert mine.wait() == 1\n"
        "reap_adopted(())\n"
        "try:\n"
        "    os.waitpid(-1, os.WNOHANG)\n"
        "except ChildProcessError:\n"
        "    print('none left')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "none left\n", done.stderr


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="counts threads in /proc")
def test_the_server_has_one_thread_and_no_device(starter):
    assert starter._server is not None
    status = Path(f"/proc/{starter._server.pid}/status").read_text()
    assert "Threads:\t1\n" in status
    maps = Path(f"/proc/{starter._server.pid}/maps").read_text()
    assert "/dev/nvidia" not in maps


@pytest.mark.long
def test_runs_end_with_the_worker_and_save_their_state(tmp_path):
    """A worker that is killed outright takes its server and its runs along."""
    program = (
        "import json, sys, time; from pathlib import Path; from forger.sweeps.warm_starter import WarmStarter\n"
        "from forger.trial import Membership\n"
        "arguments, root = json.loads(sys.argv[1])\n"
        "starter = WarmStarter({})\n"
        "about = Membership('mine', 0, root).environment()\n"
        "print(starter.start(arguments, about, Path(root) / 'output.txt').pid, flush=True)\n"
        "time.sleep(1000)\n"
    )
    arguments = [*SMALL, f"run.root={tmp_path}/runs", "budget.images=1000000"]
    command = [sys.executable, "-c", program, json.dumps([arguments, str(tmp_path)])]
    worker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    pid = int(worker.stdout.readline())
    while not list(tmp_path.glob("runs/*/*/metrics.jsonl")):
        time.sleep(0.05)
    worker.kill()
    worker.communicate()
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    (record,) = tmp_path.glob("runs/*/*/record.json")
    assert RunFolder(record.parent).read().status == "interrupted"
