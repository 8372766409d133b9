"""Workers on a Ray cluster: a real one, of one node."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from optuna.trial import TrialState

from forger.errors import ConfigError
from forger.run_folder import RunFolder
from forger.sweeps.on_ray import Cluster
from forger.sweeps.study import TrialQueue
from sweeps.studies import begun, environment, processes_below, rows_of_steps

#: Seconds for a command, on a busy machine too.
LIMIT = 300
#: A cluster with a room for two workers, which says its address.
HEAD = """
import sys, ray
ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR", _temp_dir=sys.argv[1])
print(ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("ray")
    # Paths of sockets must be short.
    folder = tmp_path_factory.mktemp("ray")
    short = Path("/tmp") / f"ray-{os.getpid()}"
    short.symlink_to(folder)
    # A cluster's environment is its own: how the stand-in behaves is said here.
    quiet = {**environment(seconds=0.05), "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
    head = subprocess.Popen(
        [sys.executable, "-c", HEAD, str(short)], env=quiet, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert head.stdout is not None
    try:
        yield head.stdout.readline().strip()
    finally:
        head.communicate("", timeout=LIMIT)
        short.unlink()


@contextmanager
def started(typed: list[str]) -> "Iterator[subprocess.Popen[str]]":
    """A sweep's command, which doesn't outlive its test."""
    line = [sys.executable, "-m", "forger", "sweep", "run", *typed]
    variables = {**environment(), "RAY_AUTH_MODE": "disabled"}
    with subprocess.Popen(line, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as command:
        try:
            yield command
        finally:
            command.kill()


@pytest.mark.long
def test_workers_are_actors_of_the_cluster_and_ctrl_c_has_them_save(tmp_path, address):
    typed = ["launcher=ray", f"launcher.address={address}", "sweep.trials=4", "budget.images=60000"]
    definition, typed = begun(tmp_path, *typed)
    with started(typed) as command:
        while len(rows_of_steps(tmp_path)) < 2:
            assert command.poll() is None, command.communicate()
            time.sleep(0.05)
        command.send_signal(signal.SIGINT)
        _, said = command.communicate(timeout=LIMIT)
    assert command.returncode == 130
    assert "4 trials to go, 2 workers, on the Ray cluster" in said
    before = TrialQueue(definition).trials()
    assert {row.state for row in before} <= {TrialState.WAITING, TrialState.COMPLETE}
    done = {row.number for row in before if row.state == TrialState.COMPLETE}
    statuses = [RunFolder(path.parent).read().status for path in tmp_path.rglob("record.json")]
    assert set(statuses) <= {"interrupted", "finished"}
    assert "interrupted" in statuses
    assert processes_below(tmp_path) == []
    with started(typed) as again:
        _, said = again.communicate(timeout=LIMIT)
    assert again.returncode == 0, said
    assert "4 of 4 trials ended (4 finished)" in said
    rows = TrialQueue(definition).trials()  # one that Ctrl-C met before it was begun has no worker
    after = [row for row in rows if row.number not in done and row.state == TrialState.COMPLETE]
    assert len({row.user_attrs["worker"]["pid"] for row in after}) == min(2, len(after))
    assert all(len(set(steps)) == len(steps) == 60 for steps in rows_of_steps(tmp_path))  # none was taken twice


def test_no_cluster_is_one_line(tmp_path, monkeypatch):
    pytest.importorskip("ray")
    definition, typed = begun(tmp_path, "launcher=ray", "launcher.address=127.0.0.1:1")
    with started(typed) as command:
        _, said = command.communicate(timeout=LIMIT)
    assert command.returncode == 2
    assert said == "forger: launcher=ray: no cluster at address 127.0.0.1:1 (Connection refused)\n"
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"pip install 'forger\[ray\]'"):
        Cluster(definition)
